"""Archived events in SQLite: jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

_CHUNK = 500


def insert(db: sqlite3.Connection, rows: Sequence[tuple[str, int, str]]) -> None:
    """Keep events: archive, time in milliseconds, document."""
    db.executemany(
        "INSERT INTO archived (archive, time_ms, size, event) VALUES (?, ?, ?, ?)",
        [(archive, time_ms, len(text.encode()), text) for archive, time_ms, text in rows],
    )


def clear(db: sqlite3.Connection, archive: str) -> None:
    """Forget all events of an archive."""
    db.execute("DELETE FROM archived WHERE archive = ?", (archive,))


def expire(db: sqlite3.Connection, archive: str, before_ms: int) -> None:
    """Forget the events of an archive that are older."""
    db.execute("DELETE FROM archived WHERE archive = ? AND time_ms < ?", (archive, before_ms))


def counts(db: sqlite3.Connection, archive: str) -> tuple[int, int]:
    """Return how many events an archive has, and their bytes."""
    row = db.execute(
        "SELECT count(*), total(size) FROM archived WHERE archive = ?", (archive,)
    ).fetchone()
    return int(row[0]), int(row[1])


def after(
    db: sqlite3.Connection, archive: str, from_ms: int, to_ms: int, last: tuple[int, int]
) -> list[tuple[int, int, str]]:
    """Return id, time and document of some events of a time, after the last one: time and id."""
    rows = db.execute(
        "SELECT id, time_ms, event FROM archived WHERE archive = ? AND time_ms >= ? "
        "AND time_ms < ? AND (time_ms, id) > (?, ?) ORDER BY time_ms, id LIMIT ?",
        (archive, max(from_ms, last[0]), to_ms, *last, _CHUNK),
    )
    return rows.fetchall()
