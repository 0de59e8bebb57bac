"""A Kafka cluster as tests see it: topics, what is written to them, mappings and their pollers."""

from __future__ import annotations

import base64
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from lambdad.domain.event_source_mappings import EventSourceMapping, SourceKind
from lambdad.event_source_mappings.access import read_access
from lambdad.event_source_mappings.brokers import Brokers
from lambdad.event_source_mappings.pollers.kafka import KafkaPoller
from lambdad.testing.broker_polling import Polling
from lambdad.testing.brokers import KafkaBroker
from lambdad.testing.event_sources import a_mapping

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


def values(polling: Polling, partition: str | None = None) -> list[str]:
    return [
        base64.b64decode(record["value"]).decode()
        for event in polling.door.events
        for name, records in event["records"].items()
        for record in records
        if partition in (None, name)
    ]
