"""Log groups, streams and events in SQLite.

Decides how events are laid out, paged and removed. Large removals are cut into bounded
transactions, so that appending never waits long.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from lambdad.domain.clock import Clock
from lambdad.storage.base import (
    AlreadyExists,
    LogBatches,
    LogEvent,
    LogGroup,
    LogGroupKey,
    LogQuery,
    LogStream,
    LogWatcher,
)
from lambdad.storage.engines.sqlite.database import SqliteDb
from lambdad.storage.engines.sqlite.log_events import (
    append,
    last_event_id,
    select_arrivals,
    select_events,
)
from lambdad.storage.engines.sqlite.log_removal import (
    expire_chunk,
    remove_stream_chunk,
    retentions,
    sweep_chunk,
)
from lambdad.storage.log_sizes import DAY_MS

_GROUP_COLUMNS = "account_id, region, name, created_ms, retention_days, stored_bytes, tags"

# Names are plain ASCII by AWS's pattern, so all that begin with a prefix sort before this.
_BEHIND = "\U0010ffff"


class SqliteLogStore:
    """See :class:`lambdad.storage.base.LogStore`."""

    def __init__(self, db: SqliteDb, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._watchers: list[LogWatcher] = []

    async def create_group(self, group: LogGroup) -> None:
        """Create a group."""
        await self._db.write(partial(_create_group, group=group))

    async def put_retention(self, key: LogGroupKey, days: int | None) -> bool:
        """Set or clear the retention."""
        return await self._db.write(partial(_put_retention, key=key, days=days))

    async def put_tags(self, key: LogGroupKey, tags: Mapping[str, str]) -> bool:
        """Replace the tags."""
        return await self._db.write(partial(_put_tags, key=key, text=_tags_text(tags)))

    async def delete_group(self, key: LogGroupKey) -> bool:
        """Delete a group: it is gone at once, its rows follow before this returns."""
        found = await self._db.write(partial(_delete_group, key=key))
        if found:
            await self._sweep()
        return found

    async def groups(
        self, account_id: str, region: str, *, prefix: str, after: str | None, limit: int
    ) -> Sequence[LogGroup]:
        """List groups by name."""
        page = _Page(prefix, after, limit)
        return await self._db.read(partial(_groups, owner=(account_id, region), page=page))

    async def group(self, key: LogGroupKey) -> LogGroup | None:
        """Return one group."""
        return await self._db.read(partial(_group, key=key))

    async def create_stream(self, key: LogGroupKey, stream: LogStream) -> None:
        """Create a stream in an existing group."""
        await self._db.write(partial(_create_stream, key=key, stream=stream))

    async def delete_stream(self, key: LogGroupKey, name: str) -> bool:
        """Delete a stream with its events."""
        found = await self._db.read(partial(_stream_id, key=key, name=name))
        if found is None:
            return False
        group_id, stream_id = found
        job = partial(remove_stream_chunk, group_id=group_id, stream_id=stream_id)
        while await self._db.write(job):
            pass
        return True

    async def streams(
        self, key: LogGroupKey, *, prefix: str, after: str | None, limit: int
    ) -> Sequence[LogStream]:
        """List streams by name."""
        return await self._db.read(partial(_streams, key=key, page=_Page(prefix, after, limit)))

    async def append(self, batches: LogBatches) -> None:
        """Store events."""
        now_ms = int(self._clock.time() * 1000)
        await self._db.write(partial(append, batches=batches, now_ms=now_ms))
        for watcher in self._watchers:
            watcher(batches)

    async def events(self, key: LogGroupKey, query: LogQuery) -> Sequence[LogEvent]:
        """Return events by `(timestamp, id)`."""
        return await self._db.read(partial(select_events, key=key, query=query))

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
        query = LogQuery(start_ms=from_ms, limit=limit, max_bytes=max_bytes)
        return await self._db.read(partial(select_arrivals, key=key, after=after, query=query))

    async def last_event_id(self) -> int:
        """Return the id of the newest event."""
        return await self._db.read(last_event_id)

    def watch(self, watcher: LogWatcher) -> None:
        """Tell of what is appended."""
        self._watchers.append(watcher)

    async def expire(self, now_ms: int) -> int:
        """Delete events older than their group's retention, and what deleted groups left."""
        await self._sweep()
        expired = 0
        for group_id, days in await self._db.read(retentions):
            job = partial(expire_chunk, group_id=group_id, cutoff_ms=now_ms - days * DAY_MS)
            while removed := await self._db.write(job):
                expired += removed
        return expired

    async def _sweep(self) -> None:
        while await self._db.write(sweep_chunk):
            pass


@dataclass(frozen=True, slots=True)
class _Page:
    prefix: str
    after: str | None
    limit: int

    def bounds(self) -> tuple[str, str, str, int]:
        """Return the values for `name >= ? AND name < ? AND name > ? ... LIMIT ?`."""
        return self.prefix, self.prefix + _BEHIND, self.after or "", self.limit


def _identity(key: LogGroupKey) -> tuple[str, str, str]:
    return key.account_id, key.region, key.name


def _create_group(connection: sqlite3.Connection, group: LogGroup) -> None:
    created = connection.execute(
        f"INSERT INTO log_group ({_GROUP_COLUMNS}) VALUES (?, ?, ?, ?, ?, 0, ?)"  # noqa: S608
        " ON CONFLICT DO NOTHING",
        (
            *_identity(group.key),
            group.created_ms,
            group.retention_days,
            _tags_text(group.tags),
        ),
    )
    if created.rowcount != 1:
        raise AlreadyExists(f"log group {group.key.name}")


def _put_retention(connection: sqlite3.Connection, key: LogGroupKey, days: int | None) -> bool:
    changed = connection.execute(
        "UPDATE log_group SET retention_days = ? WHERE account_id = ? AND region = ? AND name = ?",
        (days, *_identity(key)),
    )
    return changed.rowcount == 1


def _put_tags(connection: sqlite3.Connection, key: LogGroupKey, text: str) -> bool:
    changed = connection.execute(
        "UPDATE log_group SET tags = ? WHERE account_id = ? AND region = ? AND name = ?",
        (text, *_identity(key)),
    )
    return changed.rowcount == 1


def _tags_text(tags: Mapping[str, str]) -> str:
    # Escaped to ASCII: any text that JSON can bring is storable so.
    return json.dumps(dict(tags))


def _delete_group(connection: sqlite3.Connection, key: LogGroupKey) -> bool:
    marked = connection.execute(
        "INSERT INTO log_tombstone (group_id)"
        " SELECT id FROM log_group WHERE account_id = ? AND region = ? AND name = ?",
        _identity(key),
    )
    connection.execute(
        "DELETE FROM log_group WHERE account_id = ? AND region = ? AND name = ?", _identity(key)
    )
    return marked.rowcount == 1


def _groups(
    connection: sqlite3.Connection, owner: tuple[str, str], page: _Page
) -> Sequence[LogGroup]:
    rows = connection.execute(
        f"SELECT {_GROUP_COLUMNS} FROM log_group WHERE account_id = ? AND region = ?"  # noqa: S608
        " AND name >= ? AND name < ? AND name > ? ORDER BY name LIMIT ?",
        (*owner, *page.bounds()),
    )
    return [_group_of(row) for row in rows]


def _group(connection: sqlite3.Connection, key: LogGroupKey) -> LogGroup | None:
    row = connection.execute(
        f"SELECT {_GROUP_COLUMNS} FROM log_group"  # noqa: S608 - constant column names
        " WHERE account_id = ? AND region = ? AND name = ?",
        _identity(key),
    ).fetchone()
    return None if row is None else _group_of(row)


def _group_of(row: tuple[str, str, str, int, int | None, int, str]) -> LogGroup:
    account_id, region, name, created_ms, retention_days, stored_bytes, tags = row
    return LogGroup(
        key=LogGroupKey(account_id=account_id, region=region, name=name),
        created_ms=created_ms,
        retention_days=retention_days,
        stored_bytes=stored_bytes,
        tags=json.loads(tags),
    )


def _create_stream(connection: sqlite3.Connection, key: LogGroupKey, stream: LogStream) -> None:
    times = (stream.first_event_ms, stream.last_event_ms, stream.last_ingestion_ms)
    created = connection.execute(
        "INSERT INTO log_stream"
        " (group_id, name, created_ms, first_event_ms, last_event_ms, last_ingestion_ms)"
        " SELECT id, ?, ?, ?, ?, ? FROM log_group"
        " WHERE account_id = ? AND region = ? AND name = ? ON CONFLICT DO NOTHING",
        (stream.name, stream.created_ms, *times, *_identity(key)),
    )
    if created.rowcount == 1:
        return
    if _group(connection, key) is None:
        raise KeyError(key.name)
    raise AlreadyExists(f"log stream {stream.name}")


def _stream_id(
    connection: sqlite3.Connection, key: LogGroupKey, name: str
) -> tuple[int, int] | None:
    row: tuple[int, int] | None = connection.execute(
        "SELECT g.id, s.id FROM log_group g JOIN log_stream s ON s.group_id = g.id"
        " WHERE g.account_id = ? AND g.region = ? AND g.name = ? AND s.name = ?",
        (*_identity(key), name),
    ).fetchone()
    return row


def _streams(connection: sqlite3.Connection, key: LogGroupKey, page: _Page) -> Sequence[LogStream]:
    rows = connection.execute(
        "SELECT s.name, s.created_ms, s.first_event_ms, s.last_event_ms, s.last_ingestion_ms"
        " FROM log_group g JOIN log_stream s ON s.group_id = g.id"
        " WHERE g.account_id = ? AND g.region = ? AND g.name = ?"
        " AND s.name >= ? AND s.name < ? AND s.name > ? ORDER BY s.name LIMIT ?",
        (*_identity(key), *page.bounds()),
    )
    return [
        LogStream(
            name=name,
            created_ms=created_ms,
            first_event_ms=first_event_ms,
            last_event_ms=last_event_ms,
            last_ingestion_ms=last_ingestion_ms,
        )
        for name, created_ms, first_event_ms, last_event_ms, last_ingestion_ms in rows
    ]
