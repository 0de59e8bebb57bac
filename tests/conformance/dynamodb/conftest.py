"""Tables, and users who talk to DynamoDB with boto3."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambdad.testing.daemon import DaemonProcess

_NUMBERS = itertools.count(1)


def aws_client(
    service: str, endpoint_url: str, *, region: str = "us-east-1", account: str = "test"
) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, max_pool_connections=32),
    )


@pytest.fixture
def dynamodb(daemon: DaemonProcess) -> Any:
    return aws_client("dynamodb", daemon.endpoint_url)


@pytest.fixture
def streams(daemon: DaemonProcess) -> Any:
    return aws_client("dynamodbstreams", daemon.endpoint_url)


@pytest.fixture
def resource(daemon: DaemonProcess) -> Any:
    """DynamoDB as boto3's resource, which turns Python's types into DynamoDB's."""
    return boto3.resource(
        "dynamodb",
        endpoint_url=daemon.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
    )


def schema(hash_key: str, range_key: str | None = None) -> list[dict[str, str]]:
    found = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    if range_key is not None:
        found.append({"AttributeName": range_key, "KeyType": "RANGE"})
    return found


@pytest.fixture
def table(dynamodb: Any) -> Callable[..., str]:
    """Makes tables that nobody else uses; returns the name."""

    def make(hash_key: str = "id:S", range_key: str | None = None, **params: Any) -> str:
        name = f"table-{next(_NUMBERS)}"
        keys = [hash_key, *([range_key] if range_key else []), *params.pop("attributes", ())]
        split = [key.split(":") for key in keys]
        dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": kind} for key, kind in split
            ],
            KeySchema=schema(*(key for key, _ in split[: 2 if range_key else 1])),
            **{"BillingMode": "PAY_PER_REQUEST", **params},
        )
        return name

    return make
