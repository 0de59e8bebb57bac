"""All streams of this daemon: which there are, and what is done without being asked.

Mutable: the streams by key and by id, on the event loop alone and only after the database has
changed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

from lambdad.domain.clock import Clock
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.kinesis import rows
from lambdad.neighbours.kinesis.errors import ResourceInUseException, no_stream
from lambdad.neighbours.kinesis.log import RecordLog
from lambdad.neighbours.kinesis.model import (
    Consumer,
    Shard,
    Stream,
    StreamKey,
    hash_ranges,
    position_at,
)
from lambdad.storage.database import Database

_SWEEP_S = 60.0


class Streams:
    """What Kinesis's operations call; `log` is what others in this process may use, too."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self.db = db
        self.clock = clock
        self.log = RecordLog(db, clock, self.find_id)
        self.stopping = asyncio.Event()
        self.subscriptions: dict[tuple[int, int], asyncio.Event] = {}
        self._streams: dict[StreamKey, Stream] = {}
        self._ids: dict[int, Stream] = {}
        self._swept = asyncio.Event()
        self._created = asyncio.Lock()

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open the database, load the streams and begin to clear away what is too old."""
        db = setup.database()
        await db.open()
        streams = cls(db, setup.clock)
        for stream in await db.read(rows.all_streams):
            streams._add(stream)
        setup.spawn(streams._run())
        return streams

    def drain(self) -> None:
        """Answer everybody who waits for a record."""
        self.stopping.set()
        self.log.drain(self.all())

    async def close(self) -> None:
        """Stop what runs, then close the database."""
        self.drain()
        await self._swept.wait()
        await self.db.close()

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return self.log.now_ms()

    def all(self) -> list[Stream]:
        """Return every stream."""
        return list(self._streams.values())

    def find(self, key: StreamKey) -> Stream:
        """Return a stream.

        Raises:
            ResourceNotFoundException: there is none.
        """
        stream = self._streams.get(key)
        if stream is None:
            raise no_stream(key[2], key[0])
        return stream

    def find_id(self, stream_id: int) -> Stream | None:
        """Return the stream with an id, if it is still there."""
        return self._ids.get(stream_id)

    def by_arn(self, arn: str) -> Stream | None:
        """Return the stream of an ARN, or of an ARN of one of its consumers, or None."""
        parts = arn.split(":", 5)
        kind, _, rest = parts[-1].partition("/")
        if len(parts) != 6 or kind != "stream":
            return None
        return self._streams.get((parts[4], parts[3], rest.split("/")[0]))

    async def create(self, key: StreamKey, settings: Mapping[str, Any], shard_count: int) -> Stream:
        """Store a new stream.

        Raises:
            ResourceInUseException: there is one of that name.
        """
        async with self._created:
            if key in self._streams:
                raise ResourceInUseException(
                    f"Stream {key[2]} under account {key[0]} already exists."
                )
            now_ms = self.now_ms()
            stream = Stream(
                id=0,
                account_id=key[0],
                region=key[1],
                name=key[2],
                created_ms=now_ms,
                settings=dict(settings),
            )
            begin = position_at(now_ms)
            shards = [
                Shard(
                    id=0,
                    number=number,
                    first_hash=first,
                    last_hash=last,
                    parent=None,
                    adjacent_parent=None,
                    first_position=begin,
                    newest=begin,
                )
                for number, (first, last) in enumerate(hash_ranges(shard_count))
            ]
            job = partial(rows.insert_stream, stream=stream, shards=shards)
            stream.id = await self.db.write(job)
            stream.set_shards(shards)
            self._add(stream)
            return stream

    async def change(self, stream: Stream, **settings: Any) -> None:
        """Store other settings of a stream."""
        after = {**stream.settings, **settings}
        await self.db.write(
            partial(rows.update_stream, stream_id=stream.id, settings=json.dumps(after))
        )
        stream.settings = after

    async def delete(self, stream: Stream) -> None:
        """Forget a stream; its records are cleared away behind the answer."""
        await self.db.write(partial(rows.remove_stream, stream_id=stream.id))
        stream.deleted = True
        self._streams.pop(stream.key, None)
        self._ids.pop(stream.id, None)
        for shard in stream.shards.values():
            shard.wake()

    async def reshard(
        self, stream: Stream, closing: Sequence[Shard], opening: Sequence[Shard]
    ) -> None:
        """Close shards of a stream and open others in their place, all or none.

        The caller holds `stream.changing`, so no record is on its way that was not handed in.
        """
        job = partial(
            rows.reshard,
            stream_id=stream.id,
            closing=closing,
            opening=opening,
            now_ms=self.now_ms(),
        )
        after = await self.db.write(job)
        shards = []
        for each in after:
            known = stream.shards.get(each.number, each)
            known.last_position = each.last_position
            shards.append(known)
        stream.set_shards(shards)
        for each in closing:
            each.wake()

    async def register(self, stream: Stream, consumer: Consumer) -> None:
        """Store a consumer of a stream."""
        consumer.id = await self.db.write(
            partial(rows.insert_consumer, stream_id=stream.id, consumer=consumer)
        )
        stream.consumers[consumer.name] = consumer

    async def change_consumer(self, consumer: Consumer, **settings: Any) -> None:
        """Store other settings of a consumer."""
        after = {**consumer.settings, **settings}
        await self.db.write(
            partial(rows.update_consumer, consumer_id=consumer.id, settings=json.dumps(after))
        )
        consumer.settings = after

    async def deregister(self, stream: Stream, consumer: Consumer) -> None:
        """Forget a consumer, and end its subscriptions."""
        await self.db.write(partial(rows.remove_consumer, consumer_id=consumer.id))
        stream.consumers.pop(consumer.name, None)
        for (consumer_id, _), ended in list(self.subscriptions.items()):
            if consumer_id == consumer.id:
                ended.set()

    def _add(self, stream: Stream) -> None:
        self._streams[stream.key] = stream
        self._ids[stream.id] = stream

    async def _run(self) -> None:
        """Clear away, now and then, what nobody can read any more."""
        try:
            while not self.stopping.is_set():
                await self.sweep()
                try:
                    async with asyncio.timeout(_SWEEP_S):
                        await self.stopping.wait()
                except TimeoutError:
                    continue
        finally:
            self._swept.set()

    async def sweep(self) -> None:
        """Remove records that are older than their stream keeps them, and shards without any."""
        while not self.stopping.is_set() and await self.db.write(rows.clear):
            pass
        for stream in self.all():
            oldest = position_at(self.now_ms() - stream.retention_ms)
            for shard in list(stream.shards.values()):
                await self._expire(stream, shard, oldest)

    async def _expire(self, stream: Stream, shard: Shard, oldest: int) -> None:
        more = True
        while more and not self.stopping.is_set():
            job = partial(rows.expire, shard_id=shard.id, position=oldest)
            more = await self.db.write(job)
        closed = shard.last_position is not None and shard.last_position < oldest
        # Its children began when it ended: without them, nobody could say when that was.
        children = [
            each
            for each in stream.shards.values()
            if shard.number in (each.parent, each.adjacent_parent)
        ]
        old = all(each.first_position < oldest for each in children)
        if closed and old and not more and not stream.changing.locked():
            async with stream.changing:
                await self.db.write(partial(rows.remove_shard, shard_id=shard.id))
                stream.set_shards([each for each in stream.shards.values() if each is not shard])
