"""What cannot be created, and the words of AWS for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer, zip_of
from lambdad.testing.raw_calls import raw

pytestmark = [pytest.mark.root, pytest.mark.slow]

PACKAGE = zip_of({"app.py": "def handler(event, context):\n    return event\n"})

Request = Callable[..., dict[str, Any]]

NOT_A_RUNTIME = (
    "at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, "
)
REFUSED: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "unknown runtime": (
        {"Runtime": "cobol85"},
        400,
        "InvalidParameterValueException",
        f"Value cobol85 {NOT_A_RUNTIME}",
    ),
    "wrong case of a runtime": (
        {"Runtime": "Python3.12"},
        400,
        "InvalidParameterValueException",
        f"Value Python3.12 {NOT_A_RUNTIME}",
    ),
    "retired runtime": (
        {"Runtime": "nodejs10.x"},
        400,
        "InvalidParameterValueException",
        (
            "The runtime parameter of nodejs10.x is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        ),
    ),
    "no runtime": (
        {"Runtime": None},
        400,
        "InvalidParameterValueException",
        (
            "Runtime and Handler are mandatory parameters for functions created with deployment "
            "packages."
        ),
    ),
    "timeout": (
        {"Timeout": 901},
        400,
        "ValidationException",
        (
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: "
            "Member must have value less than or equal to 900"
        ),
    ),
    "no time": (
        {"Timeout": 0},
        400,
        "ValidationException",
        (
            "1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"
        ),
    ),
    "memory": (
        {"MemorySize": 127},
        400,
        "ValidationException",
        (
            "1 validation error detected: Value '127' at 'memorySize' failed to satisfy "
            "constraint: Member must have value greater than or equal to 128"
        ),
    ),
    "handler": (
        {"Handler": "app handler"},
        400,
        "ValidationException",
        (
            "1 validation error detected: Value 'app handler' at 'handler' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [^\\s]+"
        ),
    ),
    "two things": (
        {"Timeout": 0, "Description": "x" * 257},
        400,
        "ValidationException",
        "2 validation errors detected: Value '",
    ),
    "package type": (
        {"PackageType": "Rpm"},
        400,
        "ValidationException",
        (
            "1 validation error detected: Value 'Rpm' at 'packageType' failed to satisfy "
            "constraint: Member must satisfy enum value set: ["
        ),
    ),
    "role": (
        {"Role": "me"},
        400,
        "ValidationException",
        (
            "1 validation error detected: Value 'me' at 'role' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: arn:"
        ),
    ),
    "variables": (
        {"Environment": {"Variables": {"KEY": "x" * 4096}}},
        400,
        "InvalidParameterValueException",
        (
            "Lambda was unable to configure your environment variables because the environment "
            'variables you have provided exceeded the 4KB limit. String measured: {"KEY":"xxx'
        ),
    ),
    "tags": (
        {"Tags": {f"k{n}": "" for n in range(51)}},
        400,
        "InvalidParameterValueException",
        "Number of tags exceeds resource tag limit.",
    ),
    "no code": (
        {"Code": {}},
        400,
        "InvalidParameterValueException",
        "Please provide a source for function code.",
    ),
    "code twice": (
        {"Code": {"ZipFile": PACKAGE, "S3Bucket": "bucket", "S3Key": "k"}},
        400,
        "InvalidParameterValueException",
        "Please do not provide other FunctionCode parameters when providing a ZipFile.",
    ),
    "name": (
        {"FunctionName": "no spaces"},
        400,
        "ValidationException",
        (
            "1 validation error detected: Value 'no spaces' at 'functionName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: "
        ),
    ),
    "long name": (
        {"FunctionName": "x" * 65},
        400,
        "InvalidParameterValueException",
        "1 validation error detected: Value '",
    ),
    "very long name": (
        {"FunctionName": "x" * 141},
        400,
        "ValidationException",
        "1 validation error detected: Value '",
    ),
    "another region": (
        {"FunctionName": "arn:aws:lambda:eu-west-1:000000000000:function:f"},
        404,
        "ResourceNotFoundException",
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    ),
    "another account": (
        {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:f"},
        403,
        "AccessDeniedException",
        "",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_created_is_refused_in_the_words_of_aws(
    lonely: Deployer, a_request: Request, case: str
) -> None:
    members, status, code, message = REFUSED[case]
    request = a_request(**members)
    request["Code"] = {
        key: base64.b64encode(value).decode() if key == "ZipFile" else value
        for key, value in request["Code"].items()
    }
    body = json.dumps({key: value for key, value in request.items() if value is not None})
    account = lonely.sts.get_caller_identity()["Account"]
    signed = (
        f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/lambda/aws4_request, "
        "SignedHeaders=host, Signature=0"
    )
    got, headers, content = raw(
        lonely.lambda_.meta.endpoint_url,
        "POST",
        "/2015-03-31/functions",
        body.encode(),
        Authorization=signed,
    )
    assert (got, headers["x-amzn-errortype"]) == (status, code), content
    document = json.loads(content)
    text = document.get("message", document.get("Message"))
    assert text.startswith(message), text
    assert lonely.lambda_.list_functions()["Functions"] == []
