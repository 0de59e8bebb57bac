"""Streams and what can be changed of them."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.kinesis.conftest import kinesis_client, refused

from lambdad.testing.daemon import DaemonProcess

Make = Callable[..., str]


def summary(kinesis: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = kinesis.describe_stream_summary(StreamName=name)[
        "StreamDescriptionSummary"
    ]
    return found


def test_a_stream_is_described_as_it_was_made(kinesis: Any, stream: Make) -> None:
    name = stream(2, Tags={"a": "1"})
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    found = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    assert found["StreamARN"] == f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}"
    assert found["StreamStatus"] == "ACTIVE"
    assert found["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    assert found["RetentionPeriodHours"] == 24
    assert found["EncryptionType"] == "NONE"
    assert found["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]
    first, second = found["Shards"]
    assert first["HashKeyRange"] == {
        "StartingHashKey": "0",
        "EndingHashKey": "170141183460469231731687303715884105727",
    }
    assert second["HashKeyRange"]["EndingHashKey"] == "340282366920938463463374607431768211455"
    assert not found["HasMoreShards"]
    assert summary(kinesis, name)["OpenShardCount"] == 2
    by_arn = kinesis.describe_stream_summary(StreamARN=found["StreamARN"])
    assert by_arn["StreamDescriptionSummary"]["StreamName"] == name
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "a", "Value": "1"}]


def test_a_deleted_stream_is_gone_with_its_name_free(kinesis: Any, stream: Make) -> None:
    name = stream()
    kinesis.put_record(StreamName=name, Data=b"old", PartitionKey="k")
    kinesis.delete_stream(StreamName=name)
    kinesis.get_waiter("stream_not_exists").wait(StreamName=name)
    code, text = refused(kinesis.describe_stream, StreamName=name)
    assert (code, text) == (
        "ResourceNotFoundException",
        f"Stream {name} under account 000000000000 not found.",
    )
    kinesis.create_stream(StreamName=name, ShardCount=1)
    iterator = kinesis.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert kinesis.get_records(ShardIterator=iterator)["Records"] == []


def test_an_on_demand_stream_has_four_shards(kinesis: Any, a_name: Callable[[], str]) -> None:
    name = a_name()
    kinesis.create_stream(StreamName=name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    assert summary(kinesis, name)["OpenShardCount"] == 4
    code, _ = refused(
        kinesis.update_shard_count,
        StreamName=name,
        TargetShardCount=8,
        ScalingType="UNIFORM_SCALING",
    )
    assert code == "ValidationException"
    arn = summary(kinesis, name)["StreamARN"]
    kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "PROVISIONED"})
    assert summary(kinesis, name)["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}


def test_names_are_taken_once_and_shards_must_be_counted(kinesis: Any, stream: Make) -> None:
    name = stream()
    assert refused(kinesis.create_stream, StreamName=name, ShardCount=1)[0] == (
        "ResourceInUseException"
    )
    assert refused(kinesis.create_stream, StreamName="uncounted")[0] == "ValidationException"
    assert refused(kinesis.create_stream, StreamName="a b", ShardCount=1)[0] == (
        "ValidationException"
    )
    assert refused(kinesis.describe_stream)[0] == "InvalidArgumentException"


def test_retention_is_between_a_day_and_a_year(kinesis: Any, stream: Make) -> None:
    name = stream()
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    assert summary(kinesis, name)["RetentionPeriodHours"] == 48
    kinesis.decrease_stream_retention_period(StreamName=name, RetentionPeriodHours=24)
    assert summary(kinesis, name)["RetentionPeriodHours"] == 24
    for call, hours in (
        (kinesis.increase_stream_retention_period, 8_761),
        (kinesis.decrease_stream_retention_period, 23),
        (kinesis.decrease_stream_retention_period, 48),
    ):
        code, _ = refused(call, StreamName=name, RetentionPeriodHours=hours)
        assert code == "InvalidArgumentException"


def test_encryption_and_monitoring_are_kept(kinesis: Any, stream: Make) -> None:
    name = stream()
    kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/k")
    assert summary(kinesis, name)["KeyId"] == "alias/k"
    put = kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k")
    assert put["EncryptionType"] == "KMS"
    kinesis.stop_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/k")
    assert summary(kinesis, name)["EncryptionType"] == "NONE"
    kinesis.enable_enhanced_monitoring(StreamName=name, ShardLevelMetrics=["ALL"])
    after = kinesis.disable_enhanced_monitoring(
        StreamName=name, ShardLevelMetrics=["IncomingBytes"]
    )
    assert len(after["CurrentShardLevelMetrics"]) == len(after["DesiredShardLevelMetrics"]) + 1


def test_tags_and_policies_of_streams(kinesis: Any, stream: Make) -> None:
    name = stream()
    arn = summary(kinesis, name)["StreamARN"]
    kinesis.add_tags_to_stream(StreamName=name, Tags={"a": "1", "b": "2"})
    kinesis.tag_resource(ResourceARN=arn, Tags={"c": "3"})
    page = kinesis.list_tags_for_stream(StreamName=name, Limit=2)
    assert [each["Key"] for each in page["Tags"]] == ["a", "b"]
    assert page["HasMoreTags"]
    kinesis.remove_tags_from_stream(StreamName=name, TagKeys=["a"])
    kinesis.untag_resource(ResourceARN=arn, TagKeys=["b"])
    assert kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "3"}]
    kinesis.put_resource_policy(ResourceARN=arn, Policy='{"Version":"2012-10-17"}')
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == '{"Version":"2012-10-17"}'
    kinesis.delete_resource_policy(ResourceARN=arn)
    assert kinesis.get_resource_policy(ResourceARN=arn)["Policy"] == "{}"


def test_streams_are_listed_page_by_page(daemon: DaemonProcess) -> None:
    kinesis = kinesis_client(daemon.endpoint_url, account="300000000003")
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        kinesis.create_stream(StreamName=name, ShardCount=1)
    pages = kinesis.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 2})
    assert [name for page in pages for name in page["StreamNames"]] == names
    limits = kinesis.describe_limits()
    assert limits["OpenShardCount"] == 5
    assert limits["OnDemandStreamCount"] == 0


def test_channels_are_not_there_and_that_is_said(kinesis: Any) -> None:
    code, text = refused(kinesis.list_channels)
    assert (code, text) == (
        "NotImplementedException",
        "kinesis:ListChannels is not implemented by lambdad yet.",
    )


def test_who_speaks_cbor_is_told_how_to_speak_json(daemon: DaemonProcess) -> None:
    request = urllib.request.Request(  # noqa: S310 - the daemon's address
        daemon.endpoint_url,
        data=b"\xa0",
        headers={
            "Content-Type": "application/x-amz-cbor-1.1",
            "X-Amz-Target": "Kinesis_20131202.ListStreams",
        },
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)  # noqa: S310
    with caught.value as answer:
        assert answer.code == 400
        assert b"CBOR_ENABLED=false" in answer.read()
