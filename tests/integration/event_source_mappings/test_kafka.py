"""Topics of a real Kafka broker as event sources."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewPartitions, NewTopic, RecordsToDelete
from tests.integration.event_source_mappings.kafka_clusters import (
    MSK_ARN,
    Cluster,
    administering,
    values,
)

from lambdad.domain.event_source_mappings import SourceKind
from lambdad.testing.broker_polling import Polling
from lambdad.testing.brokers import KafkaBroker, Unavailable

pytestmark = pytest.mark.slow


async def test_a_record_arrives_in_the_form_of_aws_and_is_committed(cluster: Cluster) -> None:
    topic = await cluster.topic()
    await cluster.write(
        topic, [b"\x00hello"], key=b"k", timestamp_ms=1_700_000_000_123, headers=[("h", b"a\xff")]
    )
    await cluster.write(topic, [None], key=b"k", timestamp_ms=5)
    polling = Polling()
    async with polling.running(cluster.poller(polling, cluster.mapping(topic))):
        await polling.until(lambda: polling.results.texts == ["OK"])
    assert polling.door.events == [
        {
            "eventSource": "SelfManagedKafka",
            "bootstrapServers": cluster.broker.plain,
            "records": {
                f"{topic}-0": [
                    {
                        "topic": topic,
                        "partition": 0,
                        "offset": 0,
                        "timestamp": 1_700_000_000_123,
                        "timestampType": "CREATE_TIME",
                        "key": "aw==",
                        "value": "AGhlbGxv",
                        "headers": [{"h": [97, -1]}],
                    },
                    {
                        "topic": topic,
                        "partition": 0,
                        "offset": 1,
                        "timestamp": 5,
                        "timestampType": "CREATE_TIME",
                        "key": "aw==",
                        "headers": [],
                    },
                ]
            },
        }
    ]
    assert await cluster.committed(f"group-{topic}", topic) == 2


async def test_a_cluster_of_msk_is_where_the_settings_say(cluster: Cluster) -> None:
    topic = await cluster.topic()
    await cluster.write(topic, [b"x"])
    polling = Polling()
    mapping = cluster.mapping(topic, kind=SourceKind.MSK, EventSourceArn=MSK_ARN)
    async with polling.running(cluster.poller(polling, mapping)):
        await polling.until(lambda: polling.results.texts)
    assert "table [brokers]" in str(polling.results.texts[0])
    poller = cluster.poller(polling, mapping, {MSK_ARN: cluster.broker.plain})
    async with polling.running(poller):
        await polling.until(lambda: polling.door.events)
    [event] = polling.door.events
    assert list(event) == ["eventSource", "eventSourceArn", "bootstrapServers", "records"]
    assert (event["eventSource"], event["eventSourceArn"]) == ("aws:kafka", MSK_ARN)


async def test_partitions_keep_their_order_through_failures_and_wait_for_none(
    cluster: Cluster,
) -> None:
    failed: set[str] = set()

    def answer(event: Any) -> None:
        for name, records in event["records"].items():
            for record in records:
                text = base64.b64decode(record["value"]).decode()
                if text.endswith(":7") and text not in failed:
                    failed.add(text)
                    raise ValueError(name)

    topic = await cluster.topic(partitions=3)
    polling = Polling(answer)
    for partition in range(3):
        texts = [f"{partition}:{number}" for number in range(20)]
        await cluster.write(topic, [text.encode() for text in texts], partition=partition)
    async with polling.running(cluster.poller(polling, cluster.mapping(topic, BatchSize=4))):
        await polling.until(lambda: all(f"{each}:19" in values(polling) for each in range(3)))
    assert len(failed) == 3
    for partition in range(3):
        seen = values(polling, f"{topic}-{partition}")
        expected = [f"{partition}:{number}" for number in range(20)]
        # What failed came twice, and nothing overtook it.
        assert seen.count(f"{partition}:7") == 2
        assert list(dict.fromkeys(seen)) == expected
        assert await cluster.committed(f"group-{topic}", topic, partition) == 20
    assert polling.door.most > 1


async def test_who_comes_after_a_crash_goes_on_behind_what_was_committed(cluster: Cluster) -> None:
    topic = await cluster.topic()
    await cluster.write(topic, [b"1", b"2"])
    mapping = cluster.mapping(topic)
    polling = Polling()
    async with polling.running(cluster.poller(polling, mapping)):
        await polling.until(lambda: polling.results.texts == ["OK"])
    await cluster.write(topic, [b"3"])
    after = Polling()
    async with after.running(cluster.poller(after, mapping)):
        await after.until(lambda: values(after) == ["3"])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"StartingPosition": "TRIM_HORIZON"}, ["old", "middle", "new"]),
        ({"StartingPosition": "LATEST"}, ["new"]),
        (
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_700_000_050.0},
            ["middle", "new"],
        ),
    ],
)
async def test_reading_begins_where_the_mapping_says(
    cluster: Cluster, settings: dict[str, Any], expected: list[str]
) -> None:
    topic = await cluster.topic()
    await cluster.write(topic, [b"old"], timestamp_ms=1_700_000_000_000)
    await cluster.write(topic, [b"middle"], timestamp_ms=1_700_000_100_000)
    polling = Polling()
    mapping = cluster.mapping(topic, **settings)
    async with polling.running(cluster.poller(polling, mapping)):
        while await cluster.committed(f"group-{topic}", topic) is None:
            pass
        await cluster.write(topic, [b"new"])
        await polling.until(lambda: values(polling) == expected)


async def test_a_partition_that_comes_later_is_read_whole(cluster: Cluster) -> None:
    topic = await cluster.topic()
    mapping = cluster.mapping(topic, StartingPosition="LATEST")
    polling = Polling()
    async with polling.running(cluster.poller(polling, mapping)):
        while await cluster.committed(f"group-{topic}", topic) is None:
            pass
    async with administering(cluster.broker.plain) as admin:
        await admin.create_partitions({topic: NewPartitions(total_count=2)})
    await cluster.write(topic, [b"early"], partition=1)
    async with polling.running(cluster.poller(polling, mapping)):
        await polling.until(lambda: values(polling) == ["early"])


async def test_filters_see_key_and_value_and_what_they_hold_back_is_committed(
    cluster: Cluster,
) -> None:
    topic = await cluster.topic()
    await cluster.write(topic, [b'{"kind": "other"}', b'{"kind": "wanted"}', b'{"kind": "last"}'])
    polling = Polling()
    pattern = json.dumps({"value": {"kind": ["wanted"]}, "partition": [0]})
    mapping = cluster.mapping(
        topic,
        FilterCriteria={"Filters": [{"Pattern": pattern}]},
        MetricsConfig={"Metrics": ["EventCount"]},
    )
    async with polling.running(cluster.poller(polling, mapping)):
        await polling.until(lambda: polling.results.texts == ["OK"])
    assert values(polling) == ['{"kind": "wanted"}']
    assert await cluster.committed(f"group-{topic}", topic) == 3
    counted = {
        name: polling.metrics.total(name)
        for name in ("PolledEventCount", "FilteredOutEventCount", "CommittedEventCount")
    }
    assert counted == {
        "PolledEventCount": 3,
        "FilteredOutEventCount": 2,
        "CommittedEventCount": 3,
    }


async def test_only_what_a_function_reports_is_tried_again(cluster: Cluster) -> None:
    topic = await cluster.topic()
    reported: list[int] = []

    def answer(event: Any) -> Any:
        offsets = [record["offset"] for record in event["records"][f"{topic}-0"]]
        if 2 in offsets and not reported:
            reported.append(2)
            named = {"partition": f"{topic}-0", "offset": 2}
            return {"batchItemFailures": [{"itemIdentifier": named}]}
        return None

    await cluster.write(topic, [b"0", b"1", b"2", b"3"])
    polling = Polling(answer)
    mapping = cluster.mapping(
        topic,
        ProvisionedPollerConfig={"MinimumPollers": 1, "MaximumPollers": 1},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    async with polling.running(cluster.poller(polling, mapping)):
        await polling.until(lambda: len(values(polling)) == 6)
    assert values(polling) == ["0", "1", "2", "3", "2", "3"]


def _always_fails(event: Any) -> None:
    raise ValueError("no")


async def test_what_is_given_up_is_told_to_a_queue_and_to_a_topic(cluster: Cluster) -> None:
    topic, letters = await cluster.topic(), await cluster.topic()
    await cluster.write(topic, [b"poison"], key=b"k", timestamp_ms=1_700_000_000_123)
    queue = "arn:aws:sqs:us-east-1:000000000000:failed"
    provisioned = {"MinimumPollers": 1, "MaximumPollers": 1}
    polling = Polling(_always_fails)
    mapping = cluster.mapping(
        topic,
        MaximumRetryAttempts=1,
        ProvisionedPollerConfig=provisioned,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    async with polling.running(cluster.poller(polling, mapping)):
        await polling.until(lambda: polling.sent)
    document = json.loads(polling.sent[0].payload)
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 2
    told = document["KafkaBatchInfo"]
    assert told["bootstrapServers"] == cluster.broker.plain
    assert told["batchSize"] == 1
    assert told["recordsInfo"] == {
        f"{topic}-0": {
            "firstRecordOffset": "0",
            "lastRecordOffset": "0",
            "firstRecordTimestamp": "2023-11-14T22:13:20.123Z",
            "lastRecordTimestamp": "2023-11-14T22:13:20.123Z",
        }
    }
    mapping = cluster.mapping(
        topic,
        MaximumRetryAttempts=0,
        ProvisionedPollerConfig=provisioned,
        DestinationConfig={"OnFailure": {"Destination": f"kafka://{letters}"}},
    )
    await cluster.write(topic, [b"venom"], key=b"k")
    consumer = AIOKafkaConsumer(
        letters, bootstrap_servers=cluster.broker.plain, auto_offset_reset="earliest"
    )
    async with polling.running(cluster.poller(polling, mapping)), consumer:
        letter = await consumer.getone()
    assert letter.key == b"k"
    document = json.loads(letter.value)
    assert document["requestContext"]["condition"] == "RetriesExhausted"
    assert document["requestContext"]["functionArn"].endswith(":$LATEST")
    assert document["KafkaBatchInfo"]["recordInfo"]["offset"] == "1"
    [[record]] = document["payload"]["records"].values()
    assert base64.b64decode(record["value"]) == b"venom"


async def test_partitions_move_to_another_member_of_the_group_and_back(cluster: Cluster) -> None:
    topic = await cluster.topic(partitions=2)
    polling = Polling()
    async with polling.running(cluster.poller(polling, cluster.mapping(topic))):
        await cluster.write(topic, [b"0:1"], partition=0)
        await cluster.write(topic, [b"1:1"], partition=1)
        await polling.until(lambda: {"0:1", "1:1"} <= set(values(polling)))
        async with AIOKafkaConsumer(
            topic,
            bootstrap_servers=cluster.broker.plain,
            group_id=f"group-{topic}",
            auto_offset_reset="earliest",
        ) as other:
            while not other.assignment():
                await other.getmany(timeout_ms=100)
            [theirs] = other.assignment()
            ours = 1 - theirs.partition
            await cluster.write(topic, [b"theirs"], partition=theirs.partition)
            await cluster.write(topic, [b"ours"], partition=ours)
            found = await other.getone()
            assert found.value == b"theirs"
            await polling.until(lambda: "ours" in values(polling))
            assert "theirs" not in values(polling)
        await cluster.write(topic, [b"again"], partition=theirs.partition)
        await polling.until(lambda: "again" in values(polling))
    assert sorted(values(polling)) == ["0:1", "1:1", "again", "ours"]


async def test_records_that_the_topic_has_lost_are_not_tried_for_ever(cluster: Cluster) -> None:
    def answer(event: Any) -> None:
        if b"poison" in base64.b64decode(event["records"][f"{topic}-0"][0]["value"]):
            raise ValueError("no")

    topic = await cluster.topic()
    await cluster.write(topic, [b"poison", b"fine"])
    polling = Polling(answer)
    async with polling.running(cluster.poller(polling, cluster.mapping(topic, BatchSize=1))):
        await polling.until(lambda: polling.door.events)
        async with administering(cluster.broker.plain) as admin:
            gone = {TopicPartition(topic, 0): RecordsToDelete(before_offset=1)}
            await admin.delete_records(gone)
        await polling.until(lambda: values(polling)[-1] == "fine")
    assert await cluster.committed(f"group-{topic}", topic) == 2


async def test_reading_goes_on_where_the_topic_begins_when_what_was_next_is_gone(
    cluster: Cluster,
) -> None:
    topic = await cluster.topic()
    mapping = cluster.mapping(topic)
    polling = Polling()
    async with polling.running(cluster.poller(polling, mapping)):
        while await cluster.committed(f"group-{topic}", topic) is None:
            pass
    await cluster.write(topic, [b"gone", b"gone too", b"left"])
    async with administering(cluster.broker.plain) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=2)})
    async with polling.running(cluster.poller(polling, mapping)):
        await polling.until(lambda: values(polling) == ["left"])
    async with administering(cluster.broker.plain) as admin:
        await admin.delete_topics([topic])
        await admin.create_topics([NewTopic(topic, 1, 1)])
    await cluster.write(topic, [b"new"])
    async with polling.running(cluster.poller(polling, mapping)):
        await polling.until(lambda: values(polling) == ["left", "new"])


async def test_a_function_that_hangs_delays_no_other_partition(cluster: Cluster) -> None:
    topic = await cluster.topic(partitions=2)
    await cluster.write(topic, [b"slow"], partition=0)
    polling = Polling()
    polling.door.gate.clear()
    async with polling.running(cluster.poller(polling, cluster.mapping(topic))):
        await polling.until(lambda: polling.door.running == 1)
        await cluster.write(topic, [b"other"], partition=1)
        await polling.until(lambda: polling.door.running == 2)
        polling.door.gate.set()
        await polling.until(lambda: len(values(polling)) == 2)


async def test_brokers_that_go_away_are_noticed_and_do_not_hold_the_poller(tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path)
    try:
        broker.start()
        cluster = Cluster(broker)
        topic = await cluster.topic()
        await cluster.write(topic, [b"x"])
        polling = Polling()
        mapping = cluster.mapping(topic, MetricsConfig={"Metrics": ["EventCount"]})
        async with polling.running(cluster.poller(polling, mapping, look_s=0.5)):
            await polling.until(lambda: polling.metrics.total("CommittedEventCount"))
            broker.stop()
            await polling.until(lambda: polling.results.texts[1:])
        assert str(polling.results.texts[1]).startswith("PROBLEM: Connection error. Please check")
    except Unavailable as reason:
        pytest.skip(str(reason))
    finally:
        broker.stop()
