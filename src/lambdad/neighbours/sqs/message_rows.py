"""Messages in SQLite: every function is a job, or a part of one, that makes one decision.

Receiving costs the same whatever waits: an index finds what is due, and nothing is counted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from lambdad.neighbours.sqs import group_rows
from lambdad.neighbours.sqs.model import (
    Outgoing,
    Receipt,
    Received,
    Sent,
    pack_extras,
    sequence_number,
)

# Id, message id, sent, receives, first received, message group.
Row = tuple[int, str, int, int, int | None, str | None]

DEDUPLICATION_MS = 300_000
# Of what cannot be handed out but stands in front, so much is cleared away in one job.
_CLEARED_MAX = 200

_INSERT = """
INSERT INTO message (queue_id, due_ms, message_id, sent_ms, fifo_group) VALUES (?, ?, ?, ?, ?)
"""
_DUE = """
SELECT id, message_id, sent_ms, receives, first_received_ms, fifo_group FROM message
WHERE queue_id = ? AND due_ms <= ? ORDER BY due_ms LIMIT ?
"""
_CLAIM = """
UPDATE message SET due_ms = ?, claimed_ms = ?, receives = receives + 1,
    first_received_ms = coalesce(first_received_ms, ?) WHERE id = ?
"""
_NEXT_DUE = "SELECT min(due_ms) FROM message WHERE queue_id = ?"
_MOVE = """
INSERT INTO message (queue_id, due_ms, message_id, sent_ms, fifo_group)
SELECT ?, ?, message_id, ?, fifo_group FROM message WHERE id = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a job must know of a queue.

    Attributes:
        dead_letters: id of the dead-letter queue, whether it is there or not; None for none.
        receives_max: after so many receives a message goes there.
        retention_ms: a message that is older is gone.
        scope_is_group: duplicates are looked for within a message group alone.
    """

    id: int
    arn: str
    fifo: bool
    delay_ms: int = 0
    retention_ms: int
    scope_is_group: bool = False
    dead_letters: int | None = None
    receives_max: int = 0


@dataclass(slots=True, kw_only=True)
class Claimed:
    """What a receive took.

    Attributes:
        next_due_ms: of the queue, after that; None if it is empty.
        dead: messages that went to the dead-letter queue.
    """

    messages: list[Received] = field(default_factory=list)
    next_due_ms: int | None = None
    dead: int = 0


def insert(
    db: sqlite3.Connection, target: Target, messages: Sequence[Outgoing], now_ms: int
) -> tuple[list[Sent], int | None]:
    """Store messages; returns them, and when the first of the new ones is due."""
    sent: list[Sent] = []
    first: int | None = None
    for message in messages:
        earlier = _earlier(db, target, message, now_ms) if target.fifo else None
        if earlier is not None:
            sent.append(earlier)
            continue
        delay_ms = target.delay_ms if message.delay_s is None else message.delay_s * 1_000
        due_ms = now_ms + delay_ms
        group = message.group if target.fifo else None
        row = (target.id, due_ms, message.message_id, now_ms, group)
        row_id = int(db.execute(_INSERT, row).lastrowid or 0)
        db.execute(
            "INSERT INTO content (id, body, extras) VALUES (?, ?, ?)",
            (row_id, message.body, pack_extras(message)),
        )
        if group is not None:
            group_rows.joined(db, target.id, group, row_id, due_ms)
            _remember(db, target, message, row_id, now_ms)
        sequence = sequence_number(row_id) if target.fifo else None
        sent.append(Sent(message_id=message.message_id, sequence=sequence))
        first = due_ms if first is None else min(first, due_ms)
    return sent, first


def _scope(target: Target, message: Outgoing) -> str:
    return message.group or "" if target.scope_is_group else ""


def _earlier(db: sqlite3.Connection, target: Target, message: Outgoing, now_ms: int) -> Sent | None:
    row = db.execute(
        "SELECT message_id, row_id FROM deduplication WHERE queue_id = ? AND scope = ? "
        "AND deduplication_id = ? AND until_ms > ?",
        (target.id, _scope(target, message), message.deduplication_id, now_ms),
    ).fetchone()
    return None if row is None else Sent(message_id=row[0], sequence=sequence_number(row[1]))


def _remember(
    db: sqlite3.Connection, target: Target, message: Outgoing, row_id: int, now_ms: int
) -> None:
    db.execute(
        "INSERT OR REPLACE INTO deduplication VALUES (?, ?, ?, ?, ?, ?)",
        (
            target.id,
            _scope(target, message),
            message.deduplication_id,
            now_ms + DEDUPLICATION_MS,
            message.message_id,
            row_id,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Receive:
    """What a receive asks for."""

    target: Target
    count: int
    visibility_ms: int
    now_ms: int


def claim(
    db: sqlite3.Connection, target: Target, count: int, visibility_ms: int, now_ms: int
) -> Claimed:
    """Take up to `count` messages that are due, in the queue's order."""
    receive = _Receive(target=target, count=count, visibility_ms=visibility_ms, now_ms=now_ms)
    claimed = Claimed()
    if target.fifo:
        group_rows.claim(
            db,
            target.id,
            now_ms,
            lambda row: _take(db, receive, row, claimed),
            wanted=lambda: count - len(claimed.messages),
        )
    else:
        _claim_standard(db, receive, claimed)
    claimed.next_due_ms = next_due(db, target)
    return claimed


def _claim_standard(db: sqlite3.Connection, receive: _Receive, claimed: Claimed) -> None:
    for _ in range(_CLEARED_MAX):
        wanted = receive.count - len(claimed.messages)
        bounds = (receive.target.id, receive.now_ms, wanted)
        rows = db.execute(_DUE, bounds).fetchall() if wanted else []
        for row in rows:
            _take(db, receive, row, claimed)
        # Without any timeout a message stays due and would be found again.
        if len(rows) < wanted or not wanted or not receive.visibility_ms:
            break


def next_due(db: sqlite3.Connection, target: Target) -> int | None:
    """Return when the queue's next message can be received; None if it is empty."""
    if target.fifo:
        return group_rows.next_ready(db, target.id)
    due: int | None = db.execute(_NEXT_DUE, (target.id,)).fetchone()[0]
    return due


def _take(db: sqlite3.Connection, receive: _Receive, row: Row, claimed: Claimed) -> None:
    """Hand one message out, unless it is too old or has been received too often."""
    target, now_ms = receive.target, receive.now_ms
    row_id, message_id, sent_ms, receives, first_ms, _ = row
    if sent_ms + target.retention_ms <= now_ms:
        remove_row(db, row_id)
        return
    if target.receives_max and receives >= target.receives_max and target.dead_letters is not None:
        bury(db, target, row, now_ms)
        claimed.dead += 1
        return
    db.execute(_CLAIM, (now_ms + receive.visibility_ms, now_ms, now_ms, row_id))
    body, extras = db.execute("SELECT body, extras FROM content WHERE id = ?", (row_id,)).fetchone()
    claimed.messages.append(
        Received(
            row_id=row_id,
            message_id=message_id,
            body=body,
            extras=json.loads(extras),
            sent_ms=sent_ms,
            receives=receives + 1,
            first_received_ms=now_ms if first_ms is None else first_ms,
            fifo=target.fifo,
        )
    )


def bury(
    db: sqlite3.Connection,
    source: Target,
    row: Row,
    now_ms: int,
) -> None:
    """Move a message to the dead-letter queue, which learns where it is from."""
    assert source.dead_letters is not None  # noqa: S101 - the caller looked
    # A standard queue's message keeps its age in the dead-letter queue, a FIFO queue's does not.
    sent_ms = now_ms if source.fifo else row[2]
    move(db, row[0], source.dead_letters, now_ms, sent_ms, came_from=source.arn)


def move(
    db: sqlite3.Connection,
    row_id: int,
    queue_id: int,
    now_ms: int,
    sent_ms: int,
    *,
    came_from: str | None,
) -> None:
    """Put a message at the end of another queue."""
    new_id = int(db.execute(_MOVE, (queue_id, now_ms, sent_ms, row_id)).lastrowid or 0)
    (extras,) = db.execute("SELECT extras FROM content WHERE id = ?", (row_id,)).fetchone()
    document = json.loads(extras)
    document.pop("dead", None)
    if came_from is not None:
        document["dead"] = came_from
    db.execute(
        "UPDATE content SET id = ?, extras = ? WHERE id = ?", (new_id, json.dumps(document), row_id)
    )
    (group,) = db.execute("SELECT fifo_group FROM message WHERE id = ?", (row_id,)).fetchone()
    db.execute("DELETE FROM message WHERE id = ?", (row_id,))
    if group is not None:
        group_rows.joined(db, queue_id, group, new_id, now_ms)


def remove_row(db: sqlite3.Connection, row_id: int) -> None:
    """Forget a message."""
    db.execute("DELETE FROM message WHERE id = ?", (row_id,))
    db.execute("DELETE FROM content WHERE id = ?", (row_id,))


def _held(
    db: sqlite3.Connection, target: Target, receipt: Receipt
) -> tuple[int, int | None, int, str | None] | None:
    """Return due and claim time, receives and group of the message of a receipt, if it is there."""
    row: tuple[int, int | None, int, str | None] | None = db.execute(
        "SELECT due_ms, claimed_ms, receives, fifo_group FROM message "
        "WHERE id = ? AND queue_id = ? AND message_id = ?",
        (receipt.row_id, target.id, receipt.message_id),
    ).fetchone()
    return row


def delete(
    db: sqlite3.Connection, target: Target, receipts: Sequence[Receipt], now_ms: int
) -> tuple[list[bool], int | None]:
    """Delete messages; tells for each whether its receipt was still good, and what is due next.

    In a standard queue any receipt of a message deletes it. In a FIFO queue only the last one does,
    while it holds: somebody else may have the message by now.
    """
    good: list[bool] = []
    for receipt in receipts:
        held = _held(db, target, receipt)
        if held is None:
            good.append(True)
            continue
        due_ms, _, receives, group = held
        if target.fifo and (receives != receipt.receives or due_ms <= now_ms):
            good.append(False)
            continue
        remove_row(db, receipt.row_id)
        if group is not None:
            group_rows.settle(db, target.id, group, now_ms)
        good.append(True)
    return good, group_rows.next_ready(db, target.id) if target.fifo else None


# What became of a change of a visibility timeout.
CHANGED, ABSENT, NOT_IN_FLIGHT, TOO_LONG = range(4)
_IN_FLIGHT_MAX_MS = 43_200_000


def change_visibility(
    db: sqlite3.Connection, target: Target, receipt: Receipt, visibility_ms: int, now_ms: int
) -> tuple[int, int | None]:
    """Let a message in flight come back at another time; says what is due next then."""
    held = _held(db, target, receipt)
    if held is None:
        return ABSENT, None
    due_ms, claimed_ms, receives, group = held
    if claimed_ms is None or due_ms <= now_ms or (target.fifo and receives != receipt.receives):
        return NOT_IN_FLIGHT, None
    if now_ms + visibility_ms - claimed_ms > _IN_FLIGHT_MAX_MS:
        return TOO_LONG, None
    until_ms = now_ms + visibility_ms
    db.execute(
        "UPDATE message SET due_ms = ?, claimed_ms = ? WHERE id = ?",
        (until_ms, claimed_ms if visibility_ms else None, receipt.row_id),
    )
    if group is not None:
        group_rows.settle(db, target.id, group, now_ms)
        return CHANGED, group_rows.next_ready(db, target.id)
    return CHANGED, until_ms
