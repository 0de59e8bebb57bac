"""Contracts of what lambdad remembers.

Reads of functions come from memory and are synchronous; a write is answered when it is durable.
Every engine passes `lambdad.testing.store_contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.clock import Clock
from lambdad.domain.functions import Code, Function
from lambdad.domain.logs import LogEvent, LogGroup, LogGroupKey, LogQuery, LogStream

__all__ = [
    "AlreadyExists",
    "FunctionStore",
    "LogEvent",
    "LogGroup",
    "LogGroupKey",
    "LogQuery",
    "LogStore",
    "LogStream",
    "PackageStore",
    "RevisionMismatch",
]


class AlreadyExists(Exception):
    """The key is taken."""


class RevisionMismatch(Exception):
    """The stored revision is another one, or the row is gone."""


class FunctionStore(Protocol):
    """Function versions by key and version."""

    def get(self, key: FunctionKey, version: str = LATEST) -> Function | None:
        """Return the stored version, or None."""
        ...

    def list(
        self, account_id: str, region: str, *, after: str | None, limit: int
    ) -> Sequence[Function]:
        """Return `$LATEST` of up to `limit` functions by name, beginning behind `after`."""
        ...

    def unfinished(self) -> Sequence[Function]:
        """Return all versions that are Pending or have an update InProgress (after a crash)."""
        ...

    def digests(self) -> frozenset[str]:
        """Return the package digests of all versions of all accounts and regions."""
        ...

    async def insert(self, function: Function) -> None:
        """Store a new version.

        Raises:
            AlreadyExists: the key has this version.
        """
        ...

    async def replace(self, function: Function, *, expected_revision: str) -> None:
        """Replace the version if its revision is the expected one.

        Raises:
            RevisionMismatch: it is another one, or there is no such version.
        """
        ...

    async def delete(self, key: FunctionKey) -> bool:
        """Remove all versions; False when there was none."""
        ...


class LogStore(Protocol):
    """Log groups, streams and events. All methods await the database, off the event loop."""

    async def create_group(self, group: LogGroup) -> None:
        """Create a group.

        Raises:
            AlreadyExists: there is one of this name.
        """
        ...

    async def put_retention(self, key: LogGroupKey, days: int | None) -> bool:
        """Set or clear the retention; False when there is no such group."""
        ...

    async def put_tags(self, key: LogGroupKey, tags: Mapping[str, str]) -> bool:
        """Replace the tags; False when there is no such group."""
        ...

    async def delete_group(self, key: LogGroupKey) -> bool:
        """Delete a group with its streams and events; False when there is none."""
        ...

    async def groups(
        self, account_id: str, region: str, *, prefix: str, after: str | None, limit: int
    ) -> Sequence[LogGroup]:
        """List groups by name."""
        ...

    async def group(self, key: LogGroupKey) -> LogGroup | None:
        """Return one group."""
        ...

    async def create_stream(self, key: LogGroupKey, stream: LogStream) -> None:
        """Create a stream in an existing group.

        Raises:
            AlreadyExists: there is one of this name.
            KeyError: there is no such group.
        """
        ...

    async def delete_stream(self, key: LogGroupKey, name: str) -> bool:
        """Delete a stream with its events; False when there is none."""
        ...

    async def streams(
        self, key: LogGroupKey, *, prefix: str, after: str | None, limit: int
    ) -> Sequence[LogStream]:
        """List streams by name."""
        ...

    async def append(self, batches: Sequence[tuple[LogGroupKey, Sequence[LogEvent]]]) -> None:
        """Store events; missing groups and streams are made. One transaction."""
        ...

    async def events(self, key: LogGroupKey, query: LogQuery) -> Sequence[LogEvent]:
        """Return events by `(timestamp, id)`."""
        ...

    async def expire(self, now_ms: int) -> int:
        """Delete events older than their group's retention; returns how many."""
        ...


class PackageStore(Protocol):
    """Function code by content: the zip and its unpacked tree."""

    async def add(self, package: bytes, check: Callable[[bytes], None]) -> Code:
        """Store and unpack a zip, durably; the same content is stored once.

        `check` runs first, off the event loop, and raises a `ServiceException` to refuse the
        package; then nothing is written.
        """
        ...

    def tree(self, digest: str) -> Path:
        """Directory with the unpacked package. Read-only by convention; shared by all users."""
        ...

    def archive(self, digest: str) -> Path:
        """The zip itself."""
        ...

    async def collect(self, used: frozenset[str]) -> int:
        """Remove packages that are not in `used` and leftovers of killed writers."""
        ...


class Engine(Protocol):
    """One place where everything is kept; found by name through `lambdad.storage.registry`."""

    def __init__(self, data_dir: Path, clock: Clock) -> None: ...

    @property
    def functions(self) -> FunctionStore:
        """What exists; usable between :meth:`open` and :meth:`close`."""
        ...

    @property
    def logs(self) -> LogStore:
        """What functions said; usable between :meth:`open` and :meth:`close`."""
        ...

    async def open(self) -> None:
        """Take the data directory for this process alone, migrate and load it. Once.

        Raises:
            HostUnfit: another process holds it, it is damaged, not writable, or was written by a
                newer lambdad. Nothing stays open then.
        """
        ...

    async def close(self) -> None:
        """Finish the writes under way and let go of the data directory. May be called twice."""
        ...
