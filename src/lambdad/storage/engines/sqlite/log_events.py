"""Statements that write and read log events. Jobs of :mod:`.database`, run off the event loop."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Sequence

from lambdad.storage.base import LogEvent, LogGroupKey, LogQuery
from lambdad.storage.log_sizes import EVENT_OVERHEAD_BYTES, page, storable, stored_size

_UPSERT_STREAM = """
INSERT INTO log_stream
    (group_id, name, created_ms, first_event_ms, last_event_ms, last_ingestion_ms)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (group_id, name) DO UPDATE SET
    first_event_ms = CASE WHEN log_stream.first_event_ms < excluded.first_event_ms
        THEN log_stream.first_event_ms ELSE excluded.first_event_ms END,
    last_event_ms = CASE WHEN log_stream.last_event_ms > excluded.last_event_ms
        THEN log_stream.last_event_ms ELSE excluded.last_event_ms END,
    last_ingestion_ms = excluded.last_ingestion_ms
RETURNING id
"""
_COLUMNS = 6
# Any time is before and behind this one.
_NEVER = (2**63, -(2**63))
_INSERT_EVENT = """
INSERT INTO log_event (group_id, stream_id, timestamp_ms, ingestion_ms, bytes, message)
VALUES (?, ?, ?, ?, ?, ?)
"""
# Of so many at once. Every statement lets go of the interpreter's lock and takes it again, which
# the event loop pays for as well.
_MANY = 100
_INSERT_MANY = _INSERT_EVENT + ", (?, ?, ?, ?, ?, ?)" * (_MANY - 1)
_GROUP_ID = "SELECT id FROM log_group WHERE account_id = ? AND region = ? AND name = ?"

# (timestamp_ms, id, message, ingestion_ms, stream name)
_Row = tuple[int, int, str, int, str]


def append(
    connection: sqlite3.Connection,
    batches: Sequence[tuple[LogGroupKey, Sequence[LogEvent]]],
    now_ms: int,
) -> None:
    """Store events; identifiers grow in the order of the batches."""
    for key, events in batches:
        group_id = _ensure_group(connection, key, now_ms)
        streams = {
            name: _touch_stream(connection, (group_id, name, now_ms), span)
            for name, span in _spans(events).items()
        }
        values: list[int | str] = []
        total = 0
        for event in events:
            message = event.message
            if message.isascii():
                size = len(message) + EVENT_OVERHEAD_BYTES
            else:
                message = storable(message)
                size = stored_size(message)
            total += size
            stream_id = streams[event.stream]
            values += (group_id, stream_id, event.timestamp_ms, now_ms, size, message)
        _insert(connection, values)
        connection.execute(
            "UPDATE log_group SET stored_bytes = stored_bytes + ? WHERE id = ?", (total, group_id)
        )


def _insert(connection: sqlite3.Connection, values: list[int | str]) -> None:
    """Insert events; `values` are those of all columns of all of them."""
    many, one = _MANY * _COLUMNS, _COLUMNS
    whole = len(values) // many * many
    for start in range(0, whole, many):
        connection.execute(_INSERT_MANY, values[start : start + many])
    rest = range(whole, len(values), one)
    connection.executemany(_INSERT_EVENT, [values[start : start + one] for start in rest])


def _ensure_group(connection: sqlite3.Connection, key: LogGroupKey, now_ms: int) -> int:
    identity = (key.account_id, key.region, key.name)
    row = connection.execute(_GROUP_ID, identity).fetchone()
    if row is None:
        connection.execute(
            "INSERT INTO log_group (account_id, region, name, created_ms, stored_bytes)"
            " VALUES (?, ?, ?, ?, 0)",
            (*identity, now_ms),
        )
        row = connection.execute(_GROUP_ID, identity).fetchone()
    group_id: int = row[0]
    return group_id


def _spans(events: Sequence[LogEvent]) -> dict[str, tuple[int, int]]:
    """Return the earliest and latest timestamp by stream."""
    spans: dict[str, tuple[int, int]] = {}
    for event in events:
        at, stream = event.timestamp_ms, event.stream
        first, last = spans.get(stream, _NEVER)
        if not first <= at <= last:
            spans[stream] = (at if at < first else first, at if at > last else last)
    return spans


def _touch_stream(
    connection: sqlite3.Connection, stream: tuple[int, str, int], span: tuple[int, int]
) -> int:
    row = connection.execute(_UPSERT_STREAM, (*stream, *span, stream[2])).fetchall()[0]
    stream_id: int = row[0]
    return stream_id


def select_events(
    connection: sqlite3.Connection, key: LogGroupKey, query: LogQuery
) -> Sequence[LogEvent]:
    """Return a page of events by `(timestamp, id)`, or backwards."""
    identity = (key.account_id, key.region, key.name)
    group = connection.execute(_GROUP_ID, identity).fetchone()
    if group is None or query.limit <= 0:
        return []
    rows: Iterator[_Row]
    if query.streams is None:
        # CROSS JOIN fixes the order of the loops: events by their index, each with its stream.
        rows = connection.execute(*_page("e.group_id = ?", group, query))
    else:
        rows = _merged(connection, group[0], query)
    return page(map(_event, rows), query)


def select_arrivals(
    connection: sqlite3.Connection, key: LogGroupKey, after: int, query: LogQuery
) -> Sequence[LogEvent]:
    """Return a page of the events behind one, by id, none older than the query's start.

    With a start, they are found by time and sorted; without one, whatever was stored behind the
    event is looked at, in all groups.
    """
    group = connection.execute(_GROUP_ID, (key.account_id, key.region, key.name)).fetchone()
    if group is None:
        return []
    by_time = query.start_ms is not None
    rows = connection.execute(
        "SELECT e.timestamp_ms, e.id, e.message, e.ingestion_ms, s.name"  # noqa: S608 - constants
        f" FROM log_event e {'INDEXED BY log_event_by_group' if by_time else 'NOT INDEXED'}"
        " CROSS JOIN log_stream s WHERE s.id = e.stream_id AND e.group_id = ? AND e.id > ?"
        f" {'AND e.timestamp_ms >= ?' if by_time else ''} ORDER BY e.id LIMIT ?",
        (*group, after, *([query.start_ms] if by_time else []), query.limit),
    )
    return page(map(_event, rows), query)


def last_event_id(connection: sqlite3.Connection) -> int:
    """Return the id of the newest event, which may be gone."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log_event'").fetchone()
    return 0 if row is None else int(row[0])


def _event(row: _Row) -> LogEvent:
    timestamp_ms, event_id, message, ingestion_ms, stream = row
    return LogEvent(
        stream=stream,
        timestamp_ms=timestamp_ms,
        message=message,
        ingestion_ms=ingestion_ms,
        event_id=event_id,
    )


def _merged(connection: sqlite3.Connection, group_id: int, query: LogQuery) -> Iterator[_Row]:
    """Merge the streams' own orders: reads no more rows of a stream than are used, but one."""
    cursors = []
    for name in dict.fromkeys(query.streams or ()):
        stream = connection.execute(
            "SELECT id FROM log_stream WHERE group_id = ? AND name = ?", (group_id, name)
        ).fetchone()
        if stream is not None:
            identity = (group_id, *stream)
            cursors.append(
                connection.execute(*_page("e.group_id = ? AND e.stream_id = ?", identity, query))
            )
    return heapq.merge(*cursors, key=lambda row: row[:2], reverse=query.backward)


def _page(where: str, identity: tuple[int, ...], query: LogQuery) -> tuple[str, tuple[int, ...]]:
    """Return statement and values; `where` is a constant of this module."""
    clauses, values = [where], [*identity]
    if query.start_ms is not None:
        clauses.append("e.timestamp_ms >= ?")
        values.append(query.start_ms)
    if query.end_ms is not None:
        clauses.append("e.timestamp_ms < ?")
        values.append(query.end_ms)
    if query.after is not None:
        clauses.append(f"(e.timestamp_ms, e.id) {'<' if query.backward else '>'} (?, ?)")
        values.extend(query.after)
    direction = "DESC" if query.backward else "ASC"
    statement = (
        "SELECT e.timestamp_ms, e.id, e.message, e.ingestion_ms, s.name"  # noqa: S608 - constants
        " FROM log_event e CROSS JOIN log_stream s WHERE s.id = e.stream_id"
        f" AND {' AND '.join(clauses)}"
        f" ORDER BY e.timestamp_ms {direction}, e.id {direction} LIMIT ?"
    )
    return statement, (*values, query.limit)
