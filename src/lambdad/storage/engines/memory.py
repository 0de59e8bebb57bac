"""Storage that forgets: for tests and for throw-away servers.

Keeps the same promises as the SQLite engine but durability. Mutable state: the records of functions
and resources, and one record per log group.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lambdad.domain.arns import FunctionKey
from lambdad.domain.clock import Clock
from lambdad.domain.resources import ResourceKey
from lambdad.storage.base import (
    AlreadyExists,
    Change,
    LogBatches,
    LogEvent,
    LogGroup,
    LogGroupKey,
    LogQuery,
    LogStream,
    LogWatcher,
)
from lambdad.storage.database import Database
from lambdad.storage.engines.memory_database import MemoryDatabase
from lambdad.storage.engines.memory_events import MemoryEventQueue
from lambdad.storage.log_sizes import DAY_MS, page, storable, stored_size
from lambdad.storage.record_stores import FunctionRecords, ResourceRecords
from lambdad.storage.records import Records, as_stored


class MemoryEngine:
    """See :class:`lambdad.storage.base.Engine`; the data directory is not touched."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._records = Records()
        self.functions = MemoryFunctionStore(self._records, self.apply)
        self.resources = MemoryResourceStore(self._records, self.apply)
        self.events = MemoryEventQueue(clock)
        self.logs = MemoryLogStore(clock)

    def database(self, name: str) -> Database:
        """Return a database that forgets."""
        return MemoryDatabase(name)

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    async def apply(self, *changes: Change) -> None:
        """Make all changes or none."""
        undo: list[Change] = []
        try:
            for change in map(as_stored, changes):
                self._records.check(change)
                undo.append(self._records.undoing(change))
                self._records.make(change)
        except BaseException:
            for change in reversed(undo):
                self._records.make(change)
            raise


class MemoryFunctionStore(FunctionRecords):
    """See :class:`lambdad.storage.base.FunctionStore`."""

    async def delete(self, key: FunctionKey) -> bool:
        """Remove all versions and the function's resources."""
        return self._records.delete_function(key)


class MemoryResourceStore(ResourceRecords):
    """See :class:`lambdad.storage.base.ResourceStore`."""

    async def delete(self, key: ResourceKey) -> bool:
        """Remove a resource."""
        return self._records.resources.remove(key)


@dataclass(slots=True)
class _Group:
    group: LogGroup
    streams: dict[str, LogStream] = field(default_factory=dict)
    events: list[tuple[int, int, LogEvent]] = field(default_factory=list)


class MemoryLogStore:
    """See :class:`lambdad.storage.base.LogStore`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._groups: dict[LogGroupKey, _Group] = {}
        self._last_id = 0
        self._watchers: list[LogWatcher] = []

    async def create_group(self, group: LogGroup) -> None:
        """Create a group."""
        if group.key in self._groups:
            raise AlreadyExists(group.key.name)
        self._groups[group.key] = _Group(replace(group, stored_bytes=0))

    async def put_retention(self, key: LogGroupKey, days: int | None) -> bool:
        """Set or clear the retention."""
        kept = self._groups.get(key)
        if kept is not None:
            kept.group = replace(kept.group, retention_days=days)
        return kept is not None

    async def put_tags(self, key: LogGroupKey, tags: Mapping[str, str]) -> bool:
        """Replace the tags."""
        kept = self._groups.get(key)
        if kept is not None:
            kept.group = replace(kept.group, tags=dict(tags))
        return kept is not None

    async def delete_group(self, key: LogGroupKey) -> bool:
        """Delete a group with all it holds."""
        return self._groups.pop(key, None) is not None

    async def groups(
        self, account_id: str, region: str, *, prefix: str, after: str | None, limit: int
    ) -> Sequence[LogGroup]:
        """List groups by name."""
        found = sorted(
            (
                kept.group
                for key, kept in self._groups.items()
                if (key.account_id, key.region) == (account_id, region)
                and key.name.startswith(prefix)
                and (after is None or key.name > after)
            ),
            key=lambda group: group.key.name,
        )
        return found[:limit]

    async def group(self, key: LogGroupKey) -> LogGroup | None:
        """Return one group."""
        kept = self._groups.get(key)
        return None if kept is None else kept.group

    async def create_stream(self, key: LogGroupKey, stream: LogStream) -> None:
        """Create a stream in an existing group."""
        streams = self._groups[key].streams
        if stream.name in streams:
            raise AlreadyExists(stream.name)
        streams[stream.name] = stream

    async def delete_stream(self, key: LogGroupKey, name: str) -> bool:
        """Delete a stream with its events."""
        kept = self._groups.get(key)
        if kept is None or kept.streams.pop(name, None) is None:
            return False
        gone = [event for *_, event in kept.events if event.stream == name]
        kept.events = [entry for entry in kept.events if entry[2].stream != name]
        freed = sum(stored_size(event.message) for event in gone)
        kept.group = replace(kept.group, stored_bytes=kept.group.stored_bytes - freed)
        return True

    async def streams(
        self, key: LogGroupKey, *, prefix: str, after: str | None, limit: int
    ) -> Sequence[LogStream]:
        """List streams by name."""
        kept = self._groups.get(key)
        names = sorted(
            name
            for name in (kept.streams if kept else ())
            if name.startswith(prefix) and (after is None or name > after)
        )
        return [kept.streams[name] for name in names[:limit]] if kept else []

    async def append(self, batches: LogBatches) -> None:
        """Store events."""
        now_ms = int(self._clock.time() * 1000)
        for key, segments in batches:
            kept = self._groups.get(key)
            if kept is None:
                kept = self._groups[key] = _Group(LogGroup(key=key, created_ms=now_ms))
            for segment in segments:
                for event in segment.events():
                    self._add(kept, event, now_ms)
        for watcher in self._watchers:
            watcher(batches)

    def _add(self, kept: _Group, event: LogEvent, now_ms: int) -> None:
        self._last_id += 1
        message = storable(event.message)
        stored = replace(event, message=message, ingestion_ms=now_ms, event_id=self._last_id)
        insort(kept.events, (stored.timestamp_ms, stored.event_id, stored))
        size = kept.group.stored_bytes + stored_size(message)
        kept.group = replace(kept.group, stored_bytes=size)
        stream = kept.streams.get(event.stream) or LogStream(name=event.stream, created_ms=now_ms)
        first, last = stream.first_event_ms, stream.last_event_ms
        kept.streams[event.stream] = replace(
            stream,
            first_event_ms=event.timestamp_ms if first is None else min(first, event.timestamp_ms),
            last_event_ms=event.timestamp_ms if last is None else max(last, event.timestamp_ms),
            last_ingestion_ms=now_ms,
        )

    async def events(self, key: LogGroupKey, query: LogQuery) -> Sequence[LogEvent]:
        """Return events by `(timestamp, id)`."""
        kept = self._groups.get(key)
        ordered = kept.events if kept and query.limit > 0 else []
        matching = (
            event
            for *_, event in (reversed(ordered) if query.backward else ordered)
            if _matches(event, query)
        )
        return page(matching, query)

    async def arrivals(
        self,
        key: LogGroupKey,
        after: int,
        *,
        from_ms: int | None,
        limit: int,
        max_bytes: int | None,
    ) -> Sequence[LogEvent]:
        """Return events behind one, by id."""
        kept = self._groups.get(key)
        found = [event for *_, event in kept.events if event.event_id > after] if kept else []
        found = [event for event in found if from_ms is None or event.timestamp_ms >= from_ms]
        found.sort(key=lambda event: event.event_id)
        return page(found, LogQuery(limit=limit, max_bytes=max_bytes))

    async def last_event_id(self) -> int:
        """Return the id of the newest event."""
        return self._last_id

    def watch(self, watcher: LogWatcher) -> None:
        """Tell of what is appended."""
        self._watchers.append(watcher)

    async def expire(self, now_ms: int) -> int:
        """Delete events older than their group's retention."""
        return sum(_expire(kept, now_ms) for kept in self._groups.values())


def _matches(event: LogEvent, query: LogQuery) -> bool:
    if query.streams is not None and event.stream not in query.streams:
        return False
    if query.start_ms is not None and event.timestamp_ms < query.start_ms:
        return False
    if query.end_ms is not None and event.timestamp_ms >= query.end_ms:
        return False
    if query.after is None:
        return True
    position = (event.timestamp_ms, event.event_id)
    return position < query.after if query.backward else position > query.after


def _expire(kept: _Group, now_ms: int) -> int:
    if kept.group.retention_days is None:
        return 0
    cutoff_ms = now_ms - kept.group.retention_days * DAY_MS
    gone = [event for *_, event in kept.events if event.timestamp_ms < cutoff_ms]
    kept.events = kept.events[len(gone) :]
    freed = sum(stored_size(event.message) for event in gone)
    kept.group = replace(kept.group, stored_bytes=kept.group.stored_bytes - freed)
    for name in {event.stream for event in gone}:
        left = [event.timestamp_ms for *_, event in kept.events if event.stream == name]
        if left:
            kept.streams[name] = replace(kept.streams[name], first_event_ms=min(left))
        else:
            del kept.streams[name]
    return len(gone)
