"""One partition of a topic: what was read of it, how far it is done with, and its lane.

Its progress is the offset that the consumer group has committed, kept by the cluster itself.
Mutable: progress, and whether somebody else reads it now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from lambdad.event_source_mappings import metric_names
from lambdad.event_source_mappings.backoff import Backoff
from lambdad.event_source_mappings.base import Problem
from lambdad.event_source_mappings.filtering import MessageFilters
from lambdad.event_source_mappings.kafka_records import KafkaForm, KafkaRecord, record_of
from lambdad.event_source_mappings.lanes import Lane
from lambdad.event_source_mappings.progress import Progress
from lambdad.event_source_mappings.shard_state import Send, Tools, Work
from lambdad.event_source_mappings.stopping import Stopping
from lambdad.event_source_mappings.windows import Window

# The members of the group are agreeing on who reads what.
REARRANGED = (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
_COMMIT_S = 5.0
_COMMIT_TRIES = 5
_LAST_TRIES = 2


class Partition:
    """See `shard_state.Ordered`."""

    def __init__(
        self,
        tools: Tools,
        *,
        send: Send,
        form: KafkaForm,
        consumer: AIOKafkaConsumer,
        place: TopicPartition,
    ) -> None:
        self._work = Work(
            mapping=tools.mapping,
            form=form,
            calls=tools.calls,
            counting=tools.counting,
            results=tools.results,
            send=send,
            clock=tools.clock,
            stopping=Stopping(tools.stopping.sleep),
        )
        self._consumer = consumer
        self._place = place
        self._filters = MessageFilters.of(tools.mapping)
        self._saving = asyncio.Lock()
        self._saved: str | None = None
        self._counted = 0
        self._next = -1
        self._lost = False
        self.progress = Progress(None)
        self.window: Window | None = None
        self.lane = Lane(self._work, self)
        self.problem: Problem | None = None
        self.ended = asyncio.Event()

    @property
    def shard_id(self) -> str:
        """See `shard_state.Ordered`."""
        return f"{self._place.topic}-{self._place.partition}"

    @property
    def lost(self) -> bool:
        """Whether somebody else reads it now."""
        return self._lost

    @property
    def lag(self) -> int:
        """How many records were written and are not done."""
        highest = self._consumer.highwater(self._place)
        done = -1 if self.progress.sequence is None else int(self.progress.sequence)
        return 0 if highest is None or done < 0 else max(0, highest - done - 1)

    def stop(self) -> None:
        """Take no other batch to the function."""
        self._work.stopping.stop()

    def lose(self) -> None:
        """Somebody else reads it from now on: nothing is committed any more."""
        self._lost = True
        self.stop()

    async def run(self, after: Partition | None) -> None:
        """Deliver what is dealt until it stops, once `after`, who had it before, has ended."""
        try:
            if after is not None:
                await after.ended.wait()
            await self.lane.run()
        except Problem as problem:
            self.problem = problem
        finally:
            self.ended.set()

    async def deal(self, given: Iterable[ConsumerRecord]) -> None:
        """Take records that were read, in order; some may have come before."""
        new = [record for record in given if record.offset >= self._next]
        if not new:
            return
        self._next = new[-1].offset + 1
        now_s = self._work.clock.time()
        records = [record_of(_record(each), read_s=now_s) for each in new]
        self.progress.read(records)
        out = []
        for record, raw in zip(records, new, strict=True):
            data = {"key": raw.key, "value": raw.value}
            if self._filters.passes(record.described, data):
                self.lane.put(record)
            else:
                out.append(record)
        self._work.counting.add(metric_names.POLLED, len(records))
        self._work.counting.add(metric_names.FILTERED_OUT, len(out))
        if out:
            self.progress.done(out)
            try:
                await self.save()
            except Problem as problem:
                self.problem = problem

    async def save(self) -> None:
        """Commit how far it is.

        Raises:
            Problem: the cluster takes no commits.
        """
        async with self._saving:
            sequence = self.progress.sequence
            if sequence is None or sequence == self._saved or self._lost:
                return
            count = self.progress.count
            if await self._commit(int(sequence) + 1):
                self._work.counting.add(metric_names.COMMITTED, count - self._counted)
                self._saved, self._counted = sequence, count

    async def oldest(self) -> int | None:
        """See `shard_state.Ordered`."""
        try:
            async with asyncio.timeout(_COMMIT_S):
                found = await self._consumer.beginning_offsets([self._place])
        except (KafkaError, TimeoutError):
            return None
        return int(found[self._place])

    async def _commit(self, offset: int) -> bool:
        """Commit, again while the group is rearranged; False when the partition was lost."""
        backoff = Backoff(0.2, 2.0)
        while not self._lost:
            try:
                async with asyncio.timeout(_COMMIT_S):
                    await self._consumer.commit({self._place: offset})
            except (KafkaError, TimeoutError) as error:
                self._work.counting.error(metric_names.COMMIT_ERROR)
                delay_s = backoff.failed()
                # Other members may take their time to agree on who reads what.
                ends = self._work.stopping.stopped
                waits = isinstance(error, REARRANGED) and not ends
                if not waits and backoff.failures >= (_LAST_TRIES if ends else _COMMIT_TRIES):
                    text = f"The offsets of {self.shard_id} cannot be committed: {error!r}"
                    raise Problem(text) from error
                await self._work.stopping.sleep(delay_s)
            else:
                return True
        return False


def _record(given: ConsumerRecord) -> KafkaRecord:
    return KafkaRecord(
        topic=given.topic,
        partition=given.partition,
        offset=given.offset,
        timestamp=given.timestamp,
        timestamp_type=given.timestamp_type,
        key=given.key,
        value=given.value,
        headers=given.headers,
    )
