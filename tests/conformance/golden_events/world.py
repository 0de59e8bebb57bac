"""A daemon, functions that record what they are given, and what became of each event."""

from __future__ import annotations

import base64
import gzip
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.conformance.events.conftest import Queue, client_of

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

DEADLINE_S = 120


REGION = "us-east-1"


EARLY = Path(__file__).with_name("early_daemon.py")


# It answers what a front door, a window and CloudFormation each understand.
RECORDER = """
import boto3, json, os, urllib.request

SQS = boto3.client("sqs")

def handler(event, context):
    text = json.dumps(event)
    if len(text) < 200_000:
        SQS.send_message(QueueUrl=os.environ["OUT"], MessageBody=text)
    if "ResponseURL" in event:
        answer = {
            "Status": "SUCCESS",
            "PhysicalResourceId": "made",
            **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        }
        request = urllib.request.Request(
            event["ResponseURL"], method="PUT", data=json.dumps(answer).encode()
        )
        urllib.request.urlopen(request).read()
    return {"statusCode": 200, "state": {}}
"""


PRINCIPALS = (
    "s3.amazonaws.com",
    "sns.amazonaws.com",
    "events.amazonaws.com",
    "logs.amazonaws.com",
    "lambda.alarms.cloudwatch.amazonaws.com",
    "apigateway.amazonaws.com",
)


class World:
    """A function that all triggers have as their target.

    Mutable: the events that came, by the names of `LOOKS`.
    """

    def __init__(self, daemon: DaemonProcess) -> None:
        self.url = daemon.endpoint_url
        self.user = Deployer(daemon.endpoint_url)
        self.out = Queue(self.client("sqs"), "golden-out")
        self.function = self.deploy("golden-recorder", RECORDER)
        for number, principal in enumerate(PRINCIPALS):
            self.user.lambda_.add_permission(
                FunctionName="golden-recorder",
                StatementId=f"s{number}",
                Action="lambda:InvokeFunction",
                Principal=principal,
            )
        self.events: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        return client_of(service, self.url)

    def deploy(self, name: str, code: str) -> str:
        self.user.deploy(name, code, Environment={"Variables": {"OUT": self.out.url}})
        found = self.user.lambda_.get_function_configuration(FunctionName=name)
        return str(found["FunctionArn"])

    def map(self, arn: str, **settings: Any) -> None:
        """Make a mapping from a source to the function, and wait until it polls."""
        lambda_ = self.user.lambda_
        made = lambda_.create_event_source_mapping(
            FunctionName="golden-recorder", EventSourceArn=arn, **settings
        )
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            found = lambda_.get_event_source_mapping(UUID=made["UUID"])
            if found["State"] == "Enabled":
                return
        raise AssertionError(found)

    def call(self, host: str, path: str, body: bytes) -> None:
        """Call a front door by the name of its host."""
        request = urllib.request.Request(  # noqa: S310 - our own daemon
            f"{self.url}{path}",
            method="POST",
            data=body,
            headers={
                "Host": host,
                "Content-Type": "application/json",
                "Cookie": "a=1; b=2",
                "User-Agent": "golden",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            assert answer.status == 200

    def gather(self) -> None:
        """Wait until there is an event of each kind."""
        deadline = time.monotonic() + DEADLINE_S
        while len(self.events) < len(LOOKS) and time.monotonic() < deadline:
            message = self.out.message(wait_s=5)
            if message is not None:
                event = json.loads(message["Body"])
                for name, looks in LOOKS.items():
                    if looks(event):
                        self.events.setdefault(name, event)
                        break


def _from(source: str, text: str = "") -> Callable[[Any], bool]:
    """Whether an event is a batch of records of a source, with some text in it."""

    def looks(event: Any) -> bool:
        records = event.get("Records") or [{}]
        found = records[0].get("eventSource") or records[0].get("EventSource")
        return bool(found == source and text in json.dumps(event))

    return looks


def opened(event: Any) -> Any:
    """What is in the event of a log group."""
    return json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))


def _version_2(kind: str) -> Callable[[Any], bool]:
    def looks(event: Any) -> bool:
        found = "url" if event.get("routeKey") == "$default" else "api"
        return event.get("version") == "2.0" and kind == found

    return looks


# The first that an event looks like is what it is.
LOOKS: Mapping[str, Callable[[Any], bool]] = {
    "sqs": _from("aws:sqs", "golden-plain"),
    "sqs_fifo": _from("aws:sqs", "golden-in-order"),
    "sqs_redriven": _from("aws:sqs", "golden-dead"),
    "sns": _from("aws:sns", "golden-subject"),
    "s3_put": _from("aws:s3", "ObjectCreated:Put"),
    "s3_multipart": _from("aws:s3", "ObjectCreated:CompleteMultipartUpload"),
    "s3_removed": _from("aws:s3", "ObjectRemoved:DeleteMarkerCreated"),
    "dynamodb_insert": _from("aws:dynamodb", '"INSERT"'),
    "dynamodb_modify": _from("aws:dynamodb", '"MODIFY"'),
    "dynamodb_remove": _from("aws:dynamodb", '"REMOVE"'),
    "kinesis_window": lambda event: "window" in event,
    "kinesis": _from("aws:kinesis"),
    "eventbridge": lambda event: event.get("source") == "golden.shop",
    "schedule_rule": lambda event: event.get("source") == "aws.events",
    "scheduler": lambda event: event.get("source") == "aws.scheduler",
    "logs": lambda event: "awslogs" in event,
    "alarm": lambda event: event.get("source") == "aws.cloudwatch",
    "function_url": _version_2("url"),
    "http_api": _version_2("api"),
    "custom_create": lambda event: event.get("RequestType") == "Create",
    "custom_update": lambda event: event.get("RequestType") == "Update",
    "custom_delete": lambda event: event.get("RequestType") == "Delete",
    "destination_success": lambda event: (
        (event.get("requestContext") or {}).get("condition") == "Success"
    ),
    "destination_failure": lambda event: (
        (event.get("requestContext") or {}).get("condition") == "RetriesExhausted"
    ),
}
