"""Every waiter and paginator that boto3 has for Lambda ends as it should."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.loaders import Loader

from lambdad.testing.deploy import ROLE, RUNTIME, Deployer, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

# They page over what is not served yet.
LATER = {
    "GetDurableExecutionHistory",
    "GetDurableExecutionState",
    "ListCapacityProviders",
    "ListDurableExecutionsByFunction",
    "ListFunctionVersionsByCapacityProvider",
}
PAGINATORS = sorted(
    set(Loader().load_service_model("lambda", "paginators-1")["pagination"]) - LATER
)
WAITERS = sorted(Loader().load_service_model("lambda", "waiters-2")["waiters"])
ARGUMENTS: dict[str, dict[str, Any]] = {
    "ListLayerVersions": {"LayerName": "paged"},
    "ListFunctionsByCodeSigningConfig": {},
}
UNNAMED = {"ListFunctions", "ListLayers", "ListCodeSigningConfigs", "ListEventSourceMappings"}
COUNT = 5
SIGNER = "arn:aws:signer:us-east-1:700000000777:/signing-profiles/p/abcdefghij"


@pytest.fixture(scope="module")
def stocked(user: Deployer) -> Deployer:
    """A user who has five of everything that can be listed."""
    paged = Deployer(user.lambda_.meta.endpoint_url, account_id="700000000777")
    client = paged.lambda_
    sqs = boto3.client(
        "sqs",
        endpoint_url=client.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="700000000777",
        aws_secret_access_key="any",
    )
    signing = client.create_code_signing_config(
        AllowedPublishers={"SigningProfileVersionArns": [SIGNER]}
    )["CodeSigningConfig"]["CodeSigningConfigArn"]
    ARGUMENTS["ListFunctionsByCodeSigningConfig"] = {"CodeSigningConfigArn": signing}
    for _ in range(COUNT - 1):
        client.create_code_signing_config(AllowedPublishers={"SigningProfileVersionArns": [SIGNER]})
    paged.deploy("f", "def handler(event, context): pass\n")
    client.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=signing)
    for number in range(COUNT):
        content = {"ZipFile": zip_of({f"{number}.py": f"N = {number}\n"})}
        client.publish_layer_version(LayerName="paged", Content=content)
        client.publish_layer_version(LayerName=f"layer-{number}", Content=content)
        update = client.update_function_configuration(FunctionName="f", Description=str(number))
        assert update["FunctionName"] == "f"
        client.get_waiter("function_updated_v2").wait(FunctionName="f")
        version = client.publish_version(FunctionName="f")["Version"]
        client.create_alias(FunctionName="f", Name=f"a{number}", FunctionVersion=version)
        alias = {"FunctionName": "f", "Qualifier": f"a{number}"}
        client.create_function_url_config(**alias, AuthType="NONE")
        client.put_function_event_invoke_config(**alias, MaximumRetryAttempts=1)
        client.put_provisioned_concurrency_config(**alias, ProvisionedConcurrentExecutions=1)
        sqs.create_queue(QueueName=f"paged-queue-{number}")
        client.create_event_source_mapping(
            FunctionName="f",
            EventSourceArn=f"arn:aws:sqs:us-east-1:700000000777:paged-queue-{number}",
        )
        if number:
            client.create_function(
                FunctionName=f"f{number}",
                Runtime=RUNTIME,
                Handler="app.handler",
                Role=ROLE,
                Code={"ZipFile": zip_of({"app.py": "def handler(event, context): pass\n"})},
                CodeSigningConfigArn=signing,
            )
    return paged


@pytest.mark.parametrize("operation", PAGINATORS)
def test_pages_of_two_give_the_same_as_one_page(stocked: Deployer, operation: str) -> None:
    client = stocked.lambda_
    paginator = client.get_paginator(xform_name(operation))
    arguments = ARGUMENTS.get(operation, {} if operation in UNNAMED else {"FunctionName": "f"})
    (key,) = {
        str(each.expression) for each in paginator.result_keys if "Marker" not in each.expression
    }
    whole = paginator.paginate(**arguments).build_full_result()[key]
    paged = list(paginator.paginate(**arguments, PaginationConfig={"PageSize": 2}))
    pieces = [item for page in paged for item in page[key]]
    assert len(whole) >= COUNT
    assert pieces == whole
    assert len(paged) >= len(whole) // 2


@pytest.mark.parametrize("waiter", WAITERS)
def test_every_waiter_ends(stocked: Deployer, waiter: str) -> None:
    arguments = {"FunctionName": "f"}
    if waiter == "PublishedVersionActive":
        arguments["Qualifier"] = "1"
    stocked.lambda_.get_waiter(xform_name(waiter)).wait(**arguments)
