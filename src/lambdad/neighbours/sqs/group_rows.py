"""Message groups of FIFO queues in SQLite: one row for each group that has messages.

A group is ready when its first message is due and none of it is in flight. Receiving takes groups
in the order in which they became ready, so a long group costs no more than a short one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

# A receive takes ten messages at most, and nothing is taken while any of them is in flight.
_IN_FLIGHT_MAX = 10
_GROUPS_MAX = 200

_READY = """
SELECT name FROM message_group WHERE queue_id = ? AND ready_ms <= ?
ORDER BY ready_ms, head_id LIMIT 1
"""
_HEAD = """
SELECT id, message_id, sent_ms, receives, first_received_ms, fifo_group, due_ms FROM message
WHERE queue_id = ? AND fifo_group = ? ORDER BY id LIMIT ?
"""
_FLIGHT = """
SELECT id, due_ms, claimed_ms FROM message
WHERE queue_id = ? AND fifo_group = ? ORDER BY id LIMIT ?
"""


def joined(db: sqlite3.Connection, queue_id: int, group: str, row_id: int, due_ms: int) -> None:
    """A message came to the end of a group."""
    db.execute(
        "INSERT INTO message_group (queue_id, name, ready_ms, head_id) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (queue_id, group, due_ms, row_id),
    )


def settle(db: sqlite3.Connection, queue_id: int, group: str, now_ms: int) -> None:
    """Find out anew when a group is ready."""
    rows = db.execute(_FLIGHT, (queue_id, group, _IN_FLIGHT_MAX + 1)).fetchall()
    if not rows:
        db.execute("DELETE FROM message_group WHERE queue_id = ? AND name = ?", (queue_id, group))
        return
    in_flight = [due for _, due, claimed in rows if claimed is not None and due > now_ms]
    db.execute(
        "UPDATE message_group SET ready_ms = ?, head_id = ? WHERE queue_id = ? AND name = ?",
        (max(in_flight, default=rows[0][1]), rows[0][0], queue_id, group),
    )


def next_ready(db: sqlite3.Connection, queue_id: int) -> int | None:
    """Return when a group is ready next; None if there is none."""
    ready: int | None = db.execute(
        "SELECT min(ready_ms) FROM message_group WHERE queue_id = ?", (queue_id,)
    ).fetchone()[0]
    return ready


def claim(
    db: sqlite3.Connection,
    queue_id: int,
    now_ms: int,
    take: Callable[[Any], None],
    *,
    wanted: Callable[[], int],
) -> None:
    """Let `take` have messages of ready groups, in order, as long as any are wanted.

    What it gets may be handed out, moved or removed by it.
    """
    seen: set[str] = set()
    for _ in range(_GROUPS_MAX):
        count = wanted()
        found = db.execute(_READY, (queue_id, now_ms)).fetchone() if count > 0 else None
        if found is None or found[0] in seen:
            # A group that was taken without any timeout is ready still.
            return
        group = found[0]
        taken = False
        for row in db.execute(_HEAD, (queue_id, group, count)).fetchall():
            if row[6] > now_ms:
                break
            before = count
            take(row[:6])
            count = wanted()
            taken = taken or count < before
        settle(db, queue_id, group, now_ms)
        if taken:
            seen.add(group)
