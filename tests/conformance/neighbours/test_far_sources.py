"""Queues and streams of a server elsewhere are mapped as lambdad's own are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

CODE = "def handler(event, context):\n    print('got', event['Records'][0]['eventSource'])\n"
_PATIENCE_S = 60.0


def client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
    )


def sources(url: str) -> list[str]:
    """Make a queue, a stream and a table with something in each; return their ARNs."""
    sqs, kinesis, dynamodb = (client(name, url) for name in ("sqs", "kinesis", "dynamodb"))
    queue = sqs.create_queue(QueueName="far")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    kinesis.create_stream(StreamName="far", ShardCount=1)
    kinesis.put_record(StreamName="far", Data=b"x", PartitionKey="x")
    table = dynamodb.create_table(
        TableName="far",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    dynamodb.put_item(TableName="far", Item={"id": {"S": "x"}})
    own = "arn:aws:{}:us-east-1:000000000000:{}"
    return [
        own.format("sqs", "far"),
        own.format("kinesis", "stream/far"),
        str(table["LatestStreamArn"]),
    ]


def test_functions_get_what_is_in_queues_and_streams_elsewhere(tmp_path: Path) -> None:
    """The server elsewhere is another lambdad: it refuses signatures that it cannot know."""
    with DaemonProcess(tmp_path / "far") as far:
        names = ("SQS", "KINESIS", "DYNAMODB")
        environ = {f"LAMBDAD_NEIGHBOURS_{name}": far.endpoint_url for name in names}
        arns = sources(far.endpoint_url)
        with DaemonProcess(tmp_path / "near", environ=environ) as near:
            user = Deployer(near.endpoint_url)
            user.deploy("gets", CODE)
            for arn in arns:
                begin = {} if ":sqs:" in arn else {"StartingPosition": "TRIM_HORIZON"}
                user.lambda_.create_event_source_mapping(
                    FunctionName="gets", EventSourceArn=arn, **begin
                )
            wanted = {f"got aws:{name}" for name in ("sqs", "kinesis", "dynamodb")}
            deadline = time.monotonic() + _PATIENCE_S
            while not wanted <= (said := lines(near.endpoint_url)):
                assert time.monotonic() < deadline, said
                time.sleep(0.1)


def lines(url: str) -> set[str]:
    logs = client("logs", url)
    try:
        found = logs.filter_log_events(logGroupName="/aws/lambda/gets")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return set()
    return {event["message"].strip() for event in found}
