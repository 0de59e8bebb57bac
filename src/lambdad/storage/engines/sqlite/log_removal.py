"""Statements that remove log events, a bounded number at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lambdad.storage.engines.sqlite.log_rows import PART_BYTES, SPAN_MS, unpack
from lambdad.storage.log_sizes import stored_size

# Of a chunk: rows, and what the events in them count for, but for the last row.
_ROWS = 2_000
_BYTES = 512 * 1024

# Pages given back to the file system after each chunk: about what a chunk frees.
VACUUM_PAGES = 200

# (id, stream id, bytes, events, earliest time)
_Weighed = tuple[int, int, int, int, int]
_WEIGH = (
    f"SELECT id, stream_id, bytes, coalesce(length(parts) / {PART_BYTES}, 1), timestamp_ms"  # noqa: S608
    " FROM log_event WHERE group_id = ?"
)


def retentions(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """Return `(group id, days)` of the groups that do not keep events for ever."""
    return connection.execute(
        "SELECT id, retention_days FROM log_group WHERE retention_days IS NOT NULL"
    ).fetchall()


def expire_chunk(connection: sqlite3.Connection, group_id: int, cutoff_ms: int) -> int:
    """Delete the oldest events before the cutoff, and streams that lost their last one.

    Returns how many.
    """
    rows = _chunk(connection, "AND timestamp_ms < ? ORDER BY timestamp_ms, id", group_id, cutoff_ms)
    if not rows:
        return 0
    whole = [row for row in rows if row[3] == 1 or row[4] < cutoff_ms - SPAN_MS]
    _delete(connection, whole)
    freed, removed = sum(row[2] for row in whole), sum(row[3] for row in whole)
    for row in rows:
        if row[3] > 1 and row[4] >= cutoff_ms - SPAN_MS:
            events, size = _expire_part(connection, row, cutoff_ms)
            removed += events
            freed += size
    _release(connection, group_id, freed)
    for stream_id in {row[1] for row in rows}:
        _refresh_stream(connection, group_id, stream_id)
    _vacuum(connection)
    return removed


def _expire_part(connection: sqlite3.Connection, row: _Weighed, cutoff_ms: int) -> tuple[int, int]:
    """Leave the events of a row that are not over, each in a row; returns how many went, and size.

    All keep their identifiers: nobody else has got those of the events in a row.
    """
    row_id, stream_id, size, count, _ = row
    found = connection.execute(
        "SELECT timestamp_ms, id, message, ingestion_ms, '', parts, group_id FROM log_event"
        " WHERE id = ?",
        (row_id,),
    ).fetchone()
    left = [event for event in unpack(found[:6]) if event[0] >= cutoff_ms]
    connection.execute("DELETE FROM log_event WHERE id = ?", (row_id,))
    connection.executemany(
        "INSERT INTO log_event (id, group_id, stream_id, timestamp_ms, ingestion_ms, bytes,"
        " message) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (event_id, found[6], stream_id, at, found[3], stored_size(text), text)
            for at, event_id, text in left
        ],
    )
    return count - len(left), size - sum(stored_size(text) for _, _, text in left)


def _chunk(connection: sqlite3.Connection, which: str, *values: int) -> Sequence[_Weighed]:
    """Return the first rows of a group that are removed at once; `which` is a constant."""
    rows: list[_Weighed] = []
    size = 0
    for row in connection.execute(f"{_WEIGH} {which} LIMIT ?", (*values, _ROWS)):
        rows.append(row)
        size += row[2]
        if size >= _BYTES:
            break
    return rows


def _delete(connection: sqlite3.Connection, rows: Sequence[_Weighed]) -> None:
    connection.executemany("DELETE FROM log_event WHERE id = ?", [row[:1] for row in rows])


def _release(connection: sqlite3.Connection, group_id: int, size: int) -> None:
    connection.execute(
        "UPDATE log_group SET stored_bytes = stored_bytes - ? WHERE id = ?", (size, group_id)
    )


def _refresh_stream(connection: sqlite3.Connection, group_id: int, stream_id: int) -> None:
    # A stream is made for each environment; left behind empty they would gather without end.
    # One that still writes is made anew by its next event.
    (first_ms,) = connection.execute(
        "SELECT min(timestamp_ms) FROM log_event WHERE group_id = ? AND stream_id = ?",
        (group_id, stream_id),
    ).fetchone()
    if first_ms is None:
        connection.execute("DELETE FROM log_stream WHERE id = ?", (stream_id,))
    else:
        connection.execute(
            "UPDATE log_stream SET first_event_ms = ? WHERE id = ?", (first_ms, stream_id)
        )


def remove_stream_chunk(connection: sqlite3.Connection, group_id: int, stream_id: int) -> bool:
    """Delete some of a stream's events, and behind the last of them the stream; False when done."""
    rows = _chunk(connection, "AND stream_id = ? ORDER BY timestamp_ms, id", group_id, stream_id)
    _delete(connection, rows)
    _release(connection, group_id, sum(row[2] for row in rows))
    if not rows:
        connection.execute("DELETE FROM log_stream WHERE id = ?", (stream_id,))
    _vacuum(connection)
    return bool(rows)


def sweep_chunk(connection: sqlite3.Connection) -> int:
    """Delete some of what deleted groups left; 0 when nothing is left."""
    group = connection.execute("SELECT group_id FROM log_tombstone LIMIT 1").fetchone()
    if group is None:
        return 0
    rows = _chunk(connection, "", *group)
    _delete(connection, rows)
    streams = connection.execute(
        "DELETE FROM log_stream WHERE id IN (SELECT id FROM log_stream WHERE group_id = ? LIMIT ?)",
        (*group, _ROWS),
    ).rowcount
    removed = len(rows) + streams
    if removed == 0:
        connection.execute("DELETE FROM log_tombstone WHERE group_id = ?", group)
    _vacuum(connection)
    return max(removed, 1)


def _vacuum(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
