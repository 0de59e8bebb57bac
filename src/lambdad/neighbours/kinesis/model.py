"""What a stream, a shard and a record are, and the names of places in a shard. Pure.

A place in a shard is a position: the millisecond of arrival times 2^20, and a counter. Sequence
numbers and shard iterators are positions in AWS's clothes.
Mutable: `Stream` and `Shard`, which the event loop alone changes, after the database has.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import struct
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdad.neighbours.kinesis.errors import ExpiredIteratorException, InvalidArgumentException

StreamKey = tuple[str, str, str]

HASH_MAX = 2**128 - 1
ITERATOR_MS = 300_000
_CLOCK_BITS = 20
_PREFIX = "496"
_SEQUENCE_DIGITS = 56
_SHARD_DIGITS = 12
_ITERATOR = struct.Struct("!BQQqQ")
_ITERATOR_FORM = 1


def position_at(time_ms: int) -> int:
    """Return the first position of a millisecond."""
    return max(0, time_ms) << _CLOCK_BITS


def arrived_ms(position: int) -> int:
    """Return when a record at a position arrived, epoch milliseconds."""
    return position >> _CLOCK_BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """A record on its way into a shard."""

    shard_id: int
    partition_key: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A record that is stored."""

    position: int
    partition_key: str
    data: bytes


@dataclass(slots=True, eq=False, kw_only=True)
class Shard:
    """A shard that exists, and who waits for its records.

    Attributes:
        last_position: after which there will be no record; None while it is open.
        newest: no record is behind it yet; not less than `first_position`.
        waiters: wait for a record, or for the shard's end.
    """

    id: int
    number: int
    first_hash: int
    last_hash: int
    parent: int | None
    adjacent_parent: int | None
    first_position: int
    last_position: int | None = None
    newest: int = 0
    waiters: set[asyncio.Future[None]] = field(default_factory=set)

    @property
    def name(self) -> str:
        """`shardId-000000000000`."""
        return shard_name(self.number)

    @property
    def open(self) -> bool:
        """Whether it takes records."""
        return self.last_position is None

    def sequence(self, position: int) -> str:
        """Return the sequence number of a position."""
        return f"{_PREFIX}{position:0{_SEQUENCE_DIGITS - 3 - _SHARD_DIGITS}d}{self.number:012d}"

    def appended(self, position: int) -> None:
        """Records up to this position are stored: wake who waits."""
        self.newest = max(self.newest, position)
        self.wake()

    def wake(self) -> None:
        """Let everybody look again."""
        waiters, self.waiters = self.waiters, set()
        for each in waiters:
            if not each.done():
                each.set_result(None)


@dataclass(slots=True, eq=False, kw_only=True)
class Stream:
    """A stream that exists.

    Attributes:
        settings: what can be changed; see `streams.fresh_settings`.
        shards: by number, in that order; closed ones until their last record is too old.
        changing: held while shards are split or merged; records wait for it.
        consumers: by name.
    """

    id: int
    account_id: str
    region: str
    name: str
    created_ms: int
    settings: dict[str, Any]
    shards: dict[int, Shard] = field(default_factory=dict)
    consumers: dict[str, Consumer] = field(default_factory=dict)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    deleted: bool = False
    _ends: list[int] = field(default_factory=list)
    _open: list[Shard] = field(default_factory=list)

    @property
    def key(self) -> StreamKey:
        """Account, region, name."""
        return (self.account_id, self.region, self.name)

    @property
    def arn(self) -> str:
        """`arn:aws:kinesis:region:account:stream/name`."""
        return f"arn:aws:kinesis:{self.region}:{self.account_id}:stream/{self.name}"

    @property
    def retention_ms(self) -> int:
        """How long records are kept."""
        return int(self.settings["retention_hours"]) * 3_600_000

    @property
    def open_shards(self) -> Sequence[Shard]:
        """Shards that take records, by hash key."""
        return self._open

    def set_shards(self, shards: Sequence[Shard]) -> None:
        """Take over what shards there are now."""
        self.shards = {each.number: each for each in sorted(shards, key=lambda one: one.number)}
        self._open = sorted((one for one in shards if one.open), key=lambda one: one.first_hash)
        self._ends = [each.first_hash for each in self._open]

    def shard_for(self, hash_key: int) -> Shard:
        """Return the open shard whose range has a hash key."""
        return self._open[bisect_right(self._ends, hash_key) - 1]


@dataclass(slots=True, eq=False, kw_only=True)
class Consumer:
    """Who has registered for enhanced fan-out."""

    id: int
    name: str
    created_ms: int
    settings: dict[str, Any]

    def arn(self, stream: Stream) -> str:
        """Return `<stream's ARN>/consumer/<name>:<seconds>`."""
        return f"{stream.arn}/consumer/{self.name}:{self.created_ms // 1_000}"


def shard_name(number: int) -> str:
    """Return a shard's id."""
    return f"shardId-{number:012d}"


def parse_sequence(text: str, shard: Shard) -> int:
    """Return the position of a sequence number of this shard.

    Raises:
        InvalidArgumentException: it is none.
    """
    good = len(text) == _SEQUENCE_DIGITS and text.startswith(_PREFIX) and text.isdecimal()
    if not good or int(text[-_SHARD_DIGITS:]) != shard.number:
        raise InvalidArgumentException(
            f"StartingSequenceNumber {text} used in GetShardIterator on shard {shard.name} is "
            "invalid because it did not come from this stream."
        )
    position = int(text[3:-_SHARD_DIGITS])
    if position > 2**62:
        raise InvalidArgumentException(f"The sequence number {text} is not valid.")
    return position


@dataclass(frozen=True, slots=True, kw_only=True)
class Iterator:
    """A place in a shard: records behind `after` come next."""

    stream_id: int
    number: int
    after: int
    made_ms: int

    def token(self) -> str:
        """Return it as callers get it."""
        packed = _ITERATOR.pack(
            _ITERATOR_FORM, self.stream_id, self.number, self.after, self.made_ms
        )
        return base64.b64encode(packed + bytes(7)).decode()


def parse_iterator(token: str, now_ms: int) -> Iterator:
    """Read a shard iterator.

    Raises:
        InvalidArgumentException: it is none.
        ExpiredIteratorException: it is older than five minutes.
    """
    try:
        packed = base64.b64decode(token, validate=True)
        form, stream_id, number, after, made_ms = _ITERATOR.unpack(packed[: _ITERATOR.size])
    except (binascii.Error, struct.error, ValueError) as error:
        raise InvalidArgumentException("Invalid ShardIterator.") from error
    if form != _ITERATOR_FORM or len(packed) != _ITERATOR.size + 7:
        raise InvalidArgumentException("Invalid ShardIterator.")
    if now_ms - made_ms > ITERATOR_MS:
        raise ExpiredIteratorException(
            f"Iterator expired. The iterator was created at time {made_ms} while right now it is "
            f"{now_ms} which is further in the future than the tolerated delay of "
            f"{ITERATOR_MS} milliseconds."
        )
    return Iterator(stream_id=stream_id, number=number, after=after, made_ms=made_ms)


def hash_ranges(count: int) -> list[tuple[int, int]]:
    """Cut the hash keys into so many equal ranges."""
    width = (HASH_MAX + 1) // count
    starts = [index * width for index in range(count)]
    return list(zip(starts, [*(each - 1 for each in starts[1:]), HASH_MAX], strict=True))


def describe_shard(shard: Shard) -> Mapping[str, Any]:
    """Return a shard as the service model has it."""
    return {
        "ShardId": shard.name,
        "ParentShardId": None if shard.parent is None else shard_name(shard.parent),
        "AdjacentParentShardId": (
            None if shard.adjacent_parent is None else shard_name(shard.adjacent_parent)
        ),
        "HashKeyRange": hash_range(shard),
        "SequenceNumberRange": {
            "StartingSequenceNumber": shard.sequence(shard.first_position),
            "EndingSequenceNumber": (
                None if shard.last_position is None else shard.sequence(shard.last_position)
            ),
        },
    }


def hash_range(shard: Shard) -> Mapping[str, str]:
    """Return a shard's hash keys as the service model has them."""
    return {"StartingHashKey": str(shard.first_hash), "EndingHashKey": str(shard.last_hash)}
