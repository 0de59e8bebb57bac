"""Buckets, and users who talk to S3 with boto3."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambdad.testing.daemon import DaemonProcess

_NUMBERS = itertools.count(1)


def client_of(
    service: str, endpoint_url: str, *, region: str = "us-east-1", account: str = "test", **s3: Any
) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="any",
        config=Config(
            retries={"max_attempts": 0},
            max_pool_connections=32,
            signature_version="s3v4" if service == "s3" else None,
            s3=s3 or None,
        ),
    )


@pytest.fixture
def s3(daemon: DaemonProcess) -> Any:
    return client_of("s3", daemon.endpoint_url)


@pytest.fixture
def make_client(daemon: DaemonProcess) -> Callable[..., Any]:
    """Makes clients of other services."""
    return lambda service: client_of(service, daemon.endpoint_url)


@pytest.fixture
def stranger(daemon: DaemonProcess) -> Any:
    """A user of another account."""
    return client_of("s3", daemon.endpoint_url, account="222222222222")


@pytest.fixture
def west(daemon: DaemonProcess) -> Any:
    """A user in another region."""
    return client_of("s3", daemon.endpoint_url, region="eu-west-1")


@pytest.fixture
def a_bucket() -> Callable[[], str]:
    """Names of buckets that nobody else uses."""
    return lambda: f"bucket-{next(_NUMBERS)}"


@pytest.fixture
def bucket(s3: Any, a_bucket: Callable[[], str]) -> str:
    """A bucket that nobody else uses."""
    name = a_bucket()
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """A bucket that keeps versions."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket
