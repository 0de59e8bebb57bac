"""Requests to the Lambda API and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.deploy import ROLE, zip_of

PACKAGE = zip_of({"app.py": "def handler(event, context):\n    return event\n"})


@pytest.fixture
def a_request() -> Callable[..., dict[str, Any]]:
    """Parameters of `create_function`, but for the given ones."""

    def request(name: str = "hello", **members: Any) -> dict[str, Any]:
        return {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Role": ROLE,
            "Code": {"ZipFile": PACKAGE},
            **members,
        }

    return request


@pytest.fixture
def error_of() -> Callable[..., tuple[int, str, str]]:
    """Status, code and message of the error that a call must end in."""

    def error(call: Callable[..., Any], **params: Any) -> tuple[int, str, str]:
        with pytest.raises(ClientError) as refused:
            call(**params)
        response = refused.value.response
        status = response["ResponseMetadata"]["HTTPStatusCode"]
        return status, response["Error"]["Code"], response["Error"]["Message"]

    return error
