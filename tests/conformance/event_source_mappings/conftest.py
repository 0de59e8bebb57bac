"""Queues, functions that note what they got, and mappings between them."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

_NUMBERS = itertools.count(1)
DEADLINE_S = 60.0

# Says its event in its log, and fails as its messages tell it to.
NOTES = """
import json
seen = {}
def handler(event, context):
    print("EVENT " + json.dumps(event))
    failures = []
    for record in event["Records"]:
        text = record.get("body", "")
        count = seen[text] = seen.get(text, 0) + 1
        if text.startswith("crash") and count < 3:
            raise ValueError(text)
        if text.startswith("partial") and count < 2:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
"""


class World:
    """A user with queues and functions."""

    def __init__(self, daemon: DaemonProcess, user: Deployer) -> None:
        self.user = user
        self.lambda_ = user.lambda_
        options: dict[str, Any] = {
            "endpoint_url": daemon.endpoint_url,
            "region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "any",
            "config": Config(retries={"max_attempts": 0}),
        }
        self.sqs = boto3.client("sqs", **options)
        self.dynamodb = boto3.client("dynamodb", **options)
        self.kinesis = boto3.client("kinesis", **options)

    def queue(self, *, fifo: bool = False, **attributes: str) -> tuple[str, str]:
        """Make a queue that nobody else uses; returns its URL and its ARN."""
        name = f"esm-{next(_NUMBERS)}{'.fifo' if fifo else ''}"
        given = {**attributes, **({"FifoQueue": "true"} if fifo else {})}
        url: str = self.sqs.create_queue(QueueName=name, Attributes=given)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:000000000000:{name}"

    def function(self, code: str = NOTES, **configuration: Any) -> str:
        """Deploy a function that nobody else uses; returns its name."""
        name = f"esm-f-{next(_NUMBERS)}"
        self.user.deploy(name, code, **configuration)
        return name

    def map(self, function: str, arn: str, **settings: Any) -> str:
        """Make a mapping; returns its UUID."""
        made = self.lambda_.create_event_source_mapping(
            FunctionName=function, EventSourceArn=arn, **settings
        )
        uuid: str = made["UUID"]
        return uuid

    def events(self, function: str) -> list[Any]:
        """What the function got, in the order of its log."""
        group = f"/aws/lambda/{function}"
        try:
            pages = self.user.logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, filterPattern='"EVENT "'
            )
            texts = [event["message"] for page in pages for event in page["events"]]
        except self.user.logs.exceptions.ResourceNotFoundException:
            return []
        marked = [text for text in texts if "EVENT {" in text]
        return [json.loads(text[text.index("EVENT {") + 6 :]) for text in marked]

    def records(self, function: str) -> list[Any]:
        """The records of all events."""
        return [record for event in self.events(function) for record in event["Records"]]

    def counts(self, url: str) -> int:
        """Messages of a queue, in flight or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(value) for value in found.values())


def eventually(what: Callable[[], Any]) -> Any:
    """Return what the call gives once that is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


@pytest.fixture
def world(daemon: DaemonProcess, user: Deployer) -> World:
    return World(daemon, user)
