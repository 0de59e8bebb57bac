"""Topics of a real Kafka broker as event sources."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete

from lambdad.domain.event_source_mappings import EventSourceMapping, SourceKind
from lambdad.event_source_mappings.access import read_access
from lambdad.event_source_mappings.brokers import Brokers
from lambdad.event_source_mappings.pollers.kafka import KafkaPoller
from lambdad.testing.broker_polling import Polling, Secrets
from lambdad.testing.brokers import PASSWORD, USER, KafkaBroker, Unavailable
from lambdad.testing.event_sources import a_mapping

pytestmark = pytest.mark.slow

_NUMBERS = itertools.count(1)
MSK_ARN = "arn:aws:kafka:us-east-1:000000000000:cluster/demo/0123abcd-1"


@asynccontextmanager
async def administering(address: str) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


class Cluster:
    """Topics, what is written to them, and mappings of them."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.broker = broker

    async def topic(self, partitions: int = 1) -> str:
        name = f"topic-{next(_NUMBERS)}"
        async with administering(self.broker.plain) as admin:
            await admin.create_topics([NewTopic(name, partitions, 1)])
        return name

    async def write(
        self, topic: str, values: Sequence[bytes | None], *, partition: int = 0, **more: Any
    ) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.broker.plain) as producer:
            for value in values:
                await producer.send(topic, value, partition=partition, **more)

    async def committed(self, group: str, topic: str, partition: int = 0) -> int | None:
        async with AIOKafkaConsumer(
            bootstrap_servers=self.broker.plain, group_id=group, enable_auto_commit=False
        ) as consumer:
            return await consumer.committed(TopicPartition(topic, partition))

    def mapping(
        self,
        topic: str,
        *,
        kind: SourceKind = SourceKind.SELF_MANAGED_KAFKA,
        server: str | None = None,
        **settings: Any,
    ) -> EventSourceMapping:
        servers = [server or self.broker.plain]
        given: dict[str, Any] = {
            "Topics": [topic],
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}},
            "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": f"group-{topic}"},
            "MaximumBatchingWindowInSeconds": 0,
        }
        return a_mapping(kind, **given, **settings)

    def poller(
        self,
        polling: Polling,
        mapping: EventSourceMapping,
        table: Mapping[str, str] | None = None,
        **options: float,
    ) -> KafkaPoller:
        return KafkaPoller(
            polling.tools(mapping),
            send=polling.send,
            brokers=Brokers(table or {}),
            access=partial(read_access, mapping, polling.secrets),
            checkpoints=polling.checkpoints(),
            **options,
        )


@pytest.fixture
def cluster(kafka_broker: KafkaBroker) -> Cluster:
    return Cluster(kafka_broker)


def values(polling: Polling, partition: str | None = None) -> list[str]:
    return [
        base64.b64decode(record["value"]).decode()
        for event in polling.door.events
        for name, records in event["records"].items()
        for record in records
        if partition in (None, name)
    ]


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


@pytest.mark.parametrize("kind", ["BASIC_AUTH", "SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH"])
async def test_logins_with_and_without_tls(cluster: Cluster, kind: str) -> None:
    topic = await cluster.topic()
    await cluster.write(topic, [b"x"])
    polling = Polling()
    polling.secrets.secrets = {
        "login": {"username": USER, "password": PASSWORD},
        "ca": {"certificate": cluster.broker.authority},
    }
    login = {"Type": kind, "URI": Secrets.arn("login")}
    authority = {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": Secrets.arn("ca")}
    guarded = cluster.mapping(
        topic, server=cluster.broker.guarded, SourceAccessConfigurations=[login]
    )
    async with polling.running(cluster.poller(polling, guarded)):
        await polling.until(lambda: values(polling) == ["x"])
    await cluster.write(topic, [b"y"])
    encrypted = cluster.mapping(
        topic, server=cluster.broker.encrypted, SourceAccessConfigurations=[login, authority]
    )
    async with polling.running(cluster.poller(polling, encrypted)):
        await polling.until(lambda: values(polling)[-1] == "y")


async def test_a_certificate_of_the_client_s_own_lets_in_and_another_does_not(
    cluster: Cluster,
) -> None:
    topic, broker = await cluster.topic(), cluster.broker
    await cluster.write(topic, [b"x"])
    polling = Polling()
    own = {"certificate": broker.authority, "privateKey": broker.key}
    polling.secrets.secrets = {
        "ca": {"certificate": broker.authority},
        "own": {**own, "privateKeyPassword": PASSWORD},
        "locked": {**own, "privateKeyPassword": "rabbit"},
    }
    authority = {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": Secrets.arn("ca")}
    for name, expected in (
        ("locked", "PROBLEM: Provided certificate or private key is invalid"),
        ("own", "OK"),
    ):
        certificate = {"Type": "CLIENT_CERTIFICATE_TLS_AUTH", "URI": Secrets.arn(name)}
        mapping = cluster.mapping(
            topic, server=broker.mutual, SourceAccessConfigurations=[authority, certificate]
        )
        async with polling.running(cluster.poller(polling, mapping)):
            await polling.until(lambda: expected in polling.results.texts)  # noqa: B023
    assert values(polling) == ["x"]


async def test_what_is_wrong_with_the_cluster_is_said_in_the_words_of_aws(
    cluster: Cluster,
) -> None:
    topic = await cluster.topic()
    polling = Polling()
    polling.secrets.secrets = {
        "wrong": {"username": USER, "password": "rabbit"},
        "right": {"username": USER, "password": PASSWORD},
        "none": {"certificate": "no certificate"},
    }
    wrong = {"Type": "SASL_SCRAM_512_AUTH", "URI": Secrets.arn("wrong")}
    right = {"Type": "SASL_SCRAM_512_AUTH", "URI": Secrets.arn("right")}
    absent = {"Type": "SASL_SCRAM_512_AUTH", "URI": Secrets.arn("absent")}
    none = {"Type": "SERVER_ROOT_CA_CERTIFICATE", "URI": Secrets.arn("none")}
    broker = cluster.broker
    trusting = {broker.encrypted: f"SASL_SSL://{broker.encrypted}"}
    for server, access, table, expected in (
        (broker.guarded, [wrong], {}, "SASL authentication failed"),
        (broker.encrypted, [right], trusting, "Lambda failed to authenticate server"),
        (broker.plain, [none], {}, "Provided certificate or private key is invalid"),
        (broker.plain, [absent], {}, "Cannot access secret manager value arn:"),
        ("127.0.0.1:1", [], {}, "Connection error. Please check your event source connection"),
    ):
        mapping = cluster.mapping(topic, server=server, SourceAccessConfigurations=access)
        polling.results.texts.clear()
        async with polling.running(cluster.poller(polling, mapping, table)):
            await polling.until(lambda: polling.results.texts)
        assert str(polling.results.texts[0]).startswith(f"PROBLEM: {expected}")
    polling.results.texts.clear()
    async with polling.running(cluster.poller(polling, cluster.mapping("nowhere"))):
        await polling.until(lambda: polling.results.texts)
    assert str(polling.results.texts[0]).startswith("PROBLEM: Topic nowhere is not in the cluster")


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
