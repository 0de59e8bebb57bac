"""Notifications between the change that they tell of and their target: jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A notification.

    Attributes:
        target: ARN of a function, queue or topic, or of the default event bus.
        source: ARN of the bucket, account and region, separated by `|`.
        payload: JSON.
    """

    target: str
    source: str
    payload: str
    id: int = 0
    accepted_ms: int = 0
    tries: int = 0


def add(db: sqlite3.Connection, messages: Sequence[Message], now_ms: int) -> None:
    """Store notifications."""
    db.executemany(
        "INSERT INTO outbox (target, source, payload, accepted_ms, due_ms) VALUES (?, ?, ?, ?, ?)",
        [(each.target, each.source, each.payload, now_ms, now_ms) for each in messages],
    )


def due(db: sqlite3.Connection, now_ms: int) -> tuple[list[Message], int | None]:
    """Return what is to be handed over now, and when the next one is."""
    rows = db.execute(
        "SELECT id, target, source, payload, accepted_ms, tries FROM outbox WHERE due_ms <= ? "
        "ORDER BY due_ms, id LIMIT ?",
        (now_ms, _PAGE),
    ).fetchall()
    (following,) = db.execute(
        "SELECT min(due_ms) FROM outbox WHERE due_ms > ?", (now_ms,)
    ).fetchone()
    messages = [
        Message(
            id=row[0],
            target=row[1],
            source=row[2],
            payload=row[3],
            accepted_ms=row[4],
            tries=row[5],
        )
        for row in rows
    ]
    return messages, following


def settle(db: sqlite3.Connection, done: Sequence[int], again: Sequence[tuple[int, int]]) -> None:
    """Forget what was handed over; `again` has ids and when they are due next."""
    db.executemany("DELETE FROM outbox WHERE id = ?", [(each,) for each in done])
    db.executemany(
        "UPDATE outbox SET due_ms = ?, tries = tries + 1 WHERE id = ?",
        [(due_ms, each) for each, due_ms in again],
    )
