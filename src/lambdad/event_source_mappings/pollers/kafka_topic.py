"""Tells a topic of records that were given up; all other destinations hear through the queue."""

from __future__ import annotations

import asyncio
import base64
import json

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from lambdad.domain.async_events import AsyncEvent
from lambdad.event_source_mappings.base import Problem
from lambdad.event_source_mappings.discards import TOPIC
from lambdad.event_source_mappings.pollers.kafka_cluster import KafkaCluster, let_go
from lambdad.event_source_mappings.shard_state import Send

_SEND_S = 30.0


class Destinations:
    """Of one mapping. Mutable: the producer, once there was something to tell a topic."""

    def __init__(self, cluster: KafkaCluster, send: Send) -> None:
        """`send` takes what is not for a topic."""
        self._cluster = cluster
        self._send = send
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, event: AsyncEvent) -> None:
        """Deliver, and return when that is durable.

        Raises:
            Problem: the topic takes nothing.
        """
        target = event.target or ""
        if not target.startswith(TOPIC):
            await self._send(event)
            return
        topic = target.removeprefix(TOPIC)
        try:
            async with asyncio.timeout(_SEND_S):
                producer = await self._started()
                await producer.send_and_wait(topic, event.payload, key=_key(event.payload))
        except (KafkaError, TimeoutError) as error:
            text = f"The on-failure destination {target} takes nothing: {error!r}"
            raise Problem(text) from error

    async def close(self) -> None:
        """Let go of the connection."""
        if self._producer is not None:
            await let_go(self._producer.stop())

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = self._cluster.producer()
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer


def _key(payload: bytes) -> bytes | None:
    """Return the key of the one record that is told of."""
    [[record]] = json.loads(payload)["payload"]["records"].values()
    key = record.get("key")
    return None if key is None else base64.b64decode(key)
