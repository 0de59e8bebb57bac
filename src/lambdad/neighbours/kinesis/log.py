"""Records into shards and out of them, and who is woken by them.

For others in this process: :meth:`RecordLog.put` stores records, :meth:`RecordLog.arrival` waits
for some, so that nobody has to ask again and again.
Mutable: the shards' newest positions and waiters, on the event loop alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from lambdad.domain.clock import Clock
from lambdad.neighbours.kinesis import rows
from lambdad.neighbours.kinesis.errors import ResourceNotFoundException
from lambdad.neighbours.kinesis.model import (
    Arriving,
    Iterator,
    Record,
    Shard,
    Stream,
    arrived_ms,
    parse_iterator,
    position_at,
)
from lambdad.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A record that somebody wants to be stored.

    Attributes:
        hash_key: which decides the shard; None takes the partition key's MD5.
    """

    partition_key: str
    data: bytes
    hash_key: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records that were read.

    Attributes:
        next: where to go on; None at the end of a closed shard.
        behind_ms: how old the first record is that was left, 0 if none was.
        children: of the shard, at its end.
    """

    records: Sequence[Record]
    next: Iterator | None
    behind_ms: int
    children: Sequence[Shard] = ()


class RecordLog:
    """Stores and reads records durably."""

    def __init__(self, db: Database, clock: Clock, find: Callable[[int], Stream | None]) -> None:
        """`find` returns a stream by its id."""
        self._db = db
        self._clock = clock
        self._find = find
        self._draining = False

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self._clock.time() * 1_000)

    async def put(self, stream: Stream, incoming: Sequence[Incoming]) -> list[tuple[Shard, int]]:
        """Store records, all or none; returns shard and position of each, durable on return."""
        while stream.changing.locked():
            async with stream.changing:
                pass
        # From here to the hand-in nothing is awaited: no shard can be closed meanwhile.
        shards = [stream.shard_for(_hash_key(each)) for each in incoming]
        arriving = [
            Arriving(shard_id=shard.id, partition_key=each.partition_key, data=each.data)
            for shard, each in zip(shards, incoming, strict=True)
        ]

        def then(positions: list[int]) -> None:
            newest = dict(zip(shards, positions, strict=True))
            for shard, position in newest.items():
                shard.appended(position)

        job = partial(rows.append, records=arriving, now_ms=self.now_ms())
        positions = await self._db.write(job, then=then)
        return list(zip(shards, positions, strict=True))

    def iterator(self, stream: Stream, shard: Shard, after: int) -> Iterator:
        """Return an iterator for the records behind a position, as of now."""
        return Iterator(
            stream_id=stream.id, number=shard.number, after=after, made_ms=self.now_ms()
        )

    def resolve(self, token: str) -> tuple[Stream, Shard, Iterator]:
        """Return what an iterator points at.

        Raises:
            InvalidArgumentException: it is none.
            ExpiredIteratorException: it is too old.
            ResourceNotFoundException: the stream or the shard is gone.
        """
        iterator = parse_iterator(token, self.now_ms())
        stream = self._find(iterator.stream_id)
        shard = None if stream is None else stream.shards.get(iterator.number)
        if stream is None or shard is None:
            raise ResourceNotFoundException("The stream or shard of the iterator does not exist.")
        return stream, shard, iterator

    async def read(self, stream: Stream, shard: Shard, after: int, count: int) -> Batch:
        """Return records behind a position that are not too old yet, at most 10 MiB."""
        oldest = position_at(self.now_ms() - stream.retention_ms) - 1
        after = max(after, oldest)
        # Read before the records are: what is closed then gets none any more.
        closed = shard.last_position is not None
        newest = shard.newest
        records: list[Record] = []
        left: int | None = None
        if after < newest:
            job = partial(rows.read, shard_id=shard.id, after=after, count=count)
            records, left = await self._db.read(job)
        if records:
            after = records[-1].position
        if closed and left is None:
            return Batch(records=records, next=None, behind_ms=0, children=_children(stream, shard))
        behind_ms = 0 if left is None else max(0, self.now_ms() - arrived_ms(left))
        return Batch(records=records, next=self.iterator(stream, shard, after), behind_ms=behind_ms)

    async def arrival(self, token: str, seconds: float) -> bool:
        """Wait until GetRecords with this iterator has something to say; whether it has.

        That is a record, or the end of the shard or of the stream. Ends after `seconds` anyway, and
        when the daemon stops. Raises what GetRecords would.
        """
        stream, shard, iterator = self.resolve(token)
        return await self.wait(stream, shard, iterator.after, seconds)

    async def wait(self, stream: Stream, shard: Shard, after: int, seconds: float) -> bool:
        """See :meth:`arrival`."""
        try:
            async with asyncio.timeout(seconds):
                while shard.newest <= after and shard.open and not stream.deleted:
                    if self._draining:
                        return False
                    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    shard.waiters.add(woken)
                    try:
                        await woken
                    finally:
                        shard.waiters.discard(woken)
        except TimeoutError:
            return False
        return True

    def drain(self, streams: Iterable[Stream]) -> None:
        """Let nobody wait any longer."""
        self._draining = True
        for stream in streams:
            for shard in stream.shards.values():
                shard.wake()


def _hash_key(incoming: Incoming) -> int:
    if incoming.hash_key is not None:
        return incoming.hash_key
    digest = hashlib.md5(incoming.partition_key.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest, "big")


def _children(stream: Stream, shard: Shard) -> list[Shard]:
    return [
        each
        for each in stream.shards.values()
        if shard.number in (each.parent, each.adjacent_parent)
    ]
