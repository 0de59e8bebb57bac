"""Shards that are split, merged and counted anew, and consumers that records are pushed to."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from tests.conformance.kinesis.conftest import read_all, refused

Make = Callable[..., str]
FIRST = "shardId-000000000000"
MIDDLE = str(2**127)


def shards(kinesis: Any, name: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kinesis.list_shards(StreamName=name, **params)["Shards"]
    return found


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [int(each["ShardId"][-3:]) for each in found]


def test_a_split_shard_ends_and_its_children_go_on(kinesis: Any, stream: Make) -> None:
    name = stream()
    kinesis.put_record(StreamName=name, Data=b"before", PartitionKey="k")
    kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=MIDDLE)
    for end in ("0", MIDDLE):
        kinesis.put_record(StreamName=name, Data=b"after", PartitionKey="k", ExplicitHashKey=end)
    parent, left, right = shards(kinesis, name)
    assert "EndingSequenceNumber" in parent["SequenceNumberRange"]
    assert (left["ParentShardId"], right["ParentShardId"]) == (FIRST, FIRST)
    assert right["HashKeyRange"]["StartingHashKey"] == MIDDLE
    iterator = kinesis.get_shard_iterator(
        StreamName=name, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    last = kinesis.get_records(ShardIterator=iterator)
    assert [each["Data"] for each in last["Records"]] == [b"before"]
    assert "NextShardIterator" not in last
    assert [each["ShardId"] for each in last["ChildShards"]] == [left["ShardId"], right["ShardId"]]
    assert last["ChildShards"][0]["ParentShards"] == [FIRST]
    for each in (left, right):
        (record,) = read_all(kinesis, name, each["ShardId"])
        end = parent["SequenceNumberRange"]["EndingSequenceNumber"]
        assert int(record["SequenceNumber"]) > int(end)


def test_merged_shards_have_one_child(kinesis: Any, stream: Make) -> None:
    name = stream(3)
    code, text = refused(
        kinesis.merge_shards,
        StreamName=name,
        ShardToMerge=FIRST,
        AdjacentShardToMerge="shardId-000000000002",
    )
    assert code == "InvalidArgumentException"
    assert "not an adjacent pair" in text
    kinesis.merge_shards(
        StreamName=name, ShardToMerge=FIRST, AdjacentShardToMerge="shardId-000000000001"
    )
    child = shards(kinesis, name)[-1]
    assert child["ParentShardId"] == FIRST
    assert child["AdjacentParentShardId"] == "shardId-000000000001"
    assert ids(shards(kinesis, name, ShardFilter={"Type": "AT_LATEST"})) == [2, 3]
    assert refused(
        kinesis.split_shard, StreamName=name, ShardToSplit=FIRST, NewStartingHashKey="5"
    )[0] == ("InvalidArgumentException")


def test_shards_are_counted_anew(kinesis: Any, stream: Make) -> None:
    name = stream(2)
    params = {"StreamName": name, "ScalingType": "UNIFORM_SCALING"}
    answer = kinesis.update_shard_count(TargetShardCount=4, **params)
    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (2, 4)
    kinesis.update_shard_count(TargetShardCount=3, **params)
    opened = shards(kinesis, name, ShardFilter={"Type": "AT_LATEST"})
    ranges = sorted(
        (int(each["HashKeyRange"]["StartingHashKey"]), int(each["HashKeyRange"]["EndingHashKey"]))
        for each in opened
    )
    assert len(ranges) == 3
    assert (ranges[0][0], ranges[-1][1]) == (0, 2**128 - 1)
    assert all(before[1] + 1 == after[0] for before, after in itertools.pairwise(ranges))
    code, text = refused(kinesis.update_shard_count, TargetShardCount=7, **params)
    assert code == "InvalidArgumentException"
    assert "up over double" in text


def test_shards_are_listed_by_filter_and_page(kinesis: Any, stream: Make) -> None:
    name = stream(2)
    kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey="7")
    assert ids(shards(kinesis, name)) == [0, 1, 2, 3]
    assert ids(shards(kinesis, name, ShardFilter={"Type": "AT_TRIM_HORIZON"})) == [0, 1]
    assert ids(shards(kinesis, name, ShardFilter={"Type": "AFTER_SHARD_ID", "ShardId": FIRST})) == [
        1,
        2,
        3,
    ]
    assert ids(shards(kinesis, name, ExclusiveStartShardId="shardId-000000000001")) == [2, 3]
    page = kinesis.list_shards(StreamName=name, MaxResults=3)
    rest = kinesis.list_shards(NextToken=page["NextToken"])
    assert (ids(page["Shards"]), ids(rest["Shards"])) == ([0, 1, 2], [3])
    code, _ = refused(kinesis.list_shards, StreamName=name, NextToken=page["NextToken"])
    assert code == "InvalidArgumentException"


def test_a_consumer_is_registered_and_listed(kinesis: Any, stream: Make) -> None:
    name = stream()
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    made = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]
    assert made["ConsumerARN"].startswith(f"{arn}/consumer/c:")
    found = kinesis.describe_stream_consumer(ConsumerARN=made["ConsumerARN"])
    assert found["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE"
    assert [
        each["ConsumerName"] for each in kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]
    ] == ["c"]
    assert refused(kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="c")[0] == (
        "ResourceInUseException"
    )
    assert refused(kinesis.delete_stream, StreamName=name)[0] == "ResourceInUseException"
    kinesis.deregister_stream_consumer(StreamARN=arn, ConsumerName="c")
    assert (
        refused(kinesis.describe_stream_consumer, StreamARN=arn, ConsumerName="c")[0]
        == "ResourceNotFoundException"
    )
    kinesis.delete_stream(StreamName=name)


def test_records_are_pushed_to_a_consumer_as_they_come(kinesis: Any, stream: Make) -> None:
    name = stream()
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]
    kinesis.put_record(StreamName=name, Data=b"old", PartitionKey="k")
    answer = kinesis.subscribe_to_shard(
        ConsumerARN=consumer["ConsumerARN"],
        ShardId=FIRST,
        StartingPosition={"Type": "TRIM_HORIZON"},
    )
    pushed = []
    for event in answer["EventStream"]:
        records = event["SubscribeToShardEvent"]["Records"]
        pushed += [each["Data"] for each in records]
        if pushed == [b"old"]:
            kinesis.put_record(StreamName=name, Data=b"new", PartitionKey="k")
        if [each["Data"] for each in records] == [b"new"]:
            kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=MIDDLE)
        last = event["SubscribeToShardEvent"]
    assert pushed == [b"old", b"new"]
    assert len(last["ChildShards"]) == 2
