"""Streams: milliseconds from PutRecord and PutItem to the begin of a mapping's handler."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3

from benchmarks.events import HANDLER
from benchmarks.load import runtime
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

_WARM_UP = 5


def measure(quick: bool) -> Iterator[Series]:
    """One record after another, at a distance as of a quiet stream."""
    rounds = 30 if quick else 200
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp", ignore_cleanup_errors=True) as directory,
        DaemonProcess(Path(directory)) as daemon,
    ):
        user = Deployer(daemon.endpoint_url)
        user.deploy("f", HANDLER, Runtime=runtime())
        user.sqs.create_queue(QueueName="begun")
        table = boto3.client(
            "dynamodb",
            endpoint_url=daemon.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="any",  # noqa: S106 - nobody checks it
        )
        for name, source, put in (
            ("PutRecord", _stream(user), lambda: _put_record(user)),
            ("PutItem", _table(table), lambda: _put_item(table)),
        ):
            mapping = _map(user, source)
            values = _latencies(user, put, rounds)
            yield Series(
                row="", name=f"{name} to the begin of the handler", unit="ms", values=values
            )
            user.lambda_.delete_event_source_mapping(UUID=mapping)


def _stream(user: Deployer) -> str:
    user.kinesis.create_stream(StreamName="s", ShardCount=1)
    user.kinesis.get_waiter("stream_exists").wait(StreamName="s", WaiterConfig={"Delay": 1})
    found = user.kinesis.describe_stream_summary(StreamName="s")
    return str(found["StreamDescriptionSummary"]["StreamARN"])


def _table(client: Any) -> str:
    made = client.create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    return str(made["TableDescription"]["LatestStreamArn"])


def _put_record(user: Deployer) -> None:
    user.kinesis.put_record(StreamName="s", Data=b"x", PartitionKey="k")


def _put_item(client: Any) -> None:
    client.put_item(TableName="table", Item={"id": {"S": repr(time.time())}})


def _map(user: Deployer, source: str) -> str:
    mapping: str = user.lambda_.create_event_source_mapping(
        FunctionName="f", EventSourceArn=source, StartingPosition="TRIM_HORIZON", BatchSize=1
    )["UUID"]
    while user.lambda_.get_event_source_mapping(UUID=mapping)["State"] != "Enabled":
        time.sleep(0.05)
    return mapping


def _latencies(user: Deployer, put: Callable[[], None], rounds: int) -> list[float]:
    values = []
    for number in range(rounds + _WARM_UP):
        before = time.time()
        put()
        begun = _begun(user.sqs)
        if number >= _WARM_UP:  # what comes before is the cold start
            values.append((begun - before) * 1_000)
    return values


def _begun(sqs: Any) -> float:
    found = sqs.receive_message(QueueUrl="/000000000000/begun", WaitTimeSeconds=20)
    [message] = found["Messages"]
    sqs.delete_message(QueueUrl="/000000000000/begun", ReceiptHandle=message["ReceiptHandle"])
    return float(message["Body"])
