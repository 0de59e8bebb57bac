"""Buses, rules and queues, and users who talk to EventBridge with boto3."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.policies import OPEN

_NUMBERS = itertools.count(1)


def client_of(service: str, endpoint_url: str, *, account: str = "000000000000") -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}, max_pool_connections=32),
    )


@pytest.fixture
def events(daemon: DaemonProcess) -> Any:
    return client_of("events", daemon.endpoint_url)


@pytest.fixture
def sqs(daemon: DaemonProcess) -> Any:
    return client_of("sqs", daemon.endpoint_url)


@pytest.fixture
def unused() -> Callable[[str], str]:
    """Names that nobody else uses."""
    return lambda prefix: f"{prefix}-{next(_NUMBERS)}"


@pytest.fixture
def bus(events: Any, unused: Callable[[str], str]) -> str:
    """The name of a bus where nothing is."""
    name = unused("bus")
    events.create_event_bus(Name=name)
    return name


class Queue:
    """A queue that a test reads, and everybody may write to."""

    def __init__(self, sqs: Any, name: str, *, fifo: bool = False) -> None:
        attributes = dict(OPEN)
        if fifo:
            attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        self._sqs = sqs
        self.url = sqs.create_queue(
            QueueName=f"{name}.fifo" if fifo else name, Attributes=attributes
        )["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn: str = found["Attributes"]["QueueArn"]

    def message(self, wait_s: int = 20) -> dict[str, Any] | None:
        """The next message, taken out; None if none comes."""
        got = self._sqs.receive_message(
            QueueUrl=self.url,
            WaitTimeSeconds=wait_s,
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        )
        if "Messages" not in got:
            return None
        [message] = got["Messages"]
        self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return dict(message)

    def body(self) -> Any:
        """The next message's body as JSON."""
        message = self.message()
        assert message is not None, "no message came"
        return json.loads(message["Body"])


@pytest.fixture
def queue(sqs: Any, unused: Callable[[str], str]) -> Callable[..., Queue]:
    """Makes queues."""
    return lambda **options: Queue(sqs, unused("q"), **options)


@pytest.fixture
def route(events: Any, bus: str, unused: Callable[[str], str]) -> Callable[..., str]:
    """Makes a rule of the bus with one target; returns the rule's ARN."""

    def make(pattern: Any, arn: str, **target: Any) -> str:
        name = unused("rule")
        made: str = events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))[
            "RuleArn"
        ]
        put = events.put_targets(
            Rule=name, EventBusName=bus, Targets=[{"Id": "t", "Arn": arn, **target}]
        )
        assert put["FailedEntryCount"] == 0, put
        return made

    return make


@pytest.fixture
def put(events: Any, bus: str) -> Callable[..., dict[str, Any]]:
    """Puts one event on the bus; returns the answer's entry."""

    def send(detail: Any, **members: Any) -> dict[str, Any]:
        entry = {
            "EventBusName": bus,
            "Source": "shop",
            "DetailType": "order",
            "Detail": json.dumps(detail),
            **members,
        }
        return dict(events.put_events(Entries=[entry])["Entries"][0])

    return send


RECORDER = """
import boto3, json, os

SQS = boto3.client("sqs")

def handler(event, context):
    SQS.send_message(QueueUrl=os.environ["OUT"], MessageBody=json.dumps(event))
"""


@pytest.fixture
def recorder(user: Deployer, a_name: Callable[[], str]) -> Callable[[Queue], str]:
    """Makes functions that send their events to a queue; returns the ARN."""

    def make(out: Queue) -> str:
        name = a_name()
        user.deploy(name, {"app.py": RECORDER}, Environment={"Variables": {"OUT": out.url}})
        found = user.lambda_.get_function_configuration(FunctionName=name)
        return str(found["FunctionArn"])

    return make
