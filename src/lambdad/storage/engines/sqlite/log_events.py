"""Statements that write and read log events. Jobs of :mod:`.database`, run off the event loop."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Sequence

from lambdad.domain.logs import LogSegment
from lambdad.storage.base import LogBatches, LogEvent, LogGroupKey, LogQuery
from lambdad.storage.engines.sqlite.log_rows import (
    SPAN_MS,
    Event,
    Row,
    last_ms,
    pack,
    pieces,
    unpack,
)
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
_INSERT_ROW = """
INSERT INTO log_event
    (id, group_id, stream_id, timestamp_ms, ingestion_ms, bytes, message, parts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_GROUP_ID = "SELECT id FROM log_group WHERE account_id = ? AND region = ? AND name = ?"
# CROSS JOIN fixes the order of the loops: rows by their index, each with its stream.
_SELECT = "SELECT e.timestamp_ms, e.id, e.message, e.ingestion_ms, s.name, e.parts FROM log_event e"
_WITH_STREAM = "CROSS JOIN log_stream s WHERE s.id = e.stream_id"
# Behind any time, in milliseconds, that an event has.
_UNBOUNDED = 2**62


def append(connection: sqlite3.Connection, batches: LogBatches, now_ms: int) -> None:
    """Store events; identifiers grow in the order of the batches."""
    event_id = last_event_id(connection)
    for key, segments in batches:
        group_id = _ensure_group(connection, key, now_ms)
        rows: list[tuple[int | str | bytes | None, ...]] = []
        total = 0
        for segment in segments:
            stream_id = _touch_stream(connection, (group_id, segment.stream, now_ms), segment)
            for piece in pieces(segment):
                times, messages = piece.times_ms, piece.messages
                event_id += len(times)
                text = storable("".join(messages))
                size = stored_size(text) + (len(times) - 1) * EVENT_OVERHEAD_BYTES
                total += size
                place = (event_id, group_id, stream_id, min(times), now_ms)
                rows.append((*place, size, text, pack(times, messages)))
        connection.executemany(_INSERT_ROW, rows)
        connection.execute(
            "UPDATE log_group SET stored_bytes = stored_bytes + ? WHERE id = ?", (total, group_id)
        )


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


def _touch_stream(
    connection: sqlite3.Connection, stream: tuple[int, str, int], segment: LogSegment
) -> int:
    span = (min(segment.times_ms), max(segment.times_ms))
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
    found: Iterator[LogEvent]
    if query.streams is None:
        found = _in_order(_rows(connection, "e.group_id = ?", group, query), query)
    else:
        found = _merged(connection, group[0], query)
    return page(found, query)


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
    start_ms = query.start_ms
    by_time = start_ms is not None
    rows = connection.execute(
        f"{_SELECT} {'INDEXED BY log_event_by_group' if by_time else 'NOT INDEXED'}"
        f" {_WITH_STREAM} AND e.group_id = ? AND e.id > ?"
        f" {'AND e.timestamp_ms >= ?' if by_time else ''} ORDER BY e.id LIMIT ?",
        (*group, after, *([start_ms - SPAN_MS] if start_ms is not None else []), query.limit),
    )
    return page(
        (
            _event(row, event)
            for row in rows
            for event in unpack(row)
            if event[1] > after and (start_ms is None or event[0] >= start_ms)
        ),
        query,
    )


def last_event_id(connection: sqlite3.Connection) -> int:
    """Return the id of the newest event, which may be gone."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'log_event'").fetchone()
    return 0 if row is None else int(row[0])


def _event(row: Row, event: Event) -> LogEvent:
    timestamp_ms, event_id, message = event
    return LogEvent(
        stream=row[4],
        timestamp_ms=timestamp_ms,
        message=message,
        ingestion_ms=row[3],
        event_id=event_id,
    )


def _merged(connection: sqlite3.Connection, group_id: int, query: LogQuery) -> Iterator[LogEvent]:
    """Merge the streams' own orders: reads no more rows of a stream than are used, but few."""
    cursors = []
    for name in dict.fromkeys(query.streams or ()):
        stream = connection.execute(
            "SELECT id FROM log_stream WHERE group_id = ? AND name = ?", (group_id, name)
        ).fetchone()
        if stream is not None:
            where = "e.group_id = ? AND e.stream_id = ?"
            rows = _rows(connection, where, (group_id, *stream), query)
            cursors.append(_in_order(rows, query))
    return heapq.merge(*cursors, key=_position, reverse=query.backward)


def _position(event: LogEvent) -> tuple[int, int]:
    return event.timestamp_ms, event.event_id


def _bounds(query: LogQuery) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the `(timestamp, id)` from which on, and before which, events are wanted."""
    low = (-_UNBOUNDED if query.start_ms is None else query.start_ms, 0)
    high = (2 * _UNBOUNDED - 1 if query.end_ms is None else query.end_ms, 0)
    if query.after is not None:
        timestamp_ms, event_id = query.after
        if query.backward:
            high = min(high, query.after)
        else:
            low = max(low, (timestamp_ms, event_id + 1))
    return low, high


def _rows(
    connection: sqlite3.Connection, where: str, identity: tuple[int, ...], query: LogQuery
) -> Iterator[Row]:
    """Return the rows that may have events of a query, by their earliest ones, as they are read.

    `where` is a constant of this module. An index has them in this order.
    """
    low, high = _bounds(query)
    direction = "DESC" if query.backward else "ASC"
    return connection.execute(
        f"{_SELECT} {_WITH_STREAM} AND {where} AND e.timestamp_ms BETWEEN ? AND ?"
        f" ORDER BY e.timestamp_ms {direction}, e.id {direction}",
        (*identity, low[0] - SPAN_MS, high[0]),
    )


def _in_order(rows: Iterator[Row], query: LogQuery) -> Iterator[LogEvent]:
    """Yield the wanted events of rows by `(timestamp, id)`, or backwards.

    An event's turn has come when no row that is still to come can have one before it.
    """
    low, high = _bounds(query)
    sign = -1 if query.backward else 1
    waiting: list[tuple[int, int, Row, Event]] = []
    for row in rows:
        edge = -(row[0] + SPAN_MS) if query.backward else row[0]
        while waiting and waiting[0][0] < edge:
            _, _, of, event = heapq.heappop(waiting)
            yield _event(of, event)
        if (last_ms(row), row[1]) < low:
            continue
        for event in unpack(row):
            if low <= event[:2] < high:
                heapq.heappush(waiting, (sign * event[0], sign * event[1], row, event))
    while waiting:
        _, _, of, event = heapq.heappop(waiting)
        yield _event(of, event)
