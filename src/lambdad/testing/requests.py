"""Requests for functions, and what comes back of them, for tests through boto3."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Any

from botocore.exceptions import ClientError

from lambdad.testing.controlplane import a_zip

ROLE_ARN = "arn:aws:iam::000000000000:role/r"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:hello"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def a_request(**members: Any) -> dict[str, Any]:
    """Parameters of `create_function` for a function `hello`, but for the given ones."""
    return {
        "FunctionName": "hello",
        "Runtime": "python3.12",
        "Handler": "app.handler",
        "Role": ROLE_ARN,
        "Code": {"ZipFile": a_zip()},
        **members,
    }


async def error_of(call: Awaitable[Any]) -> tuple[int, str, str]:
    """Status, code and message of the error that the call must end in."""
    try:
        answer = await call
    except ClientError as error:
        metadata = error.response["ResponseMetadata"]
        assert UUID.fullmatch(metadata["RequestId"])
        wire = error.response["Error"]
        return metadata["HTTPStatusCode"], wire["Code"], wire["Message"]
    raise AssertionError(f"no error but {answer}")
