"""DynamoDB's and Kinesis's streams as event sources, as a user of boto3 sees them."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from tests.conformance.event_source_mappings.conftest import World, eventually

pytestmark = pytest.mark.slow

_NUMBERS = itertools.count(1)
FAILS = """
import json
def handler(event, context):
    print("EVENT " + json.dumps(event))
    raise ValueError("no")
"""
COUNTS = """
import json
def handler(event, context):
    print("EVENT " + json.dumps(event))
    return {"state": {"count": event["state"].get("count", 0) + len(event["Records"])}}
"""


def a_table(world: World, view: str = "NEW_AND_OLD_IMAGES") -> tuple[str, str]:
    """Make a table with a stream; returns its name and the stream's ARN."""
    name = f"esm-table-{next(_NUMBERS)}"
    made = world.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
    )
    world.dynamodb.get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    arn: str = made["TableDescription"]["LatestStreamArn"]
    return name, arn


def a_stream(world: World, shards: int = 1) -> tuple[str, str]:
    """Make a data stream; returns its name and ARN."""
    name = f"esm-stream-{next(_NUMBERS)}"
    world.kinesis.create_stream(StreamName=name, ShardCount=shards)
    world.kinesis.get_waiter("stream_exists").wait(
        StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    return name, f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}"


def result_of(world: World, uuid: str) -> Any:
    return world.lambda_.get_event_source_mapping(UUID=uuid)["LastProcessingResult"]


def test_a_change_of_a_table_arrives_in_the_form_of_aws(world: World) -> None:
    table, arn = a_table(world)
    function = world.function()
    uuid = world.map(function, arn, StartingPosition="TRIM_HORIZON")
    assert result_of(world, uuid) in ("No records processed", "OK")
    item = {"id": {"S": "1"}, "n": {"N": "5"}, "b": {"B": b"\x00\x01"}}
    world.dynamodb.put_item(TableName=table, Item=item)
    world.dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}, "n": {"N": "6"}})
    world.dynamodb.delete_item(TableName=table, Key={"id": {"S": "1"}})
    records = eventually(lambda: len(got := world.records(function)) == 3 and got)
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    first = records[0]
    change = first.pop("dynamodb")
    assert first.pop("eventID")
    assert first == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": arn,
    }
    assert isinstance(change.pop("ApproximateCreationDateTime"), int | float)
    assert change.pop("SequenceNumber").isdigit()
    assert change.pop("SizeBytes") > 0
    assert change == {
        "Keys": {"id": {"S": "1"}},
        "NewImage": {"id": {"S": "1"}, "n": {"N": "5"}, "b": {"B": "AAE="}},
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    assert records[1]["dynamodb"]["OldImage"]["n"] == {"N": "5"}
    assert eventually(lambda: result_of(world, uuid) == "OK")


def test_filters_see_what_a_table_had_and_has(world: World) -> None:
    table, arn = a_table(world)
    function = world.function()
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"kind": {"S": ["wanted"]}}}}
    filters = {"Filters": [{"Pattern": json.dumps(pattern)}]}
    world.map(function, arn, StartingPosition="TRIM_HORIZON", FilterCriteria=filters)
    for number, kind in enumerate(["other", "wanted", "other"]):
        item = {"id": {"S": str(number)}, "kind": {"S": kind}}
        world.dynamodb.put_item(TableName=table, Item=item)
    [record] = eventually(lambda: world.records(function))
    assert record["dynamodb"]["Keys"] == {"id": {"S": "1"}}


def test_what_fails_too_often_is_told_to_a_queue(world: World) -> None:
    table, arn = a_table(world)
    queue_url, queue_arn = world.queue()
    function = world.function(FAILS)
    uuid = world.map(
        function,
        arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue_arn}},
    )
    world.dynamodb.put_item(TableName=table, Item={"id": {"S": "poison"}})
    [message] = eventually(
        lambda: world.sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=2).get("Messages")
    )
    document = json.loads(message["Body"])
    assert document["version"] == "1.0"
    assert document["timestamp"].endswith("Z")
    context = document["requestContext"]
    assert context.pop("requestId")
    assert context == {
        "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 2,
    }
    assert document["DDBStreamBatchInfo"]["streamArn"] == arn
    assert document["DDBStreamBatchInfo"]["batchSize"] == 1
    assert result_of(world, uuid) == "PROBLEM: Function call failed"


def test_records_of_kinesis_arrive_in_the_form_of_aws_and_in_order(world: World) -> None:
    stream, arn = a_stream(world)
    function = world.function()
    world.map(function, arn, StartingPosition="TRIM_HORIZON")
    for number in range(3):
        put = {"StreamName": stream, "Data": f"record {number}".encode(), "PartitionKey": "k"}
        sent = world.kinesis.put_record(**put)
    records = eventually(lambda: len(got := world.records(function)) == 3 and got)
    data = [base64.b64decode(record["kinesis"]["data"]) for record in records]
    assert data == [b"record 0", b"record 1", b"record 2"]
    last = records[2]
    arrived = last["kinesis"].pop("approximateArrivalTimestamp")
    assert isinstance(arrived, float)
    assert last == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "k",
            "sequenceNumber": sent["SequenceNumber"],
            "data": base64.b64encode(b"record 2").decode(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{sent['ShardId']}:{sent['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/r",
        "awsRegion": "us-east-1",
        "eventSourceARN": arn,
    }


def test_resharding_keeps_the_order_of_each_key(world: World) -> None:
    stream, arn = a_stream(world)
    function = world.function()
    world.map(function, arn, StartingPosition="TRIM_HORIZON", ParallelizationFactor=3)

    def put(numbers: range) -> None:
        entries = [
            {"Data": str(number).encode(), "PartitionKey": f"key-{number % 4}"}
            for number in numbers
        ]
        world.kinesis.put_records(StreamName=stream, Records=entries)

    put(range(20))
    shard = world.kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
    world.kinesis.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey=str(2**127))
    world.kinesis.get_waiter("stream_exists").wait(
        StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    put(range(20, 40))
    records = eventually(lambda: len(got := world.records(function)) == 40 and got)
    for key in range(4):
        numbers = [
            int(base64.b64decode(record["kinesis"]["data"]))
            for record in records
            if record["kinesis"]["partitionKey"] == f"key-{key}"
        ]
        assert numbers == sorted(numbers)


def test_a_window_counts_its_records(world: World) -> None:
    stream, arn = a_stream(world)
    function = world.function(COUNTS)
    world.map(function, arn, StartingPosition="TRIM_HORIZON", TumblingWindowInSeconds=2)
    for number in range(6):
        put = {"StreamName": stream, "Data": str(number).encode(), "PartitionKey": "k"}
        world.kinesis.put_record(**put)
    finals = eventually(
        lambda: (
            sum(
                event["state"]["count"]
                for event in world.events(function)
                if event["isFinalInvokeForWindow"]
            )
            == 6
        )
    )
    assert finals
