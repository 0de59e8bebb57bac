"""Streams, and users who talk to Kinesis with boto3."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess

_NUMBERS = itertools.count(1)


def kinesis_client(endpoint_url: str, *, region: str = "us-east-1", account: str = "test") -> Any:
    return boto3.client(
        "kinesis",
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, inject_host_prefix=False),
    )


@pytest.fixture
def kinesis(daemon: DaemonProcess) -> Any:
    return kinesis_client(daemon.endpoint_url)


@pytest.fixture
def stream(kinesis: Any) -> Callable[..., str]:
    """Makes streams that nobody else uses; returns the name."""

    def make(shards: int = 1, **params: Any) -> str:
        name = f"s-{next(_NUMBERS)}"
        kinesis.create_stream(StreamName=name, ShardCount=shards, **params)
        return name

    return make


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    """Return code and text of the error that a call must end with."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def read_all(kinesis: Any, name: str, shard_id: str, **start: Any) -> list[dict[str, Any]]:
    """Read a shard from a place until it has no more."""
    kind = start.pop("kind", "TRIM_HORIZON")
    iterator = kinesis.get_shard_iterator(
        StreamName=name, ShardId=shard_id, ShardIteratorType=kind, **start
    )["ShardIterator"]
    records: list[dict[str, Any]] = []
    while iterator:
        answer = kinesis.get_records(ShardIterator=iterator)
        records += answer["Records"]
        iterator = answer.get("NextShardIterator")
        if not answer["Records"]:
            break
    return records
