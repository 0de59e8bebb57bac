"""The loop that takes events from the queue as there is room, and settles what came of them.

It sleeps until an event is accepted, an attempt ends, or something becomes due. What is in hand is
held by a lease that is renewed while it runs.

Mutable: the lanes, what is in hand, and whether it stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from lambdad.async_invocation.attempts import Attempt, Attempts
from lambdad.async_invocation.lanes import Lanes
from lambdad.async_invocation.retry_policy import Finish, Retry, SetAside
from lambdad.domain.async_events import QueuedEvent
from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.storage.base import EventQueue

_LOGGER = logging.getLogger(__name__)

LEASE_S = 30.0

# Bounds what payloads in hand take of the memory.
LANE_BYTES_MAX = 16 * 1024 * 1024
BYTES_MAX = 128 * 1024 * 1024

# The wall clock may be set back or forward while the loop sleeps.
SLEEP_MAX_S = 60.0

# How long to wait, in seconds, before a settlement or a claim that the disk refused is repeated.
DISK_PAUSES_S = (0.5, 1, 2, 4, 8)


class Dispatcher:
    """Owner of everything that is in hand, from :meth:`run` to its end."""

    def __init__(
        self, queue: EventQueue, attempts: Attempts, *, clock: Clock, capacity: int
    ) -> None:
        """`capacity` is how many events may be in hand at once."""
        self._queue = queue
        self._attempts = attempts
        self._clock = clock
        self._lanes = Lanes(capacity)
        self._in_hand: dict[int, QueuedEvent] = {}
        self._bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._looping = False
        self._loop_ended = asyncio.Event()

    @property
    def in_hand(self) -> int:
        """Events that are being worked on."""
        return len(self._in_hand)

    def note(self, lane: str, due_ms: int) -> None:
        """Learn that a lane has an event that is due then."""
        self._lanes.note(lane, due_ms)
        self._wake.set()

    def wake(self) -> None:
        """Look at the clock again."""
        self._wake.set()

    async def run(self) -> None:
        """Work until :meth:`drain`; what a killed daemon had in hand is taken up again."""
        self._looping = True
        try:
            await self._recover()
            async with asyncio.TaskGroup() as group:
                beat = group.create_task(self._renew())
                while not self._stopping:
                    self._wake.clear()
                    if not await self._fill(group):
                        await self._rest()
                self._loop_ended.set()
                await self._idle.wait()
                beat.cancel()
        finally:
            self._loop_ended.set()

    async def drain(self, timeout_s: float) -> None:
        """Take nothing more, wait for what is in hand, and put back what is not done by then."""
        self._stopping = True
        self._wake.set()
        if self._looping:
            # A claim on its way would bring more.
            await self._loop_ended.wait()
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            _LOGGER.warning("%d events go back to the queue unfinished", len(self._in_hand))
        left, self._in_hand = self._in_hand, {}
        self._note_idle()
        await asyncio.gather(
            *(self._queue.release(event.event_id, event.attempt) for event in left.values())
        )

    async def _recover(self) -> None:
        while not self._stopping:
            try:
                await self._take_up()
            except PlatformError as error:
                _LOGGER.error("the queue cannot be read: %s", error)
                await asyncio.sleep(DISK_PAUSES_S[1])
            else:
                return

    async def _take_up(self) -> None:
        recovered = await self._queue.recover()
        if recovered:
            _LOGGER.info("%d events were in hand when lambdad ended: they run again", recovered)
        for lane, due_ms in (await self._queue.lanes()).items():
            self._lanes.note(lane, due_ms)

    async def _fill(self, group: asyncio.TaskGroup) -> bool:
        """Claim what there is room for; False when there was nothing to claim."""
        now_ms = self._now_ms()
        slots = {} if self._bytes >= BYTES_MAX else self._lanes.take(now_ms)
        if not slots:
            return False
        try:
            claim = await self._queue.claim(slots, lease_s=LEASE_S, max_bytes=LANE_BYTES_MAX)
        except Exception:
            _LOGGER.exception("no events can be taken from the queue")
            for lane in slots:
                self._lanes.claimed(lane, 0, now_ms + int(DISK_PAUSES_S[1] * 1_000), now_ms)
            return False
        for event_id in claim.unreadable:
            _LOGGER.error("event %d cannot be read: it was set aside", event_id)
        taken = dict.fromkeys(slots, 0)
        for queued in claim.events:
            taken[queued.event.lane] += 1
            self._take(queued)
        for lane, count in taken.items():
            self._lanes.claimed(lane, count, claim.next_due.get(lane), now_ms)
        for queued in claim.events:
            group.create_task(self._work(queued))
        return True

    def _take(self, queued: QueuedEvent) -> None:
        self._in_hand[queued.event_id] = queued
        self._bytes += len(queued.event.payload)
        self._idle.clear()

    async def _rest(self) -> None:
        """Sleep until there may be something to do."""
        next_ms = self._lanes.next_ms()
        if next_ms is None or self._bytes >= BYTES_MAX:
            await self._wake.wait()
            return
        pause_s = min(max(0.0, (next_ms - self._now_ms()) / 1_000), SLEEP_MAX_S)
        try:
            async with asyncio.timeout(pause_s):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _work(self, queued: QueuedEvent) -> None:
        lane = queued.event.lane
        refused = False
        try:
            attempt = await self._attempts.make(queued)
            if attempt.refused:
                # At once: what else is in hand at this moment is what there is room for.
                refused = True
                self._lanes.refused(lane, self._now_ms())
            await self._settle(queued, attempt)
        except Exception:
            # One event's defect may not end the work on all others; its lease brings it back.
            _LOGGER.exception("event %d stays unsettled", queued.event_id)
        finally:
            if not refused:
                self._lanes.carried_out(lane, self._now_ms())
            self._in_hand.pop(queued.event_id, None)
            self._bytes -= len(queued.event.payload)
            self._note_idle()
            self._wake.set()

    async def _settle(self, queued: QueuedEvent, attempt: Attempt) -> None:
        for pause_s in (*DISK_PAUSES_S, None):
            if queued.event_id not in self._in_hand:
                return  # it went back to the queue
            try:
                await self._store(queued, attempt)
            except PlatformError as error:
                if pause_s is None:
                    # Its lease ends, and the attempt is repeated: that is all that is left to do.
                    _LOGGER.error("event %d stays unsettled: %s", queued.event_id, error)
                    return
                await asyncio.sleep(pause_s)
            else:
                return

    async def _store(self, queued: QueuedEvent, attempt: Attempt) -> None:
        held = (queued.event_id, queued.attempt)
        match attempt.decision:
            case Finish():
                if await self._queue.done(*held, *attempt.follow_ups):
                    self._note_all([event.lane for event in attempt.follow_ups])
            case Retry(due_ms=due_ms, progress=progress):
                if await self._queue.retry(*held, due_ms=due_ms, progress=progress):
                    self._lanes.note(queued.event.lane, due_ms)
            case SetAside(progress=progress):
                await self._queue.set_aside(*held, progress)
                message = "" if progress.outcome is None else progress.outcome.message
                _LOGGER.error("event %d was set aside: %s", queued.event_id, message)

    def _note_idle(self) -> None:
        if not self._in_hand:
            self._idle.set()

    def _note_all(self, lanes: Sequence[str]) -> None:
        now_ms = self._now_ms()
        for lane in lanes:
            self._lanes.note(lane, now_ms)

    async def _renew(self) -> None:
        """Renew the leases of what is in hand, for ever."""
        while True:
            await asyncio.sleep(LEASE_S / 3)
            held = [(event.event_id, event.attempt) for event in self._in_hand.values()]
            try:
                if held:
                    await self._queue.extend(held, lease_s=LEASE_S)
            except PlatformError as error:
                _LOGGER.warning("leases were not renewed: %s", error)

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1_000)
