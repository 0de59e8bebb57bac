"""Queues as event sources, as a user of boto3 sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conformance.event_source_mappings.conftest import World, eventually

pytestmark = pytest.mark.slow


def test_a_message_reaches_the_function_in_the_form_of_aws_and_leaves_the_queue(
    world: World,
) -> None:
    url, arn = world.queue()
    function = world.function()
    uuid = world.map(function, arn)
    attributes = {
        "text": {"DataType": "String", "StringValue": "v"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    sent = world.sqs.send_message(
        QueueUrl=url, MessageBody='{"a": 1}', MessageAttributes=attributes
    )
    [record] = eventually(lambda: world.records(function))
    system = record.pop("attributes")
    assert system.pop("SentTimestamp").isdigit()
    assert system.pop("ApproximateFirstReceiveTimestamp").isdigit()
    assert system == {"ApproximateReceiveCount": "1", "SenderId": system["SenderId"]}
    assert record.pop("receiptHandle")
    assert record == {
        "messageId": sent["MessageId"],
        "body": '{"a": 1}',
        "messageAttributes": {
            "text": {
                "stringValue": "v",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            },
            "bytes": {
                "binaryValue": "AAE=",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary",
            },
        },
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "us-east-1",
    }
    eventually(lambda: world.counts(url) == 0)
    mapping = world.lambda_.get_event_source_mapping(UUID=uuid)
    assert mapping["State"] == "Enabled"
    assert "LastProcessingResult" not in mapping
    assert mapping["StateTransitionReason"] == "USER_INITIATED"


def test_what_a_function_fails_comes_back_and_ends_as_a_dead_letter(world: World) -> None:
    dead_url, dead_arn = world.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = world.queue(VisibilityTimeout="2", RedrivePolicy=redrive)
    code = "def handler(event, context):\n    raise ValueError('no')\n"
    function = world.function(code, Timeout=2)
    world.map(function, arn)
    world.sqs.send_message(QueueUrl=url, MessageBody="poison")
    [message] = eventually(
        lambda: world.sqs.receive_message(QueueUrl=dead_url, WaitTimeSeconds=1).get("Messages")
    )
    assert message["Body"] == "poison"
    assert world.counts(url) == 0


def test_only_the_messages_that_are_reported_come_back(world: World) -> None:
    url, arn = world.queue(VisibilityTimeout="3")
    function = world.function(Timeout=3)
    world.map(function, arn, FunctionResponseTypes=["ReportBatchItemFailures"])
    entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(["a", "partial", "b"])]
    world.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    eventually(lambda: world.counts(url) == 0)
    bodies = eventually(lambda: len(got := bodies_of(world, function)) == 4 and got)
    assert sorted(bodies) == ["a", "b", "partial", "partial"]


def test_a_group_of_a_fifo_queue_keeps_its_order_through_failures(world: World) -> None:
    url, arn = world.queue(fifo=True, VisibilityTimeout="2", ContentBasedDeduplication="true")
    function = world.function(Timeout=2)
    world.map(function, arn, BatchSize=1)
    for body in ("a1", "crash", "a2", "a3"):
        world.sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="a")
    eventually(lambda: world.counts(url) == 0)
    bodies = eventually(lambda: len(got := bodies_of(world, function)) >= 6 and got)
    assert list(dict.fromkeys(bodies)) == ["a1", "crash", "a2", "a3"]
    assert bodies.index("a2") > max(n for n, body in enumerate(bodies) if body == "crash")


def test_filters_delete_what_they_do_not_let_through(world: World) -> None:
    url, arn = world.queue()
    function = world.function()
    pattern = json.dumps({"body": {"kind": ["wanted"], "n": [{"numeric": [">", 1]}]}})
    world.map(function, arn, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    bodies = ['{"kind": "wanted", "n": 2}', '{"kind": "wanted", "n": 1}', '{"kind": "no"}', "text"]
    for body in bodies:
        world.sqs.send_message(QueueUrl=url, MessageBody=body)
    eventually(lambda: world.counts(url) == 0)
    assert eventually(lambda: bodies_of(world, function)) == bodies[:1]


def test_a_window_gathers_messages_into_one_batch(world: World) -> None:
    url, arn = world.queue()
    function = world.function()
    world.map(function, arn, BatchSize=100, MaximumBatchingWindowInSeconds=2)
    for number in range(15):
        world.sqs.send_message(QueueUrl=url, MessageBody=str(number))
    eventually(lambda: world.counts(url) == 0)
    events = eventually(lambda: world.events(function))
    assert max(len(event["Records"]) for event in events) > 10


def test_a_mapping_is_disabled_enabled_and_deleted_while_messages_come(world: World) -> None:
    url, arn = world.queue()
    function = world.function()
    uuid = world.map(function, arn)
    world.lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
    eventually(lambda: state_of(world, uuid) == "Disabled")
    world.sqs.send_message(QueueUrl=url, MessageBody="waits")
    assert world.counts(url) == 1
    world.lambda_.update_event_source_mapping(UUID=uuid, Enabled=True)
    eventually(lambda: bodies_of(world, function) == ["waits"])
    deleted = world.lambda_.delete_event_source_mapping(UUID=uuid)
    assert deleted["State"] == "Deleting"
    listed = world.lambda_.list_event_source_mappings(FunctionName=function)
    eventually(
        lambda: (
            world.lambda_.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
            == []
        )
    )
    assert len(listed["EventSourceMappings"]) <= 1


def test_what_is_wrong_with_the_queue_is_shown(world: World) -> None:
    url, arn = world.queue()
    uuid = world.map(world.function(), arn)
    world.sqs.delete_queue(QueueUrl=url)
    shown = eventually(
        lambda: world.lambda_.get_event_source_mapping(UUID=uuid).get("LastProcessingResult")
    )
    assert "NonExistentQueue" in shown
    world.lambda_.delete_event_source_mapping(UUID=uuid)


def test_a_slow_function_delays_no_other_mapping(world: World) -> None:
    slow_url, slow_arn = world.queue()
    url, arn = world.queue()
    slow = world.function(
        "import time\ndef handler(event, context):\n    time.sleep(8)\n    print('SLEPT')\n"
    )
    function = world.function()
    world.map(slow, slow_arn, ScalingConfig={"MaximumConcurrency": 2})
    world.map(function, arn)
    for number in range(6):
        world.sqs.send_message(QueueUrl=slow_url, MessageBody=str(number))
    world.sqs.send_message(QueueUrl=url, MessageBody="quick")
    eventually(lambda: bodies_of(world, function) == ["quick"])
    assert world.counts(slow_url) > 0
    world.sqs.purge_queue(QueueUrl=slow_url)


def bodies_of(world: World, function: str) -> list[str]:
    return [record["body"] for record in world.records(function)]


def state_of(world: World, uuid: str) -> Any:
    return world.lambda_.get_event_source_mapping(UUID=uuid)["State"]
