"""Contracts of what lambdad remembers.

Reads of functions come from memory and are synchronous; a write is answered when it is durable.
Every engine passes `lambdad.testing.store_contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.clock import Clock
from lambdad.domain.functions import Code, Function
from lambdad.domain.logs import LogBatches, LogEvent, LogGroup, LogGroupKey, LogQuery, LogStream
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.database import Database
from lambdad.storage.event_queue import EventQueue

__all__ = [
    "AlreadyExists",
    "Apply",
    "Change",
    "DeleteResource",
    "DeleteVersion",
    "Engine",
    "EventQueue",
    "FunctionStore",
    "InsertFunction",
    "LogBatches",
    "LogEvent",
    "LogGroup",
    "LogGroupKey",
    "LogQuery",
    "LogStore",
    "LogStream",
    "PackageStore",
    "PutResource",
    "ReplaceFunction",
    "Resource",
    "ResourceKey",
    "ResourceStore",
    "RevisionMismatch",
]


class AlreadyExists(Exception):
    """The key is taken."""


class RevisionMismatch(Exception):
    """The stored revision is another one, or the row is gone."""


class FunctionStore(Protocol):
    """Function versions by key and version."""

    @property
    def changes(self) -> int:
        """How many changes of functions and resources; as long as it stays, reads answer alike."""
        ...

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
        """Return `Function.packages` of all versions of all accounts and regions together."""
        ...

    def runtimes(self) -> frozenset[tuple[str, int]]:
        """Return runtimes of all functions with their memory in MiB; none of container images."""
        ...

    def images(self) -> frozenset[str]:
        """Return `Function.images` of all versions of all accounts and regions together."""
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

    def versions(self, key: FunctionKey) -> Sequence[Function]:
        """Return all versions, `$LATEST` first, then by number; empty when there is none."""
        ...

    async def delete(self, key: FunctionKey) -> bool:
        """Remove all versions and every resource of the function; False when there was none."""
        ...


class ResourceStore(Protocol):
    """Resources by key; reads come from memory."""

    def get(self, key: ResourceKey) -> Resource | None:
        """Return the resource, or None."""
        ...

    def list(
        self,
        kind: str,
        account_id: str,
        region: str,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> Sequence[Resource]:
        """Return resources of a kind by name: those that begin with `prefix`, behind `after`."""
        ...

    def all(self, kind: str) -> Sequence[Resource]:
        """Return the resources of a kind in all accounts and regions (to resume work)."""
        ...

    async def insert(self, resource: Resource) -> None:
        """Store a new resource.

        Raises:
            AlreadyExists: the key is taken.
        """
        ...

    async def put(self, resource: Resource) -> None:
        """Store a resource, whether or not there was one."""
        ...

    async def replace(self, resource: Resource, *, expected_revision: str) -> None:
        """Replace a resource if its revision is the expected one.

        Raises:
            RevisionMismatch: it is another one, or there is no such resource.
        """
        ...

    async def delete(self, key: ResourceKey) -> bool:
        """Remove a resource; False when there was none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertFunction:
    """Part of a transaction: see `FunctionStore.insert`."""

    function: Function


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceFunction:
    """Part of a transaction: see `FunctionStore.replace`."""

    function: Function
    expected_revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteVersion:
    """Part of a transaction: remove one version, if it is there."""

    key: FunctionKey
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResource:
    """Part of a transaction: see `ResourceStore.put`.

    Attributes:
        expected_revision: None to store in any case, `""` if there must be none yet, else the
            revision that is to be replaced.
    """

    resource: Resource
    expected_revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteResource:
    """Part of a transaction: remove a resource, if it is there."""

    key: ResourceKey


Change = InsertFunction | ReplaceFunction | DeleteVersion | PutResource | DeleteResource


class Apply(Protocol):
    """The shape of :meth:`Engine.apply`, for those who need nothing else of an engine."""

    async def __call__(self, *changes: Change) -> None:
        """Make several changes at once: all are durable, or none."""
        ...


LogWatcher = Callable[[LogBatches], None]


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

    async def append(self, batches: LogBatches) -> None:
        """Store events; missing groups and streams are made. One transaction."""
        ...

    async def events(self, key: LogGroupKey, query: LogQuery) -> Sequence[LogEvent]:
        """Return events by `(timestamp, id)`."""
        ...

    async def arrivals(
        self,
        key: LogGroupKey,
        after: int,
        *,
        from_ms: int | None,
        limit: int,
        max_bytes: int | None,
    ) -> Sequence[LogEvent]:
        """Return the events of a group that were stored behind one, by id.

        `from_ms` spares looking at older ones: who knows of none with an earlier time says so.
        """
        ...

    async def last_event_id(self) -> int:
        """Return the id of the event that was stored last, in any group; 0 if none was."""
        ...

    def watch(self, watcher: LogWatcher) -> None:
        """Call `watcher` with what was appended, on the event loop, after it is stored."""
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

    async def merge(self, digests: Sequence[str]) -> None:
        """Make the tree of `merged_digest(digests)`: those packages, later ones over earlier ones.

        It is made once and collected as a package is.
        """
        ...

    async def unpacked_bytes(self, digest: str) -> int:
        """Return the size of all files of a package together."""
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
    def resources(self) -> ResourceStore:
        """What goes with functions; usable between :meth:`open` and :meth:`close`."""
        ...

    async def apply(self, *changes: Change) -> None:
        """Make several changes at once: all are durable, or none.

        They are made in order: each sees what those before it did.

        Raises:
            AlreadyExists, RevisionMismatch: one of them cannot be made.
        """
        ...

    @property
    def logs(self) -> LogStore:
        """What functions said; usable between :meth:`open` and :meth:`close`."""
        ...

    @property
    def events(self) -> EventQueue:
        """What was accepted and is not done; usable between :meth:`open` and :meth:`close`."""
        ...

    def database(self, name: str) -> Database:
        """Return the database of a service, to be opened by it and closed before the engine.

        `name` is also that of its directory of migrations. What it keeps stays beside what the
        other stores keep, and its writes delay none of theirs.
        """
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
