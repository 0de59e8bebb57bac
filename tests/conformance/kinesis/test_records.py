"""Records: where they go, in which order they come back, and from where one can begin."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.conformance.kinesis.conftest import kinesis_client, read_all, refused

from lambdad.testing.daemon import DaemonProcess

Make = Callable[..., str]
SHARD = "shardId-000000000000"
MIB = 1024 * 1024


def put(kinesis: Any, name: str, data: bytes, key: str = "k") -> str:
    number: str = kinesis.put_record(StreamName=name, Data=data, PartitionKey=key)["SequenceNumber"]
    return number


def test_a_record_comes_back_as_it_was_put(kinesis: Any, stream: Make) -> None:
    name = stream()
    answer = kinesis.put_record(StreamName=name, Data=b"\0\xff", PartitionKey="ключ")
    assert (answer["ShardId"], answer["EncryptionType"]) == (SHARD, "NONE")
    (record,) = read_all(kinesis, name, SHARD)
    assert (record["Data"], record["PartitionKey"]) == (b"\0\xff", "ключ")
    assert record["SequenceNumber"] == answer["SequenceNumber"]
    age = datetime.now(UTC) - record["ApproximateArrivalTimestamp"]
    assert timedelta(seconds=-1) < age < timedelta(minutes=5)


def test_the_md5_of_the_partition_key_decides_the_shard(kinesis: Any, stream: Make) -> None:
    name = stream(3)
    shards = kinesis.list_shards(StreamName=name)["Shards"]
    for number in range(20):
        key = f"key-{number}"
        put_to = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey=key)["ShardId"]
        hashed = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest(), 16)
        (wanted,) = [
            each["ShardId"]
            for each in shards
            if int(each["HashKeyRange"]["StartingHashKey"])
            <= hashed
            <= int(each["HashKeyRange"]["EndingHashKey"])
        ]
        assert put_to == wanted
    for each in shards:
        for end in each["HashKeyRange"].values():
            placed = kinesis.put_record(
                StreamName=name, Data=b"x", PartitionKey="any", ExplicitHashKey=end
            )
            assert placed["ShardId"] == each["ShardId"]


def test_sequence_numbers_grow_and_order_is_kept(kinesis: Any, stream: Make) -> None:
    name = stream()
    entries = [{"Data": b"%d" % number, "PartitionKey": "k"} for number in range(500)]
    batch = kinesis.put_records(StreamName=name, Records=entries)
    last = int(put(kinesis, name, b"500"))
    numbers = [int(each["SequenceNumber"]) for each in batch["Records"]]
    assert batch["FailedRecordCount"] == 0
    assert numbers == sorted(set(numbers))
    assert last > numbers[-1]
    assert [int(each["Data"]) for each in read_all(kinesis, name, SHARD)] == list(range(501))


def test_reading_begins_where_it_was_asked_to(kinesis: Any, stream: Make) -> None:
    name = stream()
    numbers = [put(kinesis, name, b"%d" % index) for index in range(3)]

    def data(kind: str, **start: Any) -> list[bytes]:
        return [each["Data"] for each in read_all(kinesis, name, SHARD, kind=kind, **start)]

    assert data("TRIM_HORIZON") == [b"0", b"1", b"2"]
    assert data("AT_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == [b"1", b"2"]
    assert data("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=numbers[1]) == [b"2"]
    assert data("LATEST") == []
    assert data("AT_TIMESTAMP", Timestamp=datetime.now(UTC) - timedelta(hours=1)) == [
        b"0",
        b"1",
        b"2",
    ]
    (first, *_) = kinesis.list_shards(StreamName=name)["Shards"]
    begin = first["SequenceNumberRange"]["StartingSequenceNumber"]
    assert len(data("AT_SEQUENCE_NUMBER", StartingSequenceNumber=begin)) == 3


def test_latest_means_what_comes_after_the_iterator_was_made(kinesis: Any, stream: Make) -> None:
    name = stream()
    put(kinesis, name, b"before")
    iterator = kinesis.get_shard_iterator(
        StreamName=name, ShardId=SHARD, ShardIteratorType="LATEST"
    )["ShardIterator"]
    put(kinesis, name, b"after")
    answer = kinesis.get_records(ShardIterator=iterator)
    assert [each["Data"] for each in answer["Records"]] == [b"after"]
    assert answer["MillisBehindLatest"] == 0


def test_a_limit_leaves_the_rest_for_the_next_iterator(kinesis: Any, stream: Make) -> None:
    name = stream()
    for index in range(3):
        put(kinesis, name, b"%d" % index)
    iterator = kinesis.get_shard_iterator(
        StreamName=name, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    first = kinesis.get_records(ShardIterator=iterator, Limit=2)
    assert len(first["Records"]) == 2
    assert first["MillisBehindLatest"] > 0
    second = kinesis.get_records(ShardIterator=first["NextShardIterator"])
    assert [each["Data"] for each in second["Records"]] == [b"2"]


def test_a_record_has_up_to_a_mebibyte_or_ten_if_the_stream_says_so(
    kinesis: Any, stream: Make
) -> None:
    name = stream()
    put(kinesis, name, b"x" * (MIB - 1))
    code, text = refused(
        kinesis.put_record, StreamName=name, Data=b"x" * (MIB + 1), PartitionKey="k"
    )
    assert code == "InvalidArgumentException"
    assert "exceed the maximum" in text
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=10_240)
    put(kinesis, name, b"x" * (5 * MIB))
    big = b"x" * (6 * MIB)
    entries = [{"Data": big, "PartitionKey": "k"}] * 2
    code, _ = refused(kinesis.put_records, StreamName=name, Records=entries)
    assert code == "InvalidArgumentException"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}, "InvalidArgumentException"),
        ({"ShardIteratorType": "AT_TIMESTAMP"}, "InvalidArgumentException"),
        (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": "12"},
            "InvalidArgumentException",
        ),
        ({"ShardIteratorType": "SOMEWHERE"}, "ValidationException"),
        ({"ShardIteratorType": "LATEST", "ShardId": "shardId-9"}, "ResourceNotFoundException"),
    ],
)
def test_iterators_that_cannot_be(
    kinesis: Any, stream: Make, params: dict[str, Any], code: str
) -> None:
    name = stream()
    found, _ = refused(
        kinesis.get_shard_iterator, **{"StreamName": name, "ShardId": SHARD, **params}
    )
    assert found == code


def test_what_is_no_iterator_is_refused(kinesis: Any) -> None:
    assert refused(kinesis.get_records, ShardIterator="AAAA")[0] == "InvalidArgumentException"


def test_a_dry_run_stores_nothing(kinesis: Any, stream: Make) -> None:
    name = stream()
    code, _ = refused(kinesis.put_record, StreamName=name, Data=b"x", PartitionKey="k", DryRun=True)
    assert code == "DryRunOperationException"
    assert read_all(kinesis, name, SHARD) == []


def test_other_accounts_and_regions_have_streams_of_their_own(
    daemon: DaemonProcess, kinesis: Any, stream: Make
) -> None:
    name = stream()
    iterator = kinesis.get_shard_iterator(
        StreamName=name, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    for other in (
        kinesis_client(daemon.endpoint_url, region="eu-west-1"),
        kinesis_client(daemon.endpoint_url, account="200000000002"),
    ):
        code, _ = refused(other.put_record, StreamName=name, Data=b"x", PartitionKey="k")
        assert code == "ResourceNotFoundException"
    stranger = kinesis_client(daemon.endpoint_url, account="200000000002")
    assert refused(stranger.get_records, ShardIterator=iterator)[0] == "ResourceNotFoundException"
