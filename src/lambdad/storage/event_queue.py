"""Contract of the durable queue of asynchronous events.

A claim makes events invisible for the length of a lease, and that is all there is to a lease: when
it ends they are there for the next claim. Whoever claimed names the attempt in what it says
afterwards; after somebody else's claim that changes nothing. Times are the engine's clock's.
Every engine passes `lambdad.testing.event_queue_contract`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lambdad.domain.async_events import (
    AsyncEvent,
    EventCounts,
    EventState,
    EventSummary,
    Progress,
    QueuedEvent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a claim brought.

    Attributes:
        events: now the caller's, until their lease ends.
        next_due: for every lane that was asked for, when its next event becomes visible, in epoch
            milliseconds; None when it has none.
        unreadable: ids of rows that are not what lambdad wrote; they were set aside.
    """

    events: Sequence[QueuedEvent] = ()
    next_due: Mapping[str, int | None] = field(default_factory=dict)
    unreadable: Sequence[int] = ()


class EventQueue(Protocol):
    """Events by lane. Nothing of an event stays in memory."""

    async def enqueue(self, event: AsyncEvent) -> int:
        """Store an event that is due at once; returns its id when it is durable.

        Raises:
            HostUnfit: the disk is full or failed; nothing was accepted.
        """
        ...

    async def claim(self, slots: Mapping[str, int], *, lease_s: float, max_bytes: int) -> Claim:
        """Take up to `slots[lane]` due events of each lane, those first due first.

        A lane's events stop at `max_bytes` of payloads, but one always fits.
        """
        ...

    async def done(self, event_id: int, attempt: int, *follow_ups: AsyncEvent) -> bool:
        """Remove an event and store what follows from it, at once.

        False, and nothing happens, when this attempt does not hold the event any more.
        """
        ...

    async def retry(self, event_id: int, attempt: int, *, due_ms: int, progress: Progress) -> bool:
        """Put an event back until `due_ms` and record how far it came; False as for `done`."""
        ...

    async def release(self, event_id: int, attempt: int) -> bool:
        """Put an event back as if it had never been claimed; False as for `done`."""
        ...

    async def set_aside(self, event_id: int, attempt: int, progress: Progress) -> bool:
        """Keep an event but do nothing more with it; False as for `done`."""
        ...

    async def extend(self, claims: Sequence[tuple[int, int]], *, lease_s: float) -> int:
        """Renew the leases of `(event_id, attempt)`; returns how many are still held."""
        ...

    async def recover(self) -> int:
        """End every lease: for the only user of a queue, at its start. Returns how many."""
        ...

    async def lanes(self) -> Mapping[str, int]:
        """Return when the first event of each lane becomes visible, for lanes that have one."""
        ...

    async def counts(self) -> EventCounts:
        """Count the events."""
        ...

    async def list(
        self,
        *,
        lane: str | None = None,
        state: EventState | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[EventSummary]:
        """Return events by id, those behind `after`.

        `lane` is a function's and includes its deliveries.
        """
        ...

    async def show(self, event_id: int) -> QueuedEvent | None:
        """Return one event, whoever holds it; None when it is gone.

        Raises:
            ValueError: the row is not what lambdad wrote.
        """
        ...

    async def revive(self, event_id: int) -> str | None:
        """Make an event due now with all its retries before it.

        Returns its lane; None when it is gone or somebody works on it.
        """
        ...

    async def purge(
        self,
        *,
        event_id: int | None = None,
        lane: str | None = None,
        state: EventState | None = None,
    ) -> int:
        """Remove events that fit everything given, in bounded steps; returns how many.

        What is running is let finish, and nothing follows from it.
        """
        ...
