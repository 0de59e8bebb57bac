"""Reading events of the queue without claiming them, and removing them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lambdad.domain.async_events import (
    EventKind,
    EventState,
    EventSummary,
    Progress,
    QueuedEvent,
    state_of,
)
from lambdad.storage.engines.sqlite import event_sql as sql
from lambdad.storage.event_rows import event_of, outcome_of

# Bounds how long appending waits for a removal.
CHUNK = 500

_SUMMARY = "SELECT id, lane, visible_ms, lost, tries, accepted_ms, size, head, outcome"
_CONDITIONS = {
    EventState.SET_ASIDE: "visible_ms IS NULL",
    EventState.RUNNING: "lost > 0 AND visible_ms > :now",
    EventState.WAITING: "(lost = 0 AND visible_ms IS NOT NULL OR visible_ms <= :now)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events: all that fit what is given."""

    now_ms: int
    event_id: int | None = None
    lane: str | None = None
    state: EventState | None = None
    after: int = 0

    def where(self) -> str:
        """The condition, over the names of :meth:`values`."""
        parts = ["id > :after"]
        if self.event_id is not None:
            parts.append("id = :id")
        if self.lane is not None:
            # A function's deliveries are in lanes that go on with `>` behind its own.
            parts.append("(lane = :lane OR lane >= :lane || '>' AND lane < :lane || '?')")
        if self.state is not None:
            parts.append(_CONDITIONS[self.state])
        return " AND ".join(parts)

    def values(self) -> dict[str, Any]:
        """What the condition's names mean."""
        return {"after": self.after, "id": self.event_id, "lane": self.lane, "now": self.now_ms}


def read_event(connection: sqlite3.Connection, row: Sequence[Any], now_ms: int) -> QueuedEvent:
    """Build an event from a row of `event_sql.COLUMNS` and its parts.

    Raises:
        ValueError, TypeError: it is not what lambdad wrote.
    """
    event_id, lane, visible_ms, attempt, lost, tries, refusals, accepted_ms = row[:8]
    head, outcome, payload = row[8:]
    parts: dict[int, bytes] = {}
    if payload is None or outcome is not None:
        parts = dict(connection.execute(sql.PARTS, (event_id,)).fetchall())
    if payload is None:
        payload = parts.get(0)
    if not isinstance(payload, bytes):
        raise ValueError("the payload is missing")
    return QueuedEvent(
        event_id=event_id,
        attempt=attempt,
        lost=lost,
        visible_ms=visible_ms,
        state=state_of(visible_ms, lost, now_ms),
        event=event_of(head, lane=lane, accepted_ms=accepted_ms, payload=payload),
        progress=Progress(
            tries=tries, refusals=refusals, outcome=outcome_of(outcome, parts.get(1))
        ),
    )


def event_at(connection: sqlite3.Connection, event_id: int, now_ms: int) -> QueuedEvent | None:
    """Return one event with its payload; None when there is none."""
    row = connection.execute(sql.SHOW, (event_id,)).fetchone()
    return None if row is None else read_event(connection, row, now_ms)


def select_summaries(
    connection: sqlite3.Connection, selection: Selection, limit: int
) -> Sequence[EventSummary]:
    """Return what lists show of events, by id."""
    found = connection.execute(
        f"{_SUMMARY} FROM async_event WHERE {selection.where()} ORDER BY id LIMIT :limit",
        {**selection.values(), "limit": limit},
    )
    return [_summary(row, selection.now_ms) for row in found]


def purge_chunk(
    connection: sqlite3.Connection, selection: Selection, after: int
) -> tuple[int | None, int]:
    """Remove some; returns the id to go on behind, None at the end, and how many went."""
    found = connection.execute(
        f"SELECT id FROM async_event WHERE {selection.where()} ORDER BY id LIMIT :limit",  # noqa: S608
        {**selection.values(), "after": after, "limit": CHUNK},
    ).fetchall()
    for statement in ("DELETE FROM async_event WHERE id = ?", sql.DELETE_PARTS):
        connection.executemany(statement, found)
    return (found[-1][0] if len(found) == CHUNK else None), len(found)


def _summary(row: Sequence[Any], now_ms: int) -> EventSummary:
    event_id, lane, visible_ms, lost, tries, accepted_ms, size, head, outcome = row
    message = ""
    try:
        event = event_of(head, lane=lane, accepted_ms=accepted_ms, payload=b"")
        last = outcome_of(outcome, None)
        message = last.message if last is not None else ""
    except ValueError:
        # What cannot be read is listed all the same: an operator must find it.
        return EventSummary(
            event_id=event_id,
            state=state_of(visible_ms, lost, now_ms),
            kind=EventKind.INVOCATION,
            function_arn=lane,
            request_id="",
            target=None,
            accepted_ms=accepted_ms,
            visible_ms=visible_ms,
            tries=tries,
            size=size,
            message="The row cannot be read.",
        )
    return EventSummary(
        event_id=event_id,
        state=state_of(visible_ms, lost, now_ms),
        kind=event.kind,
        function_arn=event.key.arn(event.qualifier),
        request_id=event.request_id,
        target=event.target,
        accepted_ms=accepted_ms,
        visible_ms=visible_ms,
        tries=tries,
        size=size,
        message=message,
    )
