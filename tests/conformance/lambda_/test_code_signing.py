"""Code signing, recursion and runtime management over the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

ErrorOf = Callable[..., tuple[int, str, str]]
Request = Callable[..., dict[str, Any]]
PUBLISHERS = {
    "SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/test"]
}


@pytest.fixture
def deployed(lonely: Deployer, a_request: Request) -> Iterator[Deployer]:
    """A function with version 1."""
    lonely.lambda_.create_function(**a_request())
    lonely.lambda_.get_waiter("function_active_v2").wait(FunctionName="hello")
    lonely.lambda_.publish_version(FunctionName="hello")
    yield lonely
    lonely.lambda_.delete_function(FunctionName="hello")


def absent_config(user: Deployer) -> str:
    account = user.sts.get_caller_identity()["Account"]
    return f"arn:aws:lambda:us-east-1:{account}:code-signing-config:csc-00000000000000000"


def test_a_configuration_lives_as_on_aws(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    answer = aws.create_code_signing_config(AllowedPublishers=PUBLISHERS, Description="d")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    config = answer["CodeSigningConfig"]
    arn, config_id = config["CodeSigningConfigArn"], config["CodeSigningConfigId"]
    assert re.fullmatch(r"csc-[a-z0-9]{17}", config_id)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", config["LastModified"])
    assert config == {
        "CodeSigningConfigId": config_id,
        "CodeSigningConfigArn": absent_config(deployed).rpartition(":")[0] + f":{config_id}",
        "Description": "d",
        "AllowedPublishers": PUBLISHERS,
        "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"},
        "LastModified": config["LastModified"],
    }
    assert aws.get_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"] == config
    same = aws.update_code_signing_config(CodeSigningConfigArn=arn)["CodeSigningConfig"]
    assert same == config
    changed = aws.update_code_signing_config(CodeSigningConfigArn=arn, Description="e")
    assert changed["CodeSigningConfig"]["Description"] == "e"
    assert aws.list_code_signing_configs()["CodeSigningConfigs"] == [changed["CodeSigningConfig"]]
    put = aws.put_function_code_signing_config(FunctionName="hello", CodeSigningConfigArn=arn)
    assert (put["CodeSigningConfigArn"], put["FunctionName"]) == (arn, "hello")
    got = aws.get_function_code_signing_config(FunctionName="hello")
    assert (got["CodeSigningConfigArn"], got["FunctionName"]) == (arn, "hello")
    users = aws.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)["FunctionArns"]
    assert [user.rpartition(":")[2] for user in users] == ["hello"]
    status, code, _ = error_of(aws.delete_code_signing_config, CodeSigningConfigArn=arn)
    assert (status, code) == (409, "ResourceConflictException")
    for _ in range(2):
        gone = aws.delete_function_code_signing_config(FunctionName="hello")
        assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "CodeSigningConfigArn" not in aws.get_function_code_signing_config(FunctionName="hello")
    gone = aws.delete_code_signing_config(CodeSigningConfigArn=arn)
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert aws.list_code_signing_configs()["CodeSigningConfigs"] == []


def test_what_is_not_there_is_not_found(deployed: Deployer, error_of: ErrorOf) -> None:
    aws, absent = deployed.lambda_, absent_config(deployed)
    for operation in (
        aws.get_code_signing_config,
        aws.update_code_signing_config,
        aws.delete_code_signing_config,
        aws.list_functions_by_code_signing_config,
    ):
        assert error_of(operation, CodeSigningConfigArn=absent) == (
            404,
            "ResourceNotFoundException",
            f"The Lambda code signing configuration {absent} can not be found.",
        )
    for name in ("hello", "absent"):
        put = aws.put_function_code_signing_config
        assert error_of(put, FunctionName=name, CodeSigningConfigArn=absent) == (
            404,
            "CodeSigningConfigNotFoundException",
            (
                "The code signing configuration cannot be found. Check that the provided "
                f"configuration is not deleted: {absent}."
            ),
        )
    function = absent.replace("code-signing-config:csc-00000000000000000", "function:absent")
    for operation in (
        aws.get_function_code_signing_config,
        aws.delete_function_code_signing_config,
    ):
        assert error_of(operation, FunctionName="absent") == (
            404,
            "ResourceNotFoundException",
            f"Function not found: {function}",
        )


def test_a_function_is_created_under_a_configuration(
    lonely: Deployer, a_request: Request, error_of: ErrorOf
) -> None:
    aws = lonely.lambda_
    assert error_of(aws.create_function, **a_request(), CodeSigningConfigArn=absent_config(lonely))[
        :2
    ] == (404, "CodeSigningConfigNotFoundException")
    config = aws.create_code_signing_config(AllowedPublishers=PUBLISHERS)["CodeSigningConfig"]
    arn = config["CodeSigningConfigArn"]
    aws.create_function(**a_request(), CodeSigningConfigArn=arn)
    got = aws.get_function_code_signing_config(FunctionName="hello")
    assert got["CodeSigningConfigArn"] == arn
    aws.get_waiter("function_active_v2").wait(FunctionName="hello")
    aws.update_code_signing_config(
        CodeSigningConfigArn=arn, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )
    package = a_request()["Code"]
    status, code, text = error_of(aws.update_function_code, FunctionName="hello", **package)
    assert (status, code) == (400, "CodeVerificationFailedException")
    assert "set UntrustedArtifactOnDeployment to Warn" in text
    refused = error_of(aws.create_function, **a_request("other"), CodeSigningConfigArn=arn)
    assert refused[:2] == (400, "CodeVerificationFailedException")
    aws.delete_function(FunctionName="hello")
    users = aws.list_functions_by_code_signing_config(CodeSigningConfigArn=arn)
    assert users["FunctionArns"] == []


def test_configurations_have_tags_and_pages(lonely: Deployer) -> None:
    aws = lonely.lambda_
    arns = [
        aws.create_code_signing_config(AllowedPublishers=PUBLISHERS, Tags={"a": "1"})[
            "CodeSigningConfig"
        ]["CodeSigningConfigArn"]
        for _ in range(3)
    ]
    aws.tag_resource(Resource=arns[0], Tags={"b": "2"})
    aws.untag_resource(Resource=arns[0], TagKeys=["a"])
    assert aws.list_tags(Resource=arns[0])["Tags"] == {"b": "2"}
    pages = aws.get_paginator("list_code_signing_configs").paginate(
        PaginationConfig={"PageSize": 2}
    )
    listed = [
        [config["CodeSigningConfigArn"] for config in page["CodeSigningConfigs"]] for page in pages
    ]
    assert [len(page) for page in listed] == [2, 1]
    assert sorted(arns) == [arn for page in listed for arn in page]


def test_loops_are_configured_per_function(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    assert aws.get_function_recursion_config(FunctionName="hello")["RecursiveLoop"] == "Terminate"
    put = aws.put_function_recursion_config(FunctionName="hello", RecursiveLoop="Allow")
    assert put["RecursiveLoop"] == "Allow"
    assert aws.get_function_recursion_config(FunctionName="hello")["RecursiveLoop"] == "Allow"
    status, code, text = error_of(aws.get_function_recursion_config, FunctionName="absent")
    assert (status, code) == (404, "ResourceNotFoundException")
    assert text.startswith("Function not found: ")
    status, code, _ = error_of(
        aws.put_function_recursion_config, FunctionName="hello", RecursiveLoop="Maybe"
    )
    assert (status, code) == (400, "ValidationException")


def test_runtimes_are_managed_per_version(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    arn = aws.get_function_configuration(FunctionName="hello")["FunctionArn"]
    got = aws.get_runtime_management_config(FunctionName="hello")
    assert (got["UpdateRuntimeOn"], got["FunctionArn"]) == ("Auto", arn)
    assert "RuntimeVersionArn" not in got
    version = f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}"
    put = aws.put_runtime_management_config(
        FunctionName="hello", Qualifier="1", UpdateRuntimeOn="Manual", RuntimeVersionArn=version
    )
    assert (put["RuntimeVersionArn"], put["FunctionArn"]) == (version, f"{arn}:1")
    got = aws.get_runtime_management_config(FunctionName="hello", Qualifier="1")
    assert (got["UpdateRuntimeOn"], got["RuntimeVersionArn"]) == ("Manual", version)
    assert aws.get_runtime_management_config(FunctionName="hello")["UpdateRuntimeOn"] == "Auto"
    put = aws.put_runtime_management_config
    assert error_of(put, FunctionName="hello", UpdateRuntimeOn="Manual")[:2] == (
        400,
        "InvalidParameterValueException",
    )
    assert error_of(put, FunctionName="hello:2", UpdateRuntimeOn="Auto") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {arn}:2",
    )
