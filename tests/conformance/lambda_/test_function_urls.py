"""Function URL configurations over the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

ErrorOf = Callable[..., tuple[int, str, str]]
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
NO_FUNCTION = (404, "ResourceNotFoundException", "Function does not exist")
NO_URL = (404, "ResourceNotFoundException", "The resource you requested does not exist.")


@pytest.fixture
def deployed(lonely: Deployer, a_request: Callable[..., dict[str, Any]]) -> Iterator[Deployer]:
    """A function with a version and the alias `live`."""
    lonely.lambda_.create_function(**a_request())
    lonely.lambda_.get_waiter("function_active_v2").wait(FunctionName="hello")
    lonely.lambda_.publish_version(FunctionName="hello")
    lonely.lambda_.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    yield lonely
    lonely.lambda_.delete_function(FunctionName="hello")


def members(answer: dict[str, Any], status: int = 200) -> dict[str, Any]:
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == status
    for name in ("CreationTime", "LastModifiedTime"):
        if name in answer:
            assert STAMP.fullmatch(answer.pop(name))
    return answer


def test_a_url_lives_as_on_aws(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    arn = aws.get_function_configuration(FunctionName="hello")["FunctionArn"]
    created = aws.create_function_url_config(FunctionName="hello", AuthType="NONE")
    assert "LastModifiedTime" not in created
    made = members(created, 201)
    port = aws.meta.endpoint_url.rpartition(":")[2]
    assert re.fullmatch(
        rf"http://[a-z2-7]{{32}}\.lambda-url\.us-east-1\.localhost:{port}/", made["FunctionUrl"]
    )
    assert made == {"FunctionUrl": made["FunctionUrl"], "FunctionArn": arn, "AuthType": "NONE"}
    assert error_of(aws.create_function_url_config, FunctionName="hello", AuthType="NONE") == (
        409,
        "ResourceConflictException",
        (
            f"Failed to create function url config for [functionArn = {arn}]. Error message:  "
            "FunctionUrlConfig exists for this Lambda function"
        ),
    )
    got = members(aws.get_function_url_config(FunctionName="hello"))
    assert got == {**made, "InvokeMode": "BUFFERED"}
    updated = members(aws.update_function_url_config(FunctionName="hello", AuthType="AWS_IAM"))
    assert updated == {**made, "AuthType": "AWS_IAM"}
    gone = aws.delete_function_url_config(FunctionName="hello")
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error_of(aws.get_function_url_config, FunctionName="hello") == NO_URL
    assert error_of(aws.delete_function_url_config, FunctionName="hello") == NO_URL
    assert error_of(aws.update_function_url_config, FunctionName="hello") == NO_URL


def test_cors_is_read_back_as_it_was_set_and_can_be_removed(deployed: Deployer) -> None:
    aws = deployed.lambda_
    cors = {
        "AllowCredentials": True,
        "AllowHeaders": ["Date"],
        "AllowMethods": ["GET", "POST"],
        "AllowOrigins": ["https://example.com"],
        "ExposeHeaders": ["keep-alive"],
        "MaxAge": 86400,
    }
    made = aws.create_function_url_config(
        FunctionName="hello", AuthType="NONE", Cors=cors, InvokeMode="RESPONSE_STREAM"
    )
    assert (made["Cors"], made["InvokeMode"]) == (cors, "RESPONSE_STREAM")
    got = aws.get_function_url_config(FunctionName="hello")
    assert (got["Cors"], got["InvokeMode"]) == (cors, "RESPONSE_STREAM")
    aws.update_function_url_config(FunctionName="hello", Cors={"MaxAge": 0})
    assert aws.get_function_url_config(FunctionName="hello")["Cors"] == {"MaxAge": 0}
    aws.update_function_url_config(FunctionName="hello", Cors={})
    assert "Cors" not in aws.get_function_url_config(FunctionName="hello")


def test_an_alias_has_a_url_of_its_own(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    live = aws.create_function_url_config(FunctionName="hello", Qualifier="live", AuthType="NONE")
    assert live["FunctionArn"].endswith(":function:hello:live")
    own = aws.create_function_url_config(FunctionName="hello", AuthType="NONE")
    pages = aws.get_paginator("list_function_url_configs").paginate(
        FunctionName="hello", PaginationConfig={"PageSize": 1}
    )
    listed = [[url["FunctionUrl"] for url in page["FunctionUrlConfigs"]] for page in pages]
    assert listed == [[own["FunctionUrl"]], [live["FunctionUrl"]]]
    aws.delete_function_url_config(FunctionName="hello")
    got = aws.get_function_url_config(FunctionName="hello:live")
    assert got["FunctionUrl"] == live["FunctionUrl"]
    aws.delete_alias(FunctionName="hello", Name="live")
    assert error_of(aws.get_function_url_config, FunctionName="hello", Qualifier="live") == NO_URL


@pytest.mark.parametrize("qualifier", ["1", "$LATEST"])
def test_versions_have_no_url(deployed: Deployer, error_of: ErrorOf, qualifier: str) -> None:
    status, code, text = error_of(
        deployed.lambda_.create_function_url_config,
        FunctionName="hello",
        Qualifier=qualifier,
        AuthType="NONE",
    )
    assert (status, code) == (400, "ValidationException")
    assert text == (
        f"1 validation error detected: Value '{qualifier}' at 'qualifier' failed to satisfy "
        r"constraint: Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)"
    )


def test_what_does_not_exist_has_no_url(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    for name in ("absent", "hello:absent"):
        create = error_of(aws.create_function_url_config, FunctionName=name, AuthType="NONE")
        assert create == NO_FUNCTION
        assert error_of(aws.update_function_url_config, FunctionName=name) == NO_FUNCTION
        assert error_of(aws.get_function_url_config, FunctionName=name) == NO_URL
        assert error_of(aws.delete_function_url_config, FunctionName=name) == NO_URL
    assert error_of(aws.list_function_url_configs, FunctionName="absent") == NO_FUNCTION


def test_a_url_goes_with_its_function(
    deployed: Deployer, a_request: Callable[..., dict[str, Any]], error_of: ErrorOf
) -> None:
    aws = deployed.lambda_
    aws.create_function_url_config(FunctionName="hello", AuthType="NONE")
    aws.delete_function(FunctionName="hello")
    aws.create_function(**a_request())
    assert error_of(aws.get_function_url_config, FunctionName="hello") == NO_URL
