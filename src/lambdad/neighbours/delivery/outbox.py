"""Makes promised deliveries, tries again what failed, and sends what is given up to its queue.

Sleeps until something is promised, a delivery ends, or one becomes due. What is in the database is
the truth; a delivery that was made when the daemon was killed is made again.
Mutable: what is in hand, on the event loop alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.neighbours.delivery import outbox_rows
from lambdad.neighbours.delivery.model import Delivery, DeliveryFailed, Envelope
from lambdad.neighbours.hosting import SpawnTask
from lambdad.storage.database import Database

_LOGGER = logging.getLogger(__name__)
_IN_HAND_MAX = 128
_PER_LANE = 16
_TROUBLE_S = 5.0
_STOP_S = 2.0
_IDLE_S = 3_600.0


class Sender(Protocol):
    """Takes a payload to its target."""

    async def deliver(self, envelope: Envelope, payload: str) -> None:
        """Deliver once.

        Raises:
            DeliveryFailed: the target did not take it.
        """
        ...


class Outbox:
    """The deliveries of one service."""

    def __init__(self, db: Database, clock: Clock, sender: Sender) -> None:
        self._db = db
        self._clock = clock
        self._sender = sender
        self._woken = asyncio.Event()
        self._stopping = False
        self._ended = asyncio.Event()
        self._ended.set()
        self._in_hand: dict[str, set[int]] = {}
        # Since the look at the database that is going on began; None when there is none.
        self._just_done: set[int] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_lane = ""
        self._group: asyncio.TaskGroup | None = None
        self._skipped = False

    def start(self, spawn: SpawnTask) -> None:
        """Begin; what was promised before goes on."""
        self._ended.clear()
        spawn(self._run())

    async def promise(self, deliveries: Sequence[Delivery]) -> None:
        """Store deliveries durably and begin with them."""
        job = partial(outbox_rows.insert, deliveries=deliveries)
        await self._db.write(job, then=self.promised)

    def promised(self, deliveries: Sequence[Delivery]) -> None:
        """Begin with deliveries that were just stored, as far as there is room."""
        for delivery in deliveries:
            busy = len(self._in_hand.get(delivery.lane, ()))
            room = len(self._tasks) < _IN_HAND_MAX and busy < _PER_LANE
            if self._group is None or delivery.ordered or not room:
                self.wake()
                return
            self._begin(self._group, delivery)

    def wake(self) -> None:
        """Something was promised, or the clock was set."""
        self._woken.set()

    async def close(self) -> None:
        """Stop; what is not done by then stays promised."""
        self._stopping = True
        self.wake()
        await self._ended.wait()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                while not self._stopping:
                    self._woken.clear()
                    wait_s = await self._begin_due(group)
                    try:
                        async with asyncio.timeout(wait_s):
                            await self._woken.wait()
                    except TimeoutError:
                        continue
                self._group = None
                if self._tasks:
                    await asyncio.wait(self._tasks, timeout=_STOP_S)
                for task in self._tasks:
                    task.cancel()
        finally:
            self._ended.set()

    async def _begin_due(self, group: asyncio.TaskGroup) -> float:
        """Begin what is due; returns how long there is nothing to do."""
        room = _IN_HAND_MAX - len(self._tasks)
        if room <= 0:
            self._skipped = True
            return _IDLE_S
        just_done: set[int] = set()
        self._just_done = just_done
        job = partial(
            outbox_rows.due,
            now_ms=self._now_ms(),
            busy={lane: frozenset(ids) for lane, ids in self._in_hand.items()},
            after=self._last_lane,
            limit=room,
            per_lane=_PER_LANE,
        )
        try:
            due = await self._db.read(job)
        except PlatformError:
            _LOGGER.exception("Deliveries could not be read")
            return _TROUBLE_S
        finally:
            self._just_done = None
        self._last_lane, self._skipped = due.last_lane, due.skipped
        for delivery in due.deliveries:
            # What was begun or done since the look at the database is not begun again.
            known = just_done | self._in_hand.get(delivery.lane, set())
            if delivery.id not in known:
                self._begin(group, delivery)
        if due.next_ms is None:
            return _IDLE_S
        return max(0.0, due.next_ms - self._clock.time() * 1_000) / 1_000

    def _begin(self, group: asyncio.TaskGroup, delivery: Delivery) -> None:
        self._in_hand.setdefault(delivery.lane, set()).add(delivery.id)
        task = group.create_task(self._deliver(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery) -> None:
        done = False
        try:
            failure = await self._attempt(delivery)
            if failure is None:
                await self._db.write(partial(outbox_rows.done, delivery_id=delivery.id))
                done = True
            else:
                await self._settle(delivery, failure)
        except PlatformError:
            _LOGGER.exception("What became of a delivery could not be stored")
            await asyncio.sleep(_TROUBLE_S)
        finally:
            if self._just_done is not None:
                self._just_done.add(delivery.id)
            lane = self._in_hand[delivery.lane]
            lane.discard(delivery.id)
            if not lane:
                del self._in_hand[delivery.lane]
            if self._skipped or not done:
                self.wake()

    async def _attempt(self, delivery: Delivery) -> DeliveryFailed | None:
        try:
            await self._sender.deliver(delivery.envelope, delivery.payload)
        except DeliveryFailed as failure:
            return failure
        except PlatformError as error:
            return DeliveryFailed("INTERNAL_ERROR", str(error))
        except Exception as error:
            _LOGGER.exception("A delivery to %s failed", delivery.envelope.arn)
            return DeliveryFailed("INTERNAL_ERROR", repr(error))
        return None

    async def _settle(self, delivery: Delivery, failure: DeliveryFailed) -> None:
        envelope, attempts = delivery.envelope, delivery.attempts + 1
        now_ms = self._now_ms()
        delay_s = min(envelope.delay_s * 2 ** min(attempts - 1, 30), envelope.delay_max_s)
        due_ms = now_ms + int(delay_s * 1_000)
        exhausted = _exhausted(delivery, attempts, due_ms)
        if not failure.final and exhausted is None:
            await self._db.write(
                partial(
                    outbox_rows.retry, delivery_id=delivery.id, attempts=attempts, due_ms=due_ms
                )
            )
            return
        _LOGGER.warning("Gave up a delivery to %s: %s", envelope.arn, failure)
        letter = _dead_letter(delivery, failure, None if failure.final else exhausted, now_ms)
        await self._db.write(
            partial(outbox_rows.done, delivery_id=delivery.id, letter=letter),
            then=lambda _: self.wake(),
        )

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1_000)


def _exhausted(delivery: Delivery, attempts: int, due_ms: int) -> str | None:
    """Return what ends the retries, in the words of EventBridge's dead letters."""
    if attempts > delivery.envelope.retries:
        return "MaximumRetryAttempts"
    if due_ms > delivery.accepted_ms + delivery.envelope.age_s * 1_000:
        return "MaximumEventAgeInSeconds"
    return None


def _dead_letter(
    delivery: Delivery, failure: DeliveryFailed, exhausted: str | None, now_ms: int
) -> Delivery | None:
    envelope = delivery.envelope
    if envelope.dead_letter is None:
        return None
    labels = dict(envelope.labels)
    if labels:
        labels |= {
            "ERROR_CODE": failure.code,
            "ERROR_MESSAGE": str(failure)[:1_024] or failure.code,
            "RETRY_ATTEMPTS": str(delivery.attempts),
            **({} if exhausted is None else {"EXHAUSTED_RETRY_CONDITION": exhausted}),
        }
    options: dict[str, object] = {
        "attributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in labels.items()
            if value
        }
        or envelope.options.get("attributes", {})
    }
    for name in ("group", "deduplication_id"):
        if name in envelope.options:
            options[name] = envelope.options[name]
    return Delivery(
        lane=envelope.dead_letter,
        envelope=Envelope(
            arn=envelope.dead_letter, account_id=envelope.account_id, options=options
        ),
        payload=str(envelope.options.get("letter", delivery.payload)),
        accepted_ms=now_ms,
        due_ms=now_ms,
    )
