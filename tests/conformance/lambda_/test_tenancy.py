"""Tenant isolation: an environment never serves two tenants."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

ErrorOf = Callable[..., tuple[int, str, str]]
PROGRAM = """
import json, uuid
ENVIRONMENT = str(uuid.uuid4())
def handler(event, context):
    if event:
        print("SAW", json.dumps([ENVIRONMENT, context.tenant_id, event]))
    return [ENVIRONMENT, context.tenant_id]
"""
GROUP = "/aws/lambda/hello"
PER_TENANT = {"TenantIsolationMode": "PER_TENANT"}
MISSING = (
    400,
    "InvalidParameterValueException",
    (
        "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your "
        "request and try again."
    ),
)
TOO_MUCH = (
    400,
    "InvalidParameterValueException",
    (
        "The invoked function is not enabled with tenancy configuration. Remove the tenant ID from "
        "your request and try again."
    ),
)


@pytest.fixture
def deployed(lonely: Deployer) -> Iterator[Deployer]:
    """A function that isolates tenants."""
    lonely.deploy("hello", PROGRAM, TenancyConfig=PER_TENANT)
    yield lonely
    lonely.lambda_.delete_function(FunctionName="hello")


def called(user: Deployer, tenant_id: str) -> list[str]:
    answer = user.lambda_.invoke(FunctionName="hello", TenantId=tenant_id)
    environment: list[str] = json.loads(answer["Payload"].read())
    return environment


def test_an_event_runs_in_its_tenants_environment(deployed: Deployer) -> None:
    first = called(deployed, "blue")
    with suppress(deployed.logs.exceptions.ResourceAlreadyExistsException):
        deployed.logs.create_log_group(logGroupName=GROUP)
    answer = deployed.lambda_.invoke(
        FunctionName="hello", TenantId="blue", InvocationType="Event", Payload=b'"from the queue"'
    )
    assert answer["StatusCode"] == 202
    found: list[Any] = []
    for _ in asking(pause_s=0.1):
        events = deployed.logs.filter_log_events(logGroupName=GROUP, filterPattern="SAW")["events"]
        found = [json.loads(event["message"].partition("SAW ")[2]) for event in events]
        if found:
            break
    assert found == [[*first, "from the queue"]]


def test_tenants_share_no_environment_and_reuse_their_own(deployed: Deployer) -> None:
    first, other = called(deployed, "blue"), called(deployed, "green")
    assert (first[1], other[1]) == ("blue", "green")
    assert first[0] != other[0]
    assert called(deployed, "blue") == first
    assert called(deployed, "green") == other


def test_the_configuration_is_read_back(deployed: Deployer) -> None:
    got = deployed.lambda_.get_function_configuration(FunctionName="hello")
    assert got["TenancyConfig"] == PER_TENANT
    deployed.lambda_.update_function_configuration(FunctionName="hello", Description="d")
    got = deployed.lambda_.get_function_configuration(FunctionName="hello")
    assert got["TenancyConfig"] == PER_TENANT


@pytest.mark.parametrize("kind", ["RequestResponse", "DryRun", "Event"])
def test_an_invocation_without_its_tenant_is_refused(
    deployed: Deployer, error_of: ErrorOf, kind: str
) -> None:
    invoke = deployed.lambda_.invoke
    assert error_of(invoke, FunctionName="hello", InvocationType=kind) == MISSING


@pytest.mark.parametrize("kind", ["RequestResponse", "DryRun", "Event"])
def test_a_tenant_is_refused_where_there_are_none(
    lonely: Deployer, error_of: ErrorOf, kind: str
) -> None:
    lonely.deploy("plain", PROGRAM)
    invoke = lonely.lambda_.invoke
    assert error_of(invoke, FunctionName="plain", TenantId="t", InvocationType=kind) == TOO_MUCH
    lonely.lambda_.delete_function(FunctionName="plain")


def test_what_knows_no_tenants_cannot_be_combined(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    account = deployed.sts.get_caller_identity()["Account"]
    queue = f"arn:aws:sqs:us-east-1:{account}:q"
    aws.publish_version(FunctionName="hello")
    calls: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
        (aws.create_function_url_config, {"AuthType": "NONE"}, "A function URL"),
        (aws.create_event_source_mapping, {"EventSourceArn": queue}, "An event source mapping"),
        (
            aws.put_provisioned_concurrency_config,
            {"Qualifier": "1", "ProvisionedConcurrentExecutions": 1},
            "Provisioned concurrency",
        ),
    ]
    for operation, params, feature in calls:
        assert error_of(operation, FunctionName="hello", **params) == (
            400,
            "InvalidParameterValueException",
            (
                f"{feature} is not supported for functions that are enabled with tenancy "
                "configuration."
            ),
        )
