"""Which lanes may have how many of their events taken now. Pure bookkeeping, no I/O.

A lane's window is how many of its events may be in hand at once. It opens by one with every event
that was carried out and shuts to what runs when one is refused; for a while it does not open then.
So a function's concurrency is found without asking for it time and again, and a lane that is
refused waits alone. No lane takes more than half of what is free, so that none takes all.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass

from lambdad.async_invocation.retry_policy import back_off_s

WINDOW_FIRST = 8

# A lane is asked again at least so often: events back off for longer, each by itself.
SHUT_MAX_S = 30.0

# How many lanes share a transaction.
LANES_MAX = 64


@dataclass(slots=True)
class Lane:
    """One lane.

    Attributes:
        due_ms: when its first event that is not in hand becomes visible; None when there is none.
        running: events in hand.
        window: how many there may be.
        refusals: how often in a row it was refused.
        shut_until_ms: before this the window does not open.
        stalled: whether it was refused with nothing else in hand, so that nothing will end that
            could make room: then nothing is taken before `shut_until_ms`.
        ready_ms: what the heap has of it; None when it is not there.
    """

    due_ms: int | None = None
    running: int = 0
    window: int = WINDOW_FIRST
    refusals: int = 0
    shut_until_ms: int = 0
    stalled: bool = False
    ready_ms: int | None = None


class Lanes:
    """All lanes that have events. Mutable: the lanes, and a heap of those that could give one."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lanes: dict[str, Lane] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._numbers = itertools.count()
        self.running = 0

    def __len__(self) -> int:
        return len(self._lanes)

    def note(self, name: str, due_ms: int) -> None:
        """Learn that a lane has an event that is due then."""
        lane = self._lanes.setdefault(name, Lane())
        lane.due_ms = due_ms if lane.due_ms is None else min(lane.due_ms, due_ms)
        self._arrange(name, lane)

    def take(self, now_ms: int) -> dict[str, int]:
        """Return how many events to claim of which lanes; what they still have is unknown then.

        The one that has waited longest comes first. Each must be reported with :meth:`claimed`.
        """
        chosen: dict[str, int] = {}
        free = self._capacity - self.running
        while free > 0 and len(chosen) < LANES_MAX:
            name = self._pop(now_ms)
            if name is None:
                break
            lane = self._lanes[name]
            count = max(1, min(lane.window - lane.running, free // 2))
            lane.due_ms = None
            chosen[name] = count
            free -= count
        return chosen

    def claimed(self, name: str, count: int, next_due_ms: int | None, now_ms: int) -> None:
        """Learn what a claim took and what is left."""
        lane = self._lanes.setdefault(name, Lane())
        lane.running += count
        self.running += count
        if next_due_ms is not None:
            # Whoever was served goes behind those who wait.
            due = max(next_due_ms, now_ms)
            lane.due_ms = due if lane.due_ms is None else min(lane.due_ms, due)
        self._arrange(name, lane)

    def carried_out(self, name: str, now_ms: int) -> None:
        """Learn that an event was worked on, whatever came of it."""
        lane = self._finished(name)
        lane.stalled = False
        if now_ms >= lane.shut_until_ms:
            lane.window = min(lane.window + 1, self._capacity)
            lane.refusals = lane.shut_until_ms = 0
        self._arrange(name, lane)

    def refused(self, name: str, now_ms: int) -> None:
        """Learn that there was no room, or that nothing works."""
        lane = self._finished(name)
        # Several that were refused together are one refusal.
        if now_ms >= lane.shut_until_ms:
            lane.refusals += 1
            lane.shut_until_ms = now_ms + int(min(back_off_s(lane.refusals), SHUT_MAX_S) * 1_000)
        lane.window = max(1, lane.running)
        lane.stalled = not lane.running
        self._arrange(name, lane)

    def next_ms(self) -> int | None:
        """When there may be something to take; None when only an event can change that."""
        if self.running >= self._capacity:
            return None
        while self._heap:
            ready_ms, _, name = self._heap[0]
            lane = self._lanes.get(name)
            if lane is not None and lane.ready_ms == ready_ms:
                return ready_ms
            heapq.heappop(self._heap)
        return None

    def _finished(self, name: str) -> Lane:
        lane = self._lanes[name]
        lane.running -= 1
        self.running -= 1
        return lane

    def _arrange(self, name: str, lane: Lane) -> None:
        """Put a lane where it belongs in the heap, or forget it."""
        if lane.due_ms is None or lane.running >= lane.window:
            lane.ready_ms = None
            if lane.due_ms is None and not lane.running and not lane.shut_until_ms:
                self._lanes.pop(name, None)
            return
        ready = max(lane.due_ms, lane.shut_until_ms) if lane.stalled else lane.due_ms
        if lane.ready_ms != ready:
            lane.ready_ms = ready
            heapq.heappush(self._heap, (ready, next(self._numbers), name))

    def _pop(self, now_ms: int) -> str | None:
        while self._heap and self._heap[0][0] <= now_ms:
            ready_ms, _, name = heapq.heappop(self._heap)
            lane = self._lanes.get(name)
            if lane is not None and lane.ready_ms == ready_ms:
                lane.ready_ms = None
                return name
        return None
