"""The event queue in SQLite: what an engine promises of it, over jobs of the writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial

from lambdad.domain.async_events import (
    AsyncEvent,
    EventCounts,
    EventState,
    EventSummary,
    Outcome,
    Progress,
    QueuedEvent,
)
from lambdad.domain.clock import Clock
from lambdad.storage.engines.sqlite import event_sql as sql
from lambdad.storage.engines.sqlite.database import SqliteDb
from lambdad.storage.engines.sqlite.event_inspection import (
    Selection,
    event_at,
    purge_chunk,
    read_event,
    select_summaries,
)
from lambdad.storage.event_queue import Claim
from lambdad.storage.event_rows import head_text, outcome_text

# A change of a row writes the row anew: what is longer stands beside it and is written once.
INLINE_BYTES = 2_048


class SqliteEventQueue:
    """See :class:`lambdad.storage.event_queue.EventQueue`."""

    def __init__(self, db: SqliteDb, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def enqueue(self, event: AsyncEvent) -> int:
        """Store an event."""
        return await self._db.write(partial(_insert, event=event, now_ms=self._now_ms()))

    async def claim(self, slots: Mapping[str, int], *, lease_s: float, max_bytes: int) -> Claim:
        """Take due events."""
        now_ms = self._now_ms()
        times = (now_ms, now_ms + int(lease_s * 1000))
        job = partial(_claim, slots=dict(slots), times=times, max_bytes=max_bytes)
        return await self._db.write(job)

    async def done(self, event_id: int, attempt: int, *follow_ups: AsyncEvent) -> bool:
        """Remove an event and store what follows."""
        return await self._db.write(
            partial(_done, held=(event_id, attempt), follow_ups=follow_ups, now_ms=self._now_ms())
        )

    async def retry(self, event_id: int, attempt: int, *, due_ms: int, progress: Progress) -> bool:
        """Put an event back until it is due."""
        held = (event_id, attempt)
        return await self._db.write(partial(_retry, held=held, due_ms=due_ms, progress=progress))

    async def release(self, event_id: int, attempt: int) -> bool:
        """Put an event back as it was."""
        row = (self._now_ms(), event_id, attempt)
        return await self._db.write(lambda db: db.execute(sql.RELEASE, row).rowcount == 1)

    async def set_aside(self, event_id: int, attempt: int, progress: Progress) -> bool:
        """Keep an event but do nothing more with it."""
        held = (event_id, attempt)
        return await self._db.write(partial(_retry, held=held, due_ms=None, progress=progress))

    async def extend(self, claims: Sequence[tuple[int, int]], *, lease_s: float) -> int:
        """Renew leases."""
        until = self._now_ms() + int(lease_s * 1000)
        rows = [(until, *held) for held in claims]
        return await self._db.write(lambda db: db.executemany(sql.EXTEND, rows).rowcount)

    async def recover(self) -> int:
        """End every lease."""
        now_ms = self._now_ms()
        return await self._db.write(lambda db: db.execute(sql.RECOVER, (now_ms, now_ms)).rowcount)

    async def lanes(self) -> Mapping[str, int]:
        """Return when the first event of each lane becomes visible."""
        return await self._db.read(lambda db: dict(db.execute(sql.LANES).fetchall()))

    async def counts(self) -> EventCounts:
        """Count the events."""
        return await self._db.read(partial(_counts, now_ms=self._now_ms()))

    async def list(
        self,
        *,
        lane: str | None = None,
        state: EventState | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[EventSummary]:
        """Return events by id."""
        selection = Selection(lane=lane, state=state, after=after, now_ms=self._now_ms())
        return await self._db.read(partial(select_summaries, selection=selection, limit=limit))

    async def show(self, event_id: int) -> QueuedEvent | None:
        """Return one event."""
        return await self._db.read(partial(event_at, event_id=event_id, now_ms=self._now_ms()))

    async def revive(self, event_id: int) -> str | None:
        """Make an event due now."""
        now_ms = self._now_ms()
        row = (now_ms, now_ms, event_id, now_ms)
        found = await self._db.write(lambda db: db.execute(sql.REVIVE, row).fetchone())
        return None if found is None else str(found[0])

    async def purge(
        self,
        *,
        event_id: int | None = None,
        lane: str | None = None,
        state: EventState | None = None,
    ) -> int:
        """Remove events in bounded steps."""
        selection = Selection(event_id=event_id, lane=lane, state=state, now_ms=self._now_ms())
        gone = 0
        last: int | None = 0
        while last is not None:
            last, removed = await self._db.write(
                partial(purge_chunk, selection=selection, after=last)
            )
            gone += removed
        return gone

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1000)


def _insert(connection: sqlite3.Connection, event: AsyncEvent, now_ms: int) -> int:
    size = len(event.payload)
    inline = size <= INLINE_BYTES
    row = (event.lane, now_ms, event.accepted_ms, size, head_text(event))
    event_id = connection.execute(sql.INSERT, (*row, event.payload if inline else None)).lastrowid
    if not inline:
        connection.execute(sql.INSERT_PART, (event_id, 0, event.payload))
    return int(event_id or 0)


def _claim(
    connection: sqlite3.Connection,
    slots: Mapping[str, int],
    times: tuple[int, int],
    max_bytes: int,
) -> Claim:
    now_ms, until_ms = times
    events: list[QueuedEvent] = []
    unreadable: list[int] = []
    next_due: dict[str, int | None] = {}
    for lane, count in slots.items():
        bounds = (until_ms, lane, now_ms, count, max_bytes)
        for row in sorted(connection.execute(sql.CLAIM, bounds).fetchall()):
            try:
                events.append(read_event(connection, row, now_ms))
            except (ValueError, TypeError) as error:
                unreadable.append(row[0])
                _set_aside_unreadable(connection, row[0], row[3], error)
        due = connection.execute(sql.NEXT_DUE, (lane,)).fetchone()
        next_due[lane] = None if due is None else due[0]
    return Claim(events=events, next_due=next_due, unreadable=unreadable)


def _set_aside_unreadable(
    connection: sqlite3.Connection, event_id: int, attempt: int, error: Exception
) -> None:
    outcome = Outcome(status_code=500, message=f"The row cannot be read: {error}")
    connection.execute(sql.SET_ASIDE_UNREADABLE, (outcome_text(outcome), event_id, attempt))


def _done(
    connection: sqlite3.Connection,
    held: tuple[int, int],
    follow_ups: Sequence[AsyncEvent],
    now_ms: int,
) -> bool:
    if connection.execute(sql.DONE, held).rowcount != 1:
        return False
    connection.execute(sql.DELETE_PARTS, held[:1])
    for event in follow_ups:
        _insert(connection, event, now_ms)
    return True


def _retry(
    connection: sqlite3.Connection,
    held: tuple[int, int],
    due_ms: int | None,
    progress: Progress,
) -> bool:
    outcome = progress.outcome
    change = (due_ms, progress.tries, progress.refusals, outcome_text(outcome))
    if connection.execute(sql.RETRY, (*change, *held)).rowcount != 1:
        return False
    answer = outcome.payload if outcome is not None else None
    if answer is None:
        connection.execute(sql.DELETE_ANSWER, held[:1])
    else:
        connection.execute(sql.REPLACE_ANSWER, (held[0], answer))
    return True


def _counts(connection: sqlite3.Connection, now_ms: int) -> EventCounts:
    (everything,) = connection.execute(sql.COUNT).fetchone()
    (running,) = connection.execute(sql.COUNT_RUNNING, (now_ms,)).fetchone()
    (aside,) = connection.execute(sql.COUNT_SET_ASIDE).fetchone()
    oldest = connection.execute(sql.OLDEST).fetchone()
    return EventCounts(
        waiting=everything - running - aside,
        running=running,
        set_aside=aside,
        oldest_ms=None if oldest is None else oldest[0],
    )
