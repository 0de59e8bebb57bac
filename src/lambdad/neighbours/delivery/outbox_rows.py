"""Promised deliveries in SQLite: jobs, whose cost grows with the number of lanes alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from lambdad.neighbours.delivery.model import Delivery, Envelope

_COLUMNS = "id, lane, ordered, accepted_ms, due_ms, attempts, envelope, payload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What can be delivered now.

    Attributes:
        skipped: something that is due may have been left: the end of another makes room for it.
        next_ms: when something else becomes due.
        last_lane: where to go on.
    """

    deliveries: Sequence[Delivery]
    skipped: bool
    next_ms: int | None
    last_lane: str


def insert(db: sqlite3.Connection, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Promise deliveries; returns them with their ids."""
    return [replace(each, id=_insert(db, each)) for each in deliveries]


def _insert(db: sqlite3.Connection, delivery: Delivery) -> int:
    cursor = db.execute(
        "INSERT INTO delivery (lane, ordered, accepted_ms, due_ms, attempts, envelope, payload) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            delivery.lane,
            delivery.ordered,
            delivery.accepted_ms,
            delivery.due_ms,
            delivery.attempts,
            json.dumps(asdict(delivery.envelope)),
            delivery.payload,
        ),
    )
    return int(cursor.lastrowid or 0)


def due(
    db: sqlite3.Connection,
    *,
    now_ms: int,
    busy: Mapping[str, frozenset[int]],
    after: str,
    limit: int,
    per_lane: int,
) -> Due:
    """Return up to `limit` due deliveries that are not in hand, beginning after a lane."""
    found: list[Delivery] = []
    last, skipped = after, False
    for lane, ordered in _lanes(db, after):
        in_hand = busy.get(lane, frozenset())
        want = (1 if ordered else per_lane) - len(in_hand)
        if want <= 0 or len(found) >= limit:
            skipped = True
            if len(found) >= limit:
                break
            continue
        rows = _first(db, lane, ordered, now_ms, want + len(in_hand))
        fresh = [each for each in rows if each.id not in in_hand]
        take = fresh[: min(want, limit - len(found))]
        # Who comes after the first of an ordered lane, or after a full page, was not looked at.
        skipped = skipped or ordered or len(take) == want or len(take) < len(fresh)
        found += take
        last = lane
    row = db.execute("SELECT min(due_ms) FROM delivery WHERE due_ms > ?", (now_ms,)).fetchone()
    return Due(deliveries=found, skipped=skipped, next_ms=row[0], last_lane=last)


def done(db: sqlite3.Connection, delivery_id: int, letter: Delivery | None = None) -> None:
    """Forget a delivery; promise its dead letter, if there is one."""
    db.execute("DELETE FROM delivery WHERE id = ?", (delivery_id,))
    if letter is not None:
        insert(db, [letter])


def retry(db: sqlite3.Connection, delivery_id: int, attempts: int, due_ms: int) -> None:
    """Keep a delivery for later."""
    db.execute(
        "UPDATE delivery SET attempts = ?, due_ms = ? WHERE id = ?",
        (attempts, due_ms, delivery_id),
    )


def _lanes(db: sqlite3.Connection, after: str) -> Iterator[tuple[str, bool]]:
    """Yield each lane once, beginning after one; a step costs one search in the index."""
    for begin, end in ((after, None), ("", after)):
        lane = begin
        while True:
            row = db.execute(
                "SELECT lane, ordered FROM delivery WHERE lane > ? ORDER BY lane LIMIT 1", (lane,)
            ).fetchone()
            if row is None or (end is not None and row[0] > end):
                break
            lane = row[0]
            yield lane, bool(row[1])


def _first(
    db: sqlite3.Connection, lane: str, ordered: bool, now_ms: int, limit: int
) -> list[Delivery]:
    if ordered:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM delivery WHERE ordered AND lane = ? ORDER BY id LIMIT 1",  # noqa: S608
            (lane,),
        )
    else:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM delivery WHERE lane = ? AND due_ms <= ? "  # noqa: S608
            "ORDER BY due_ms, id LIMIT ?",
            (lane, now_ms, limit),
        )
    return [_delivery(row) for row in rows if row[4] <= now_ms]


def _delivery(row: tuple[Any, ...]) -> Delivery:
    envelope = json.loads(row[6])
    if envelope["source"] is not None:
        envelope["source"] = tuple(envelope["source"])
    return Delivery(
        id=row[0],
        lane=row[1],
        ordered=bool(row[2]),
        accepted_ms=row[3],
        due_ms=row[4],
        attempts=row[5],
        envelope=Envelope(**envelope),
        payload=row[7],
    )
