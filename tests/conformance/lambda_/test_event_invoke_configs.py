"""Configurations of asynchronous invocation over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

ErrorOf = Callable[..., tuple[int, str, str]]
NO_FUNCTION = (404, "ResourceNotFoundException", "The function doesn't exist.")
NOWHERE = {"OnSuccess": {}, "OnFailure": {}}


@pytest.fixture
def deployed(lonely: Deployer, a_request: Callable[..., dict[str, Any]]) -> Iterator[Deployer]:
    """A function with version 1 and the alias `live`."""
    lonely.lambda_.create_function(**a_request())
    lonely.lambda_.get_waiter("function_active_v2").wait(FunctionName="hello")
    lonely.lambda_.publish_version(FunctionName="hello")
    lonely.lambda_.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    yield lonely
    lonely.lambda_.delete_function(FunctionName="hello")


def members(answer: dict[str, Any]) -> dict[str, Any]:
    answer.pop("ResponseMetadata", None)
    assert abs(answer.pop("LastModified") - datetime.now(UTC)) < timedelta(minutes=1)
    return answer


def test_put_replaces_and_update_merges(deployed: Deployer) -> None:
    aws = deployed.lambda_
    arn = aws.get_function_configuration(FunctionName="hello")["FunctionArn"] + ":$LATEST"
    queue = f"arn:aws:sqs:us-east-1:{arn.split(':')[4]}:q"
    put = members(
        aws.put_function_event_invoke_config(
            FunctionName="hello",
            MaximumEventAgeInSeconds=60,
            DestinationConfig={"OnFailure": {"Destination": queue}},
        )
    )
    failing = {"OnSuccess": {}, "OnFailure": {"Destination": queue}}
    assert put == {
        "FunctionArn": arn,
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": failing,
    }
    updated = members(
        aws.update_function_event_invoke_config(FunctionName="hello", MaximumRetryAttempts=0)
    )
    assert updated == {**put, "MaximumRetryAttempts": 0}
    assert members(aws.get_function_event_invoke_config(FunctionName="hello")) == updated
    put = members(
        aws.put_function_event_invoke_config(FunctionName="hello", MaximumRetryAttempts=2)
    )
    assert put == {"FunctionArn": arn, "MaximumRetryAttempts": 2, "DestinationConfig": NOWHERE}


@pytest.mark.parametrize("name", ["hello", "arn"])
def test_each_qualifier_has_its_own(deployed: Deployer, error_of: ErrorOf, name: str) -> None:
    aws = deployed.lambda_
    arn = aws.get_function_configuration(FunctionName="hello")["FunctionArn"]
    name = arn if name == "arn" else name
    aws.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    aws.put_function_event_invoke_config(FunctionName=f"{name}:1", MaximumRetryAttempts=1)
    aws.put_function_event_invoke_config(
        FunctionName=name, Qualifier="live", MaximumRetryAttempts=2
    )
    pages = aws.get_paginator("list_function_event_invoke_configs").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 2}
    )
    listed = [
        [config["FunctionArn"] for config in page["FunctionEventInvokeConfigs"]] for page in pages
    ]
    assert listed == [[f"{arn}:$LATEST", f"{arn}:1"], [f"{arn}:live"]]
    gone = aws.delete_function_event_invoke_config(FunctionName=name, Qualifier="1")
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    absent = (
        404,
        "ResourceNotFoundException",
        f"The function {arn}:1 doesn't have an EventInvokeConfig",
    )
    for operation in (
        aws.get_function_event_invoke_config,
        aws.delete_function_event_invoke_config,
    ):
        assert error_of(operation, FunctionName=name, Qualifier="1") == absent
    update = aws.update_function_event_invoke_config
    assert error_of(update, FunctionName=f"{name}:1", MaximumRetryAttempts=1) == absent


def test_the_errors_of_aws(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    put, update = aws.put_function_event_invoke_config, aws.update_function_event_invoke_config
    arn = aws.get_function_configuration(FunctionName="hello")["FunctionArn"]
    for operation in (put, update):
        for name in ("absent", "hello:absent", "hello:2"):
            assert error_of(operation, FunctionName=name, MaximumRetryAttempts=1) == NO_FUNCTION
        assert error_of(operation, FunctionName="hello")[1:] == (
            "InvalidParameterValueException",
            "You must specify at least one of error handling or destination setting.",
        )
    assert error_of(aws.list_function_event_invoke_configs, FunctionName="absent") == NO_FUNCTION
    texts = {
        arn: "You can't specify the function as a destination for itself.",
        arn + "-absent": f"The destination ARN {arn}-absent is invalid.",
        "arn:aws:s3:::b": (
            "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination="
            "arn:aws:s3:::b), onFailure=null) is invalid."
        ),
    }
    for destination, text in texts.items():
        config = {"OnSuccess": {"Destination": destination}}
        assert error_of(put, FunctionName="hello", DestinationConfig=config) == (
            400,
            "InvalidParameterValueException",
            text,
        )
    assert error_of(put, FunctionName="hello:1", Qualifier="live", MaximumRetryAttempts=1) == (
        400,
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )
    assert error_of(put, FunctionName="hello", MaximumRetryAttempts=3)[:2] == (
        400,
        "ValidationException",
    )
