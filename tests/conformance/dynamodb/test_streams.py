"""Streams of changes: what records hold, where iterators stand, when shards end, and expiry."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Table = Callable[..., str]
KEY = {"id": {"S": "1"}}


def streaming(view: str) -> dict[str, Any]:
    return {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}}


def arn_of(dynamodb: Any, name: str) -> str:
    arn: str = dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    return arn


def iterator(streams: Any, arn: str, kind: str = "TRIM_HORIZON", **params: Any) -> str:
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    found: str = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind, **params
    )["ShardIterator"]
    return found


def records(streams: Any, arn: str, kind: str = "TRIM_HORIZON", **params: Any) -> list[Any]:
    found: list[Any] = streams.get_records(ShardIterator=iterator(streams, arn, kind, **params))[
        "Records"
    ]
    return found


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_records_hold_what_the_view_shows(
    dynamodb: Any, streams: Any, table: Table, view: str, images: set[str]
) -> None:
    name = table(**streaming(view))
    first, second = {**KEY, "b": {"B": b"\x00"}}, {**KEY, "b": {"B": b"\x01"}}
    for item in (first, first, second):
        dynamodb.put_item(TableName=name, Item=item)
    dynamodb.delete_item(TableName=name, Key=KEY)
    dynamodb.delete_item(TableName=name, Key=KEY)
    found = records(streams, arn_of(dynamodb, name))
    assert [each["eventName"] for each in found] == ["INSERT", "MODIFY", "REMOVE"]
    befores, afters = [None, first, second], [first, second, None]
    for record, before, after in zip(found, befores, afters, strict=True):
        assert record["eventSource"] == "aws:dynamodb"
        assert record["eventVersion"] == "1.1"
        assert record["awsRegion"] == "us-east-1"
        assert "userIdentity" not in record
        change = record["dynamodb"]
        assert change["Keys"] == KEY
        assert change["StreamViewType"] == view
        assert change["SizeBytes"] > 0
        assert change.get("OldImage") == (before if "OldImage" in images else None)
        assert change.get("NewImage") == (after if "NewImage" in images else None)
    numbers = [int(each["dynamodb"]["SequenceNumber"]) for each in found]
    assert numbers == sorted(set(numbers))
    assert len({each["eventID"] for each in found}) == 3


def test_iterators_stand_where_they_were_asked_to(
    dynamodb: Any, streams: Any, table: Table
) -> None:
    name = table("id:S", "n:N", **streaming("KEYS_ONLY"))

    def put(*numbers: int) -> None:
        for number in numbers:
            dynamodb.put_item(TableName=name, Item={**KEY, "n": {"N": f"{number}"}})

    def seen(found: list[Any]) -> list[str]:
        return [each["dynamodb"]["Keys"]["n"]["N"] for each in found]

    put(0, 1, 2)
    arn = arn_of(dynamodb, name)
    latest = iterator(streams, arn, "LATEST")
    put(3)
    page = streams.get_records(ShardIterator=latest)
    assert seen(page["Records"]) == ["3"]
    put(4)
    page = streams.get_records(ShardIterator=page["NextShardIterator"])
    assert seen(page["Records"]) == ["4"]
    assert streams.get_records(ShardIterator=page["NextShardIterator"])["Records"] == []
    middle = records(streams, arn)[1]["dynamodb"]["SequenceNumber"]
    at = records(streams, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=middle)
    after = records(streams, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=middle)
    assert (seen(at), seen(after)) == (["1", "2", "3", "4"], ["2", "3", "4"])
    here, found = iterator(streams, arn), []
    for _ in range(3):
        page = streams.get_records(ShardIterator=here, Limit=2)
        found += seen(page["Records"])
        here = page["NextShardIterator"]
    assert found == ["0", "1", "2", "3", "4"]


def test_a_stream_that_is_switched_off_ends_and_the_next_one_begins_anew(
    dynamodb: Any, streams: Any, table: Table
) -> None:
    name = table(**streaming("NEW_IMAGE"))
    first = arn_of(dynamodb, name)
    dynamodb.put_item(TableName=name, Item=KEY)
    with pytest.raises(ClientError, match="Table already has an enabled stream"):
        dynamodb.update_table(TableName=name, **streaming("KEYS_ONLY"))
    dynamodb.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})
    dynamodb.delete_item(TableName=name, Key=KEY)
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert "StreamSpecification" not in described
    assert described["LatestStreamArn"] == first
    closed = streams.describe_stream(StreamArn=first)["StreamDescription"]
    assert closed["StreamStatus"] == "DISABLED"
    assert closed["Shards"][0]["SequenceNumberRange"]["EndingSequenceNumber"]
    page = streams.get_records(ShardIterator=iterator(streams, first))
    assert [each["eventName"] for each in page["Records"]] == ["INSERT"]
    assert "NextShardIterator" not in page
    dynamodb.update_table(TableName=name, **streaming("KEYS_ONLY"))
    second = arn_of(dynamodb, name)
    assert second != first
    dynamodb.put_item(TableName=name, Item=KEY)
    assert len(records(streams, second)) == 1
    listed = streams.list_streams(TableName=name)["Streams"]
    assert [each["StreamArn"] for each in listed] == [first, second]
    page = streams.list_streams(TableName=name, Limit=1)
    assert page["LastEvaluatedStreamArn"] == first
    dynamodb.delete_table(TableName=name)
    page = streams.get_records(ShardIterator=iterator(streams, second))
    assert len(page["Records"]) == 1
    assert "NextShardIterator" not in page


def test_transactions_and_batches_are_recorded_and_what_failed_is_not(
    dynamodb: Any, streams: Any, table: Table
) -> None:
    name = table(**streaming("KEYS_ONLY"))
    puts = [{"Put": {"TableName": name, "Item": {"id": {"S": f"t{n}"}}}} for n in range(3)]
    dynamodb.transact_write_items(TransactItems=puts)
    never = {
        "ConditionCheck": {
            "TableName": name,
            "Key": KEY,
            "ConditionExpression": "attribute_exists(id)",
        }
    }
    more = [{"Put": {"TableName": name, "Item": {"id": {"S": f"u{n}"}}}} for n in range(3)]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[*more, never])
    dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": KEY}}]})
    found = records(streams, arn_of(dynamodb, name))
    assert [each["dynamodb"]["Keys"]["id"]["S"] for each in found] == ["t0", "t1", "t2", "1"]


def test_an_item_whose_time_is_over_goes_by_itself_and_its_record_says_so(
    dynamodb: Any, streams: Any, table: Table
) -> None:
    name = table(**streaming("NEW_AND_OLD_IMAGES"))
    now = int(time.time())
    early = {"id": {"S": "early"}, "until": {"N": f"{now - 10}"}}
    dynamodb.put_item(TableName=name, Item=early)
    dynamodb.put_item(TableName=name, Item={**KEY, "until": {"N": f"{now + 86_400}"}})
    ancient = {"id": {"S": "ancient"}, "until": {"N": "1"}}
    dynamodb.put_item(TableName=name, Item=ancient)
    wanted = {"Enabled": True, "AttributeName": "until"}
    answer = dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
    assert answer["TimeToLiveSpecification"] == wanted
    late = {"id": {"S": "late"}, "until": {"N": f"{now + 1}"}}
    dynamodb.put_item(TableName=name, Item=late)
    arn, gone = arn_of(dynamodb, name), []
    deadline = time.monotonic() + 30
    while len(gone) < 2 and time.monotonic() < deadline:
        gone = [each for each in records(streams, arn) if each["eventName"] == "REMOVE"]
    assert [each["dynamodb"]["OldImage"] for each in gone] == [early, late]
    service = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    assert [each["userIdentity"] for each in gone] == [service, service]
    left = dynamodb.scan(TableName=name)["Items"]
    assert sorted(item["id"]["S"] for item in left) == ["1", "ancient"]
    with pytest.raises(ClientError, match="TimeToLive is already enabled"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
    off = {**wanted, "Enabled": False}
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=off)
    described = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "DISABLED"}


def test_what_is_not_there_is_refused(dynamodb: Any, streams: Any, table: Table) -> None:
    name = table(**streaming("KEYS_ONLY"))
    arn = arn_of(dynamodb, name)
    with pytest.raises(ClientError, match=r"Requested resource not found: Stream: .* not found"):
        streams.describe_stream(StreamArn=f"{arn}x")
    with pytest.raises(streams.exceptions.ResourceNotFoundException):
        streams.get_shard_iterator(
            StreamArn=arn, ShardId="shardId-00000000000000000000-0000", ShardIteratorType="LATEST"
        )
    with pytest.raises(ClientError, match="Invalid ShardIterator"):
        streams.get_records(ShardIterator="nonsense")
