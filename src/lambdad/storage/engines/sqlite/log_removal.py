"""Statements that remove log events, a bounded number at a time."""

from __future__ import annotations

import sqlite3

CHUNK = 2_000

# Pages given back to the file system after each chunk: about what a chunk frees.
VACUUM_PAGES = 200


def retentions(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    """Return `(group id, days)` of the groups that do not keep events for ever."""
    return connection.execute(
        "SELECT id, retention_days FROM log_group WHERE retention_days IS NOT NULL"
    ).fetchall()


def expire_chunk(connection: sqlite3.Connection, group_id: int, cutoff_ms: int) -> int:
    """Delete the oldest events before the cutoff, and streams that lost their last one."""
    rows = connection.execute(
        "SELECT id, stream_id, bytes FROM log_event WHERE group_id = ? AND timestamp_ms < ?"
        " ORDER BY timestamp_ms, id LIMIT ?",
        (group_id, cutoff_ms, CHUNK),
    ).fetchall()
    if not rows:
        return 0
    connection.executemany("DELETE FROM log_event WHERE id = ?", [row[:1] for row in rows])
    connection.execute(
        "UPDATE log_group SET stored_bytes = stored_bytes - ? WHERE id = ?",
        (sum(row[2] for row in rows), group_id),
    )
    for stream_id in {row[1] for row in rows}:
        _refresh_stream(connection, group_id, stream_id)
    _vacuum(connection)
    return len(rows)


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
    """Delete some of a stream's events, and with the last of them the stream; False when done."""
    rows = connection.execute(
        "SELECT id, bytes FROM log_event WHERE group_id = ? AND stream_id = ?"
        " ORDER BY timestamp_ms, id LIMIT ?",
        (group_id, stream_id, CHUNK),
    ).fetchall()
    connection.executemany("DELETE FROM log_event WHERE id = ?", [row[:1] for row in rows])
    connection.execute(
        "UPDATE log_group SET stored_bytes = stored_bytes - ? WHERE id = ?",
        (sum(row[1] for row in rows), group_id),
    )
    more = len(rows) == CHUNK
    if not more:
        connection.execute("DELETE FROM log_stream WHERE id = ?", (stream_id,))
    _vacuum(connection)
    return more


def sweep_chunk(connection: sqlite3.Connection) -> int:
    """Delete some of what deleted groups left; 0 when nothing is left."""
    row = connection.execute("SELECT group_id FROM log_tombstone LIMIT 1").fetchone()
    if row is None:
        return 0
    removed = 0
    for table in ("log_event", "log_stream"):
        statement = (
            f"DELETE FROM {table} WHERE id IN"  # noqa: S608 - constant table names
            f" (SELECT id FROM {table} WHERE group_id = ? LIMIT ?)"
        )
        removed += connection.execute(statement, (row[0], CHUNK)).rowcount
    if removed == 0:
        connection.execute("DELETE FROM log_tombstone WHERE group_id = ?", row)
    _vacuum(connection)
    return max(removed, 1)


def _vacuum(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
