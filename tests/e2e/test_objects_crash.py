"""S3 loses nothing that it acknowledged, and tells of all of it, whenever the daemon is killed."""

from __future__ import annotations

import hashlib
import json
import random
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambdad.testing.asking import linger
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.policies import OPEN

KILLS = 4
ALIVE_S = (0.3, 1.0)
# In the database, in a file that comes through memory, in a file that came as one.
SIZES = (100, 100_000, 600_000)
WRITERS = 3


def client(service: str, endpoint_url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30),
    )


class Writer:
    """Puts, replaces and deletes objects until the daemon dies. Mutable: what was acknowledged."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.stored: dict[str, str] = {}
        self.created: set[str] = set()
        self.unknown: set[str] = set()

    def run(self, endpoint_url: str, life: int) -> None:
        s3 = client("s3", endpoint_url)
        chance = random.Random(life * 10 + self.number)  # noqa: S311 - any bytes do
        for count in range(100_000):
            key = f"w{self.number}/{life}/{count % 7}"
            self.unknown.add(key)
            try:
                if count % 5 == 4 and key in self.stored:
                    s3.delete_object(Bucket="ledger", Key=key)
                    del self.stored[key]
                else:
                    body = chance.randbytes(SIZES[count % len(SIZES)])
                    etag = s3.put_object(Bucket="ledger", Key=key, Body=body)["ETag"]
                    self.stored[key] = hashlib.md5(body, usedforsecurity=False).hexdigest()
                    self.created.add(etag.strip('"'))
            except (BotoCoreError, ClientError):
                return
            self.unknown.discard(key)


@pytest.mark.slow
def test_what_was_acknowledged_is_there_and_was_told_of(tmp_path: Path) -> None:
    chance = random.Random(20_261_121)  # noqa: S311 - which instants does not matter
    writers = [Writer(number) for number in range(WRITERS)]
    for life in range(KILLS):
        daemon = DaemonProcess(tmp_path, "--backend", "process").start()
        if life == 0:
            prepare(daemon.endpoint_url)
        threads = [
            threading.Thread(target=writer.run, args=(daemon.endpoint_url, life))
            for writer in writers
        ]
        for thread in threads:
            thread.start()
        least = 2 * (life + 1)
        linger(
            chance.uniform(*ALIVE_S),
            lambda: sum(len(writer.created) for writer in writers) >= least,  # noqa: B023 - now
        )
        daemon.kill()
        for thread in threads:
            thread.join()
    with DaemonProcess(tmp_path, "--backend", "process") as daemon:
        s3 = client("s3", daemon.endpoint_url)
        for writer in writers:
            check(s3, writer)
        told = notified(daemon.endpoint_url)
    created = set[str]().union(*(writer.created for writer in writers))
    assert len(created) > KILLS
    assert created <= told
    assert not list((tmp_path / "neighbours/s3/incoming").iterdir())


def prepare(endpoint_url: str) -> None:
    s3, sqs = client("s3", endpoint_url), client("sqs", endpoint_url)
    sqs.create_queue(QueueName="q", Attributes=OPEN)
    s3.create_bucket(Bucket="ledger")
    configuration = {
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
        "Events": ["s3:ObjectCreated:*"],
    }
    s3.put_bucket_notification_configuration(
        Bucket="ledger", NotificationConfiguration={"QueueConfigurations": [configuration]}
    )


def check(s3: Any, writer: Writer) -> None:
    """Every object is what was acknowledged last."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="ledger", Prefix=f"w{writer.number}/"
    )
    listed = {each["Key"] for page in pages for each in page.get("Contents", ())}
    assert listed - writer.unknown == writer.stored.keys() - writer.unknown
    for key in listed:
        found = s3.get_object(Bucket="ledger", Key=key)
        digest = hashlib.md5(found["Body"].read(), usedforsecurity=False).hexdigest()
        assert found["ETag"] == f'"{digest}"'
        if key not in writer.unknown:
            assert digest == writer.stored[key]


def notified(endpoint_url: str) -> set[str]:
    """Return the ETags that the queue was told of."""
    sqs, found = client("sqs", endpoint_url), set()
    while True:
        answer = sqs.receive_message(
            QueueUrl="/000000000000/q", MaxNumberOfMessages=10, WaitTimeSeconds=3
        )
        if not answer.get("Messages"):
            return found
        for message in answer["Messages"]:
            for record in json.loads(message["Body"]).get("Records", ()):
                assert unquote_plus(record["s3"]["object"]["key"]).startswith("w")
                found.add(record["s3"]["object"]["eTag"])
