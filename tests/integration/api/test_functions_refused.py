"""What of a function cannot be created or changed, in the words of AWS."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.testing.clients import Client
from lambdad.testing.requests import a_request, error_of


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"EphemeralStorage": {"Size": 513}},
            "SnapStart is not supported for functions with ephemeral storage greater than 512 MB.",
        ),
        (
            {
                "FileSystemConfigs": [
                    {
                        "Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/"
                        "fsap-01234567890123456",
                        "LocalMountPath": "/mnt/data",
                    }
                ]
            },
            "SnapStart is not supported for functions with FileSystemConfigs.",
        ),
    ],
)
async def test_snapstart_excludes_what_no_snapshot_can_hold(
    aws: Client, given: dict[str, Any], message: str
) -> None:
    asked = {"ApplyOn": "PublishedVersions"}
    refused = await error_of(aws.create_function(**a_request(SnapStart=asked, **given)))
    assert refused == (400, "InvalidParameterValueException", message)
    await aws.create_function(**a_request(**given))
    update = aws.update_function_configuration(FunctionName="hello", SnapStart=asked)
    assert await error_of(update) == (400, "InvalidParameterValueException", message)


async def test_a_stale_revision_answers_412(aws: Client) -> None:
    created = await aws.create_function(**a_request())
    await aws.get_function(FunctionName="hello")
    status, code, message = await error_of(
        aws.update_function_configuration(FunctionName="hello", RevisionId=created["RevisionId"])
    )
    assert (status, code) == (412, "PreconditionFailedException")
    assert message == (
        "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetFunction/GetAlias API to retrieve the latest Revision Id"
    )


async def test_creating_twice_answers_409(aws: Client) -> None:
    await aws.create_function(**a_request())
    assert await error_of(aws.create_function(**a_request())) == (
        409,
        "ResourceConflictException",
        "Function already exist: hello",
    )


@pytest.mark.parametrize(
    ("members", "status", "code", "message"),
    [
        (
            {"Runtime": "cobol85"},
            400,
            "InvalidParameterValueException",
            (
                "Value cobol85 at 'runtime' failed to satisfy constraint: Member must satisfy enum "
                "value set: [python3.12, nodejs22.x] or be a valid ARN"
            ),
        ),
        (
            {"Runtime": "nodejs12.x"},
            400,
            "InvalidParameterValueException",
            (
                "The runtime parameter of nodejs12.x is no longer supported for creating or "
                "updating AWS Lambda functions. We recommend you use a supported runtime while "
                "creating or updating functions."
            ),
        ),
        (
            {"Timeout": 901},
            400,
            "ValidationException",
            (
                "1 validation error detected: Value '901' at 'timeout' failed to satisfy "
                "constraint: Member must have value less than or equal to 900"
            ),
        ),
        (
            {"PackageType": "Image", "Code": {"ImageUri": "i"}},
            400,
            "InvalidParameterValueException",
            (
                "Please don't provide Handler or Runtime or Layer when the intended function "
                "PackageType is Image."
            ),
        ),
        (
            {
                "CodeSigningConfigArn": "arn:aws:lambda:us-east-1:000000000000:code-signing-config:"
                "csc-0123456789abcdef0"
            },
            404,
            "CodeSigningConfigNotFoundException",
            (
                "The code signing configuration cannot be found. Check that the provided "
                "configuration is not deleted: "
                "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0."
            ),
        ),
        (
            {"Code": {"ZipFile": b"no zip"}},
            400,
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        (
            {"Code": {"ZipFile": bytes(52_428_801)}},
            413,
            "RequestEntityTooLargeException",
            "Zipped size must be smaller than 52428800 bytes",
        ),
        (
            {"Code": {"ZipFile": bytes(53_000_000)}},
            413,
            "RequestEntityTooLargeException",
            "Request must be smaller than 70167211 bytes for the CreateFunction operation",
        ),
        (
            {"Code": {"S3Bucket": "bbb", "S3Key": "k", "SourceKMSKeyArn": "arn:aws:kms:r:a:key/k"}},
            400,
            "NotImplementedException",
            "lambdad does not support SourceKMSKeyArn for function code yet. Leave it out.",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_cannot_be_created_is_refused(
    aws: Client, members: dict[str, Any], status: int, code: str, message: str
) -> None:
    assert await error_of(aws.create_function(**a_request(**members))) == (status, code, message)
    assert (await aws.list_functions())["Functions"] == []


async def test_a_failure_of_lambdad_is_opaque_to_the_caller_and_full_in_the_log(
    endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    aws = endpoint.client()
    await aws.create_function(**a_request())
    endpoint.invoker.failure = RuntimeError("the secret cause")
    status, code, message = await error_of(aws.invoke(FunctionName="hello"))
    assert (status, code) == (500, "ServiceException")
    assert "secret cause" not in message
    assert b"Traceback" not in aws.responses[-1].body
    assert "the secret cause" in caplog.text
    assert aws.responses[-1].headers["x-amzn-RequestId"] in caplog.text
