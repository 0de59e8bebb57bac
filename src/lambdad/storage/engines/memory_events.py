"""An event queue that forgets. Mutable state: the events by id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lambdad.domain.async_events import (
    AsyncEvent,
    EventCounts,
    EventState,
    EventSummary,
    Progress,
    QueuedEvent,
    state_of,
)
from lambdad.domain.clock import Clock
from lambdad.storage.event_queue import Claim


@dataclass(slots=True)
class _Row:
    event_id: int
    event: AsyncEvent
    visible_ms: int | None
    attempt: int = 0
    lost: int = 0
    progress: Progress = field(default_factory=Progress)

    def queued(self, now_ms: int) -> QueuedEvent:
        return QueuedEvent(
            event_id=self.event_id,
            attempt=self.attempt,
            lost=self.lost,
            visible_ms=self.visible_ms,
            state=state_of(self.visible_ms, self.lost, now_ms),
            event=self.event,
            progress=self.progress,
        )


class MemoryEventQueue:
    """See :class:`lambdad.storage.event_queue.EventQueue`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[int, _Row] = {}
        self._last_id = 0

    async def enqueue(self, event: AsyncEvent) -> int:
        """Store an event."""
        return self._insert(event)

    async def claim(self, slots: Mapping[str, int], *, lease_s: float, max_bytes: int) -> Claim:
        """Take due events."""
        now_ms = self._now_ms()
        events: list[QueuedEvent] = []
        for lane, count in slots.items():
            size = 0
            for row in self._due(lane, now_ms)[:count]:
                if size >= max_bytes > 0:
                    break
                size += len(row.event.payload)
                row.visible_ms = now_ms + int(lease_s * 1000)
                row.attempt, row.lost = row.attempt + 1, row.lost + 1
                events.append(row.queued(now_ms))
        first = await self.lanes()
        return Claim(events=events, next_due={lane: first.get(lane) for lane in slots})

    async def done(self, event_id: int, attempt: int, *follow_ups: AsyncEvent) -> bool:
        """Remove an event and store what follows."""
        if self._held(event_id, attempt) is None:
            return False
        del self._rows[event_id]
        for event in follow_ups:
            self._insert(event)
        return True

    async def retry(self, event_id: int, attempt: int, *, due_ms: int, progress: Progress) -> bool:
        """Put an event back until it is due."""
        return self._put_back(event_id, attempt, due_ms, progress)

    async def release(self, event_id: int, attempt: int) -> bool:
        """Put an event back as it was."""
        row = self._held(event_id, attempt)
        if row is None or not row.lost:
            return False
        row.visible_ms = self._now_ms()
        row.attempt, row.lost = row.attempt + 1, row.lost - 1
        return True

    async def set_aside(self, event_id: int, attempt: int, progress: Progress) -> bool:
        """Keep an event but do nothing more with it."""
        return self._put_back(event_id, attempt, None, progress)

    async def extend(self, claims: Sequence[tuple[int, int]], *, lease_s: float) -> int:
        """Renew leases."""
        held = [row for claim in claims if (row := self._held(*claim)) is not None and row.lost]
        for row in held:
            row.visible_ms = self._now_ms() + int(lease_s * 1000)
        return len(held)

    async def recover(self) -> int:
        """End every lease."""
        now_ms = self._now_ms()
        running = [
            row
            for row in self._rows.values()
            if state_of(row.visible_ms, row.lost, now_ms) is EventState.RUNNING
        ]
        for row in running:
            row.visible_ms = now_ms
        return len(running)

    async def lanes(self) -> Mapping[str, int]:
        """Return when the first event of each lane becomes visible."""
        first: dict[str, int] = {}
        for row in self._rows.values():
            if row.visible_ms is not None:
                lane = row.event.lane
                first[lane] = min(first.get(lane, row.visible_ms), row.visible_ms)
        return first

    async def counts(self) -> EventCounts:
        """Count the events."""
        now_ms = self._now_ms()
        states = [state_of(row.visible_ms, row.lost, now_ms) for row in self._rows.values()]
        oldest = next(iter(self._rows.values()), None)
        return EventCounts(
            waiting=states.count(EventState.WAITING),
            running=states.count(EventState.RUNNING),
            set_aside=states.count(EventState.SET_ASIDE),
            oldest_ms=None if oldest is None else oldest.event.accepted_ms,
        )

    async def list(
        self,
        *,
        lane: str | None = None,
        state: EventState | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[EventSummary]:
        """Return events by id."""
        chosen = self._select(event_id=None, lane=lane, state=state)
        rows = [row for row in chosen if row.event_id > after]
        return [_summary(row, self._now_ms()) for row in rows[:limit]]

    async def show(self, event_id: int) -> QueuedEvent | None:
        """Return one event."""
        row = self._rows.get(event_id)
        return None if row is None else row.queued(self._now_ms())

    async def revive(self, event_id: int) -> str | None:
        """Make an event due now."""
        row, now_ms = self._rows.get(event_id), self._now_ms()
        if row is None or state_of(row.visible_ms, row.lost, now_ms) is EventState.RUNNING:
            return None
        row.visible_ms, row.lost = now_ms, 0
        row.event = replace(row.event, accepted_ms=now_ms)
        row.progress = Progress(outcome=row.progress.outcome)
        return row.event.lane

    async def purge(
        self,
        *,
        event_id: int | None = None,
        lane: str | None = None,
        state: EventState | None = None,
    ) -> int:
        """Remove events."""
        chosen = list(self._select(event_id=event_id, lane=lane, state=state))
        for row in chosen:
            del self._rows[row.event_id]
        return len(chosen)

    def _insert(self, event: AsyncEvent) -> int:
        self._last_id += 1
        row = _Row(self._last_id, event, self._now_ms())
        self._rows[row.event_id] = row
        return row.event_id

    def _due(self, lane: str, now_ms: int) -> Sequence[_Row]:
        due = (
            (row.visible_ms, row.event_id, row)
            for row in self._rows.values()
            if row.event.lane == lane and row.visible_ms is not None and row.visible_ms <= now_ms
        )
        return [row for *_, row in sorted(due, key=lambda entry: entry[:2])]

    def _held(self, event_id: int, attempt: int) -> _Row | None:
        row = self._rows.get(event_id)
        return row if row is not None and row.attempt == attempt else None

    def _put_back(
        self, event_id: int, attempt: int, due_ms: int | None, progress: Progress
    ) -> bool:
        row = self._held(event_id, attempt)
        if row is None:
            return False
        row.visible_ms, row.lost, row.progress = due_ms, 0, progress
        return True

    def _select(
        self, *, event_id: int | None, lane: str | None, state: EventState | None
    ) -> Iterator[_Row]:
        now_ms = self._now_ms()
        for row in self._rows.values():
            if event_id not in (None, row.event_id):
                continue
            own = row.event.lane.partition(">")[0]
            if lane is not None and lane not in (row.event.lane, own):
                continue
            if state in (None, state_of(row.visible_ms, row.lost, now_ms)):
                yield row

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1000)


def _summary(row: _Row, now_ms: int) -> EventSummary:
    event, outcome = row.event, row.progress.outcome
    return EventSummary(
        event_id=row.event_id,
        state=state_of(row.visible_ms, row.lost, now_ms),
        kind=event.kind,
        function_arn=event.key.arn(event.qualifier),
        request_id=event.request_id,
        target=event.target,
        accepted_ms=event.accepted_ms,
        visible_ms=row.visible_ms,
        tries=row.progress.tries,
        size=len(event.payload),
        message="" if outcome is None else outcome.message,
    )
