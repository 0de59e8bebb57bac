"""Queues in SQLite, what is counted of them, and what is cleared away: jobs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from lambdad.neighbours.sqs import group_rows
from lambdad.neighbours.sqs.model import Queue

_CHUNK = 2_000
_COLUMNS = "id, account_id, region, name, created_ms, modified_ms, attributes, tags"


def all_queues(db: sqlite3.Connection) -> list[Queue]:
    """Return every queue."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM queue").fetchall()  # noqa: S608 - a constant
    return [
        Queue(
            id=row[0],
            account_id=row[1],
            region=row[2],
            name=row[3],
            created_ms=row[4],
            modified_ms=row[5],
            attributes=json.loads(row[6]),
            tags=json.loads(row[7]),
        )
        for row in rows
    ]


def insert(db: sqlite3.Connection, queue: Queue) -> int:
    """Store a new queue; returns its id."""
    row = (*queue.key, queue.created_ms, queue.modified_ms)
    cursor = db.execute(
        "INSERT INTO queue (account_id, region, name, created_ms, modified_ms, attributes, tags) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*row, json.dumps(queue.attributes), json.dumps(queue.tags)),
    )
    return int(cursor.lastrowid or 0)


def update(
    db: sqlite3.Connection, queue_id: int, attributes: str, tags: str, modified_ms: int
) -> None:
    """Store a queue's attributes and tags."""
    db.execute(
        "UPDATE queue SET attributes = ?, tags = ?, modified_ms = ? WHERE id = ?",
        (attributes, tags, modified_ms, queue_id),
    )


def remove(db: sqlite3.Connection, queue_id: int) -> None:
    """Forget a queue; its messages are :func:`clear`-ed afterwards."""
    db.execute("DELETE FROM queue WHERE id = ?", (queue_id,))


def orphaned(db: sqlite3.Connection) -> list[int]:
    """Return the ids of queues that are gone and have messages left."""
    rows = db.execute(
        "SELECT DISTINCT queue_id FROM message WHERE queue_id NOT IN (SELECT id FROM queue)"
    )
    return [row[0] for row in rows]


def last_message(db: sqlite3.Connection) -> int:
    """Return the id of the newest message of all."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0])


def clear(db: sqlite3.Connection, queue_id: int, last_id: int, now_ms: int) -> bool:
    """Remove some messages that are not newer than `last_id`; whether there may be more."""
    rows = db.execute(
        "SELECT id, fifo_group FROM message INDEXED BY message_age "
        "WHERE queue_id = ? AND id <= ? LIMIT ?",
        (queue_id, last_id, _CHUNK),
    ).fetchall()
    _remove(db, queue_id, rows, now_ms)
    return len(rows) == _CHUNK


def expire(db: sqlite3.Connection, queue_id: int, sent_ms: int, now_ms: int) -> bool:
    """Remove some messages that were sent before `sent_ms`; whether there may be more."""
    rows = db.execute(
        "SELECT id, fifo_group FROM message WHERE queue_id = ? AND sent_ms <= ? LIMIT ?",
        (queue_id, sent_ms, _CHUNK),
    ).fetchall()
    _remove(db, queue_id, rows, now_ms)
    return len(rows) == _CHUNK


def forget_duplicates(db: sqlite3.Connection, now_ms: int) -> bool:
    """Remove some deduplication ids whose time is over; whether there may be more."""
    rows = db.execute(
        "SELECT queue_id, scope, deduplication_id FROM deduplication WHERE until_ms <= ? LIMIT ?",
        (now_ms, _CHUNK),
    ).fetchall()
    db.executemany(
        "DELETE FROM deduplication WHERE queue_id = ? AND scope = ? AND deduplication_id = ?", rows
    )
    return len(rows) == _CHUNK


def _remove(
    db: sqlite3.Connection, queue_id: int, rows: Sequence[tuple[int, str | None]], now_ms: int
) -> None:
    ids = [(row_id,) for row_id, _ in rows]
    db.executemany("DELETE FROM message WHERE id = ?", ids)
    db.executemany("DELETE FROM content WHERE id = ?", ids)
    for group in {group for _, group in rows if group is not None}:
        group_rows.settle(db, queue_id, group, now_ms)


def counts(db: sqlite3.Connection, queue_id: int, now_ms: int) -> tuple[int, int, int]:
    """Return how many messages can be received, are in flight, are delayed."""
    visible, in_flight, delayed = db.execute(
        "SELECT total(due_ms <= ?), total(due_ms > ? AND claimed_ms IS NOT NULL), "
        "total(due_ms > ? AND claimed_ms IS NULL) FROM message WHERE queue_id = ?",
        (now_ms, now_ms, now_ms, queue_id),
    ).fetchone()
    return int(visible), int(in_flight), int(delayed)
