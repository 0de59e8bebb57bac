"""What the pollers of streams need of a stream, whichever service keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

TRIM_HORIZON = "TRIM_HORIZON"
LATEST = "LATEST"
AT_TIMESTAMP = "AT_TIMESTAMP"
AFTER = "AFTER_SEQUENCE_NUMBER"

# Codes of errors after which a reader only has to begin anew.
EXPIRED = frozenset({"ExpiredIteratorException"})
TRIMMED = frozenset({"TrimmedDataAccessException"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A shard; `closed` means that nothing is written to it any more."""

    shard_id: str
    parents: Sequence[str] = ()
    closed: bool = False


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A record of a shard.

    Attributes:
        sequence: a number as text, greater than those before it in the shard.
        key: records of one key keep their order.
        arrived_s: epoch seconds.
        record: as in the event.
        document: the same as JSON.
        described: what filter patterns describe, but for the data.
        data: what stands under the pattern's data key, not parsed; None where there is none.
    """

    sequence: str
    key: str
    arrived_s: float
    record: Mapping[str, Any]
    document: bytes
    described: Mapping[str, Any]
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What was read; `following` is None when the shard is closed and all of it was read."""

    records: Sequence[StreamRecord]
    following: str | None
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading begins: a kind of AWS's, and what belongs to it."""

    kind: str
    sequence: str | None = None
    timestamp_s: float | None = None


class Form(Protocol):
    """How records become events, and how a destination is told of those that were given up.

    Attributes:
        aged: whether `IteratorAge` is counted.
        patience: retries where the mapping sets no limit but has a destination; -1 without end.
        window_s: how long a batch waits for others where the mapping does not say.
    """

    aged: bool
    patience: int
    window_s: float

    def event(self, records: Sequence[StreamRecord]) -> bytes:
        """Return the event with these records."""
        ...

    def batch(
        self, shard_id: str, records: Sequence[StreamRecord], *, alone: bool = False
    ) -> Mapping[str, Any]:
        """Return what a destination is told of a batch; `alone`: of one record by itself."""
        ...

    def identify(self, identifier: object) -> str | None:
        """Return the sequence that a function names in its answer; None when it names none."""
        ...


class Wake(Protocol):
    """Knows when a stream has something new, so that nobody has to ask again and again."""

    def mark(self) -> int:
        """Return how far it has come; taken before reading, so that nothing comes unnoticed."""
        ...

    async def wait(self, iterator: str, mark: int, seconds: float) -> None:
        """Return when there may be something behind the iterator, or after so long."""
        ...


class Stream(Protocol):
    """A stream that is read for one mapping.

    All methods raise `base.AwsRefused` and `base.AwsUnreachable`.

    Attributes:
        idle_s: how long to wait after nothing was read.
        page_max: greatest number of records that can be read at once.
        batch_info: the name of a batch's description in what a destination receives.
    """

    idle_s: float
    page_max: int
    batch_info: str

    async def shards(self) -> Sequence[Shard]:
        """Return all shards that the stream still knows."""
        ...

    async def iterator(self, shard_id: str, position: Position) -> str:
        """Return what reading begins with."""
        ...

    async def read(self, shard_id: str, iterator: str, limit: int) -> Page:
        """Read the records that follow."""
        ...

    def moment(self, epoch_s: float) -> str:
        """Return a time of arrival as the service's destination documents have it."""
        ...
