"""Queues, and users who talk to SQS with boto3."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambdad.testing.daemon import DaemonProcess

_NUMBERS = itertools.count(1)


def sqs_client(endpoint_url: str, *, region: str = "us-east-1", account: str = "test") -> Any:
    return boto3.client(
        "sqs",
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, max_pool_connections=32),
    )


@pytest.fixture
def sqs(daemon: DaemonProcess) -> Any:
    return sqs_client(daemon.endpoint_url)


@pytest.fixture
def queue(sqs: Any) -> Callable[..., str]:
    """Makes queues that nobody else uses; returns the URL."""

    def make(*, fifo: bool = False, **attributes: str) -> str:
        name = f"of-sqs-tests-{next(_NUMBERS)}{'.fifo' if fifo else ''}"
        given = {**attributes, **({"FifoQueue": "true"} if fifo else {})}
        url: str = sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]
        return url

    return make


@pytest.fixture
def arn_of(sqs: Any) -> Callable[[str], str]:
    def find(url: str) -> str:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        arn: str = found["Attributes"]["QueueArn"]
        return arn

    return find
