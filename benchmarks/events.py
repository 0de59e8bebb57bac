"""EventBridge: from PutEvents to the begin of a warm handler; events that a bus takes in a second.

The handler says by the clock, which this process reads as well, when it began. Its word comes back
by a queue of ours. An asynchronous invocation, which is the way's last part, is measured in turn.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from benchmarks.load import runtime
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.policies import OPEN

HANDLER = """
import time
import boto3

SQS = boto3.client("sqs")

def handler(event, context):
    begun = time.time()
    SQS.send_message(QueueUrl="/000000000000/begun", MessageBody=repr(begun))
"""
_ENTRY = {"Source": "bench", "DetailType": "t", "Detail": json.dumps({"x": "y" * 200})}


def measure(quick: bool) -> Iterator[Series]:
    """One event after another, then requests of ten."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as directory,
        DaemonProcess(Path(directory)) as daemon,
    ):
        clients = _prepare(daemon)
        yield from _latency(daemon, clients, 50 if quick else 300)
        yield _rate(clients["events"], 50 if quick else 500)


def _prepare(daemon: DaemonProcess) -> dict[str, Any]:
    user = Deployer(daemon.endpoint_url)
    user.deploy("f", HANDLER, Runtime=runtime())
    clients = {name: _client(name, daemon.endpoint_url) for name in ("events", "sqs")}
    clients["lambda"] = user.lambda_
    clients["sqs"].create_queue(QueueName="begun", Attributes=OPEN)
    rule = clients["events"].put_rule(Name="r", EventPattern='{"source": ["bench"]}')["RuleArn"]
    user.lambda_.add_permission(
        FunctionName="f",
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    arn = user.lambda_.get_function_configuration(FunctionName="f")["FunctionArn"]
    clients["events"].put_targets(Rule="r", Targets=[{"Id": "f", "Arn": arn}])
    return clients


def _latency(daemon: DaemonProcess, clients: dict[str, Any], rounds: int) -> Iterator[Series]:
    def put() -> None:
        assert not clients["events"].put_events(Entries=[_ENTRY])["FailedEntryCount"]

    def invoke() -> None:
        clients["lambda"].invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")

    times: dict[str, list[float]] = {"PutEvents": [], "Invoke, type Event": []}
    for number in range(rounds + 5):
        for send, values in zip((put, invoke), times.values(), strict=True):
            before = time.time()
            send()
            begun = _begun(clients["sqs"])
            if number >= 5:  # what comes before is the cold start
                values.append((begun - before) * 1_000)
    for name, values in times.items():
        yield Series(row="", name=f"{name} to the begin of the handler", unit="ms", values=values)


def _begun(sqs: Any) -> float:
    found = sqs.receive_message(QueueUrl="/000000000000/begun", WaitTimeSeconds=20)
    [message] = found["Messages"]
    sqs.delete_message(QueueUrl="/000000000000/begun", ReceiptHandle=message["ReceiptHandle"])
    return float(message["Body"])


def _rate(events: Any, requests: int) -> Series:
    events.put_targets(
        Rule="r",
        Targets=[{"Id": "f", "Arn": "arn:aws:sqs:us-east-1:000000000000:begun"}],
    )
    before = time.perf_counter()
    for _ in range(requests):
        events.put_events(Entries=[_ENTRY] * 10)
    rate = requests * 10 / (time.perf_counter() - before)
    return Series(row="", name="events accepted durably, 1 client, tens", unit="1/s", values=[rate])


def _client(service: str, endpoint_url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",  # noqa: S106 - nothing is checked
        config=Config(retries={"max_attempts": 0}),
    )
