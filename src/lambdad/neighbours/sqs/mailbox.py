"""Messages in and out of queues, and who is woken by them.

Whenever a message is due and somebody waits for one, somebody is awake or a timer is running: who
sends, deletes or gives back wakes as many as can get something, and who receives wakes the next.
Mutable: the queues' waiters, times and timers, on the event loop alone.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

from lambdad.domain.clock import Clock
from lambdad.neighbours.sqs import message_rows
from lambdad.neighbours.sqs.errors import OverLimit
from lambdad.neighbours.sqs.message_rows import Claimed, Target
from lambdad.neighbours.sqs.model import Outgoing, Queue, Receipt, Received, Sent
from lambdad.neighbours.sqs.queue_rows import counts
from lambdad.protocol.http import PEER
from lambdad.storage.database import Database

IN_FLIGHT_MAX = 120_000
_MESSAGES_MAX = 10


class Mailbox:
    """Sends, hands out and removes messages durably. Mutable: see the module."""

    def __init__(
        self, db: Database, clock: Clock, dead_letters: Callable[[Queue], Queue | None]
    ) -> None:
        """`dead_letters` finds the dead-letter queue of a queue, if it has one and that exists."""
        self._db = db
        self._clock = clock
        self._dead_letters = dead_letters
        self._draining = False

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self._clock.time() * 1_000)

    def target(self, queue: Queue) -> Target:
        """Return what jobs must know of a queue."""
        redrive, dead = queue.redrive, None
        if redrive is not None:
            dead = self._dead_letters(queue)
        return Target(
            id=queue.id,
            arn=queue.arn,
            fifo=queue.fifo,
            delay_ms=queue.number("DelaySeconds") * 1_000,
            retention_ms=queue.number("MessageRetentionPeriod") * 1_000,
            scope_is_group=queue.attributes.get("DeduplicationScope") == "messageGroup",
            dead_letters=dead.id if dead is not None else None,
            receives_max=redrive[1] if redrive is not None else 0,
        )

    async def send(self, queue: Queue, messages: Sequence[Outgoing]) -> list[Sent]:
        """Store messages durably, all or none."""
        job = partial(
            message_rows.insert,
            target=self.target(queue),
            messages=messages,
            now_ms=self.now_ms(),
        )
        sent, _ = await self._db.write(
            job, then=lambda done: self.due(queue, done[1], len(messages))
        )
        return sent

    async def receive(
        self, queue: Queue, count: int, *, visibility_s: int, wait_s: float
    ) -> list[Received]:
        """Take up to `count` messages; wait for the first one, if there is none, and not longer.

        Raises:
            OverLimit: too many messages of the queue are in flight.
        """
        deadline = self._clock.monotonic() + wait_s
        while True:
            if self._is_due(queue):
                await self._check_in_flight(queue)
                claimed = await self._claim(queue, count, visibility_s)
                if claimed.messages:
                    return claimed.messages
                if self._is_due(queue):
                    continue
            left_s = deadline - self._clock.monotonic()
            if left_s <= 0 or self._draining or queue.deleted:
                return []
            if await self._wait(queue, left_s):
                return []

    async def delete(self, queue: Queue, receipts: Sequence[Receipt]) -> list[bool]:
        """Delete messages; whether each receipt was still good."""
        job = partial(
            message_rows.delete,
            target=self.target(queue),
            receipts=receipts,
            now_ms=self.now_ms(),
        )

        def then(done: tuple[list[bool], int | None]) -> None:
            queue.claims = max(0, queue.claims - sum(done[0]))
            self.due(queue, done[1], 1)

        good, _ = await self._db.write(job, then=then)
        return good

    async def change_visibility(self, queue: Queue, receipt: Receipt, seconds: int) -> int:
        """Let a message come back at another time; see `message_rows.change_visibility`."""
        job = partial(
            message_rows.change_visibility,
            target=self.target(queue),
            receipt=receipt,
            visibility_ms=seconds * 1_000,
            now_ms=self.now_ms(),
        )
        outcome, _ = await self._db.write(job, then=lambda done: self.due(queue, done[1], 1))
        return outcome

    def due(self, queue: Queue, due_ms: int | None, count: int) -> None:
        """`count` messages can be received from `due_ms` on: wake who waits for them."""
        if due_ms is None:
            return
        if queue.next_due_ms is None or due_ms < queue.next_due_ms:
            queue.next_due_ms = due_ms
        if due_ms <= self.now_ms():
            wake(queue, count)
        else:
            self._arm(queue)

    def drain(self, queues: Sequence[Queue]) -> None:
        """Let nobody wait any longer."""
        self._draining = True
        for queue in queues:
            wake(queue, len(queue.waiters))

    def _is_due(self, queue: Queue) -> bool:
        due_ms = queue.next_due_ms
        return not queue.deleted and due_ms is not None and due_ms <= self.now_ms()

    async def _claim(self, queue: Queue, count: int, visibility_s: int) -> Claimed:
        dead = self._dead_letters(queue)
        job = partial(
            message_rows.claim,
            target=self.target(queue),
            count=min(count, _MESSAGES_MAX),
            visibility_ms=visibility_s * 1_000,
        )

        def run(db: sqlite3.Connection) -> Claimed:
            return job(db, now_ms=self.now_ms())

        def then(claimed: Claimed) -> None:
            queue.next_due_ms = claimed.next_due_ms
            queue.claims += len(claimed.messages)
            if dead is not None and claimed.dead:
                self.due(dead, self.now_ms(), claimed.dead)
            if self._is_due(queue):
                wake(queue, 1)
            else:
                self._arm(queue)

        return await self._db.write(run, then=then)

    async def _check_in_flight(self, queue: Queue) -> None:
        """Count only when there may be too many: counting takes a while."""
        if queue.claims < IN_FLIGHT_MAX:
            return
        _, queue.claims, _ = await self._db.read(
            partial(counts, queue_id=queue.id, now_ms=self.now_ms())
        )
        if queue.claims >= IN_FLIGHT_MAX:
            raise OverLimit(
                f"The maximum number of in flight messages is reached: {IN_FLIGHT_MAX}."
            )

    async def _wait(self, queue: Queue, seconds: float) -> bool:
        """Wait to be woken; whether the client hung up meanwhile, who must get no message then."""
        gone = False

        def leave() -> None:
            nonlocal gone
            gone = True
            if not woken.done():
                woken.set_result(None)

        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.waiters.append(woken)
        self._arm(queue)
        peer = PEER.get()
        forget = None if peer is None else peer.when_gone(leave)
        try:
            async with asyncio.timeout(seconds):
                await woken
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            if woken.done() and not woken.cancelled():
                wake(queue, 1)  # what woke this one is for somebody
            raise
        finally:
            if forget is not None:
                forget()
            if woken in queue.waiters:
                queue.waiters.remove(woken)
        if gone:
            wake(queue, 1)  # what woke this one is for somebody
        return gone

    def _arm(self, queue: Queue) -> None:
        """Wake somebody when the next message becomes due."""
        if queue.timer is not None:
            queue.timer.cancel()
            queue.timer = None
        if queue.waiters and queue.next_due_ms is not None:
            delay_s = max(0, queue.next_due_ms - self.now_ms()) / 1_000
            queue.timer = asyncio.get_running_loop().call_later(delay_s, wake, queue, 1)


def wake(queue: Queue, count: int) -> None:
    """Wake so many of those who wait longest."""
    while count > 0 and queue.waiters:
        woken = queue.waiters.popleft()
        if not woken.done():
            woken.set_result(None)
            count -= 1
