"""Polls topics of Kafka, as a member of the mapping's consumer group.

Decides when to connect, where to begin and which partitions are read; each has a lane of its own,
so that records keep their order. Where the group is, is kept by the cluster: what is committed is
done with. Mutable: the partitions that are read, and the lease.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from lambdad.event_source_mappings import metric_names
from lambdad.event_source_mappings.access import Access
from lambdad.event_source_mappings.backoff import Backoff
from lambdad.event_source_mappings.base import FUNCTION_FAILED, OK, Problem
from lambdad.event_source_mappings.brokers import Brokers
from lambdad.event_source_mappings.checkpoints import Checkpoints, Lease, LeaseLost
from lambdad.event_source_mappings.kafka_records import KafkaForm, partition_name
from lambdad.event_source_mappings.pollers.kafka_cluster import KafkaCluster, let_go
from lambdad.event_source_mappings.pollers.kafka_offsets import first_offsets
from lambdad.event_source_mappings.pollers.kafka_partition import REARRANGED, Partition
from lambdad.event_source_mappings.pollers.kafka_topic import Destinations
from lambdad.event_source_mappings.pollers.leasing import take_lease
from lambdad.event_source_mappings.shard_state import Send, Tools

_LOGGER = logging.getLogger(__name__)

_FETCH_MS = 500
_LOOK_S = 10.0


@dataclass(frozen=True, slots=True)
class _Reading:
    """One connection."""

    cluster: KafkaCluster
    consumer: AIOKafkaConsumer
    destinations: Destinations


class KafkaPoller:
    """See `base.Poller`."""

    def __init__(
        self,
        tools: Tools,
        *,
        send: Send,
        brokers: Brokers,
        access: Callable[[], Awaitable[Access]],
        checkpoints: Checkpoints,
        look_s: float = _LOOK_S,
    ) -> None:
        """`send` delivers to destinations; `access` reads the secrets of now.

        `look_s`: how often to see whether brokers are there, less than a lease lasts.
        """
        settings = tools.mapping.settings
        self._tools = tools
        self._send = send
        self._brokers = brokers
        self._access = access
        self._checkpoints = checkpoints
        self._topics = list(settings["Topics"])
        self._group = _group_of(settings, tools.mapping.uuid)
        self._partitions: dict[TopicPartition, Partition] = {}
        self._look_s = look_s
        self._looked = -look_s
        shown = tools.mapping.last_processing_result or ""
        self._troubled = shown.startswith("PROBLEM") and shown != FUNCTION_FAILED

    def stop(self) -> None:
        """See `base.Poller`."""
        self._tools.stopping.stop()

    async def run(self) -> None:
        """See `base.Poller`."""
        tools = self._tools
        lease = await take_lease(self._checkpoints, tools.mapping, tools.stopping)
        if lease is None:
            return
        troubles = Backoff(1.0, 20.0)
        try:
            while not tools.stopping.stopped:
                try:
                    await self._poll(lease, troubles)
                except Problem as problem:
                    tools.counting.error(metric_names.POLLING_ERROR)
                    self._troubled = True
                    await tools.results.show(str(problem))
                    await self._checkpoints.renew(lease)
                    await tools.stopping.pause(troubles.failed())
        except LeaseLost:
            _LOGGER.warning("mapping %s is polled by somebody else now", tools.mapping.uuid)
        finally:
            await asyncio.shield(self._checkpoints.release(lease))

    async def _poll(self, lease: Lease, troubles: Backoff) -> None:
        """Read until polling stops.

        Raises:
            Problem: the cluster cannot be read now.
        """
        brokers = self._brokers.kafka(self._tools.mapping)
        if brokers is None:
            arn = self._tools.mapping.settings["EventSourceArn"]
            raise Problem(f"The brokers of {arn} are not in the table [brokers] of the settings.")
        access = await self._access()
        cluster = await asyncio.to_thread(KafkaCluster, brokers, access)
        destinations = Destinations(cluster, self._send)
        try:
            async with self._joined(cluster) as consumer:
                await self._read(_Reading(cluster, consumer, destinations), lease, troubles)
        except (KafkaError, OSError, TimeoutError) as error:
            raise await cluster.explain(error) from error
        finally:
            await destinations.close()

    @asynccontextmanager
    async def _joined(self, cluster: KafkaCluster) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = cluster.consumer(group=self._group)
        try:
            await self._tools.stopping.unless_stopped(self._subscribed(consumer))
            yield consumer
        finally:
            if not await let_go(consumer.stop()):
                _LOGGER.info("mapping %s left its group without a word", self._group)

    async def _subscribed(self, consumer: AIOKafkaConsumer) -> bool:
        await consumer.start()
        self._check_topics(await consumer.topics())
        consumer.subscribe(self._topics)
        return True

    def _check_topics(self, known: Collection[str]) -> None:
        for topic in self._topics:
            if topic not in known:
                raise Problem(f"Topic {topic} is not in the cluster, or may not be read.")

    async def _read(self, reading: _Reading, lease: Lease, troubles: Backoff) -> None:
        failure: Exception | None = None
        self._partitions = {}
        async with asyncio.TaskGroup() as group:
            try:
                while not self._tools.stopping.stopped:
                    await self._read_once(reading, group)
                    await self._look(reading.consumer, lease, troubles)
            except (KafkaError, OSError, TimeoutError, Problem, LeaseLost) as error:
                # What a function works on is finished before anything else.
                failure = error
            finally:
                for partition in self._partitions.values():
                    partition.stop()
        if failure is not None:
            raise failure

    async def _read_once(self, reading: _Reading, group: asyncio.TaskGroup) -> None:
        consumer = reading.consumer
        self._match(reading, group)
        for place, partition in self._partitions.items():
            if partition.lost:
                continue
            if partition.problem is not None:
                raise partition.problem
            (consumer.pause if partition.lane.full else consumer.resume)(place)
        try:
            got: dict[TopicPartition, list[Any]] | None
            got = await self._tools.stopping.unless_stopped(consumer.getmany(timeout_ms=_FETCH_MS))
        except NoOffsetForPartitionError:
            await self._begin(consumer)
            return
        except OffsetOutOfRangeError as error:
            await self._begin_anew(consumer, error.args[0])
            return
        self._match(reading, group)
        for place, records in (got or {}).items():
            if place in self._partitions:
                await self._partitions[place].deal(records)

    def _match(self, reading: _Reading, group: asyncio.TaskGroup) -> None:
        """Read all partitions that the group has given to this member, and no others."""
        mine = frozenset(reading.consumer.assignment())
        for place in self._partitions.keys() - mine:
            self._partitions[place].lose()
        for place in mine:
            before = self._partitions.get(place)
            if before is None or before.lost:
                name = partition_name(place.topic, place.partition)
                partition = Partition(
                    self._tools,
                    send=reading.destinations.send,
                    form=KafkaForm(self._tools.mapping, reading.cluster.servers, name),
                    consumer=reading.consumer,
                    place=place,
                )
                self._partitions[place] = partition
                group.create_task(partition.run(before))

    async def _begin(self, consumer: AIOKafkaConsumer) -> None:
        """Commit where partitions begin of which the group has read nothing yet."""
        try:
            offsets = await first_offsets(consumer, self._topics, self._tools.mapping.settings)
            if offsets:
                await consumer.commit(offsets)
            for place, offset in offsets.items():
                consumer.seek(place, offset)
        except REARRANGED:
            # The group is being rearranged; partitions are asked for again.
            await self._tools.stopping.pause(0.2)

    async def _begin_anew(
        self, consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, int]
    ) -> None:
        """What comes next is gone: begin with what is left."""
        firsts = await consumer.beginning_offsets(list(wanted))
        for place, offset in wanted.items():
            if firsts[place] < offset and place in self._partitions:
                # The topic was made anew: its offsets are others than those that were seen.
                self._partitions[place].lose()
            consumer.seek(place, firsts[place])

    async def _look(self, consumer: AIOKafkaConsumer, lease: Lease, troubles: Backoff) -> None:
        """Now and then: hold the lease, and see whether brokers and topics are there."""
        now = self._tools.clock.monotonic()
        if now - self._looked < self._look_s:
            return
        self._looked = now
        await self._checkpoints.renew(lease)
        known = await self._tools.stopping.unless_stopped(consumer.topics())
        if known is None:
            return
        self._check_topics(known)
        troubles.succeeded()
        if self._troubled:
            self._troubled = False
            await self._tools.results.show(OK)
        self._tools.counting.lags([each.lag for each in self._partitions.values() if not each.lost])


def _group_of(settings: Mapping[str, Any], uuid: str) -> str:
    for name in ("SelfManagedKafkaEventSourceConfig", "AmazonManagedKafkaEventSourceConfig"):
        if group := (settings.get(name) or {}).get("ConsumerGroupId"):
            return str(group)
    return uuid
