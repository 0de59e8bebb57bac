"""Order and repetition in FIFO topics: jobs on the database."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from lambdad.neighbours.sns.model import Message

_INTERVAL_MS = 5 * 60 * 1_000
_FIRST = 10_000_000_000_000_000_000
_CHUNK = 100


def number(
    db: sqlite3.Connection, topic: str, message: Message, *, scope_is_group: bool, now_ms: int
) -> tuple[Message, bool]:
    """Return a message with its sequence number, and whether it repeats an earlier one."""
    db.execute(
        "DELETE FROM deduplication WHERE (topic, scope, deduplication_id) IN (SELECT topic, scope, "
        "deduplication_id FROM deduplication WHERE until_ms <= ? LIMIT ?)",
        (now_ms, _CHUNK),
    )
    scope = (message.group or "") if scope_is_group else ""
    row = db.execute(
        "SELECT message_id, sequence FROM deduplication WHERE topic = ? AND scope = ? "
        "AND deduplication_id = ? AND until_ms > ?",
        (topic, scope, message.deduplication_id, now_ms),
    ).fetchone()
    if row is not None:
        return replace(message, id=row[0], sequence=str(_FIRST + row[1])), True
    [(last,)] = db.execute(
        "INSERT INTO sequence (topic, last) VALUES (?, 1) "
        "ON CONFLICT (topic) DO UPDATE SET last = last + 1 RETURNING last",
        (topic,),
    ).fetchall()
    db.execute(
        "INSERT OR REPLACE INTO deduplication VALUES (?, ?, ?, ?, ?, ?)",
        (topic, scope, message.deduplication_id, now_ms + _INTERVAL_MS, message.id, last),
    )
    return replace(message, sequence=str(_FIRST + last)), False


def forget(db: sqlite3.Connection, topic: str) -> None:
    """Forget what is known of a topic's messages."""
    db.execute("DELETE FROM deduplication WHERE topic = ?", (topic,))
    db.execute("DELETE FROM sequence WHERE topic = ?", (topic,))
