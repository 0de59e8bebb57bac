"""Users of API Gateway who make REST APIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess

Refused = Callable[..., str]


def client_of(daemon: DaemonProcess, account_id: str = "000000000000", **options: Any) -> Any:
    """A client in an account."""
    return boto3.client(
        "apigateway",
        endpoint_url=daemon.endpoint_url,
        region_name=options.pop("region", "us-east-1"),
        aws_access_key_id=account_id,
        aws_secret_access_key="test",
    )


@pytest.fixture(scope="session")
def clients() -> Callable[..., Any]:
    """Makes clients of a daemon."""
    return client_of


@pytest.fixture(scope="session")
def gateway(daemon: DaemonProcess) -> Any:
    return client_of(daemon)


@pytest.fixture
def api(gateway: Any) -> Iterator[dict[str, Any]]:
    """An API with nothing in it."""
    made = gateway.create_rest_api(name="rest-api-of-tests")
    yield made
    gateway.delete_rest_api(restApiId=made["id"])


@pytest.fixture
def mocked(gateway: Any, api: dict[str, Any]) -> dict[str, Any]:
    """An API whose root answers GET by itself."""
    where = {
        "restApiId": api["id"],
        "resourceId": api["rootResourceId"],
        "httpMethod": "GET",
    }
    gateway.put_method(**where, authorizationType="NONE")
    gateway.put_integration(**where, type="MOCK")
    return api


@pytest.fixture
def refused() -> Refused:
    """Returns the code and text with which a call is refused."""

    def call(operation: Callable[..., Any], **params: Any) -> str:
        with pytest.raises(ClientError) as error:
            operation(**params)
        found = error.value.response["Error"]
        return f"{found['Code']}: {found['Message']}"

    return call
