"""All queues of this daemon: which there are, and what is done without being asked.

Mutable: the queues by key, on the event loop alone and only after the database has changed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Self
from uuid import uuid4

from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.sqs import queue_rows
from lambdad.neighbours.sqs.depths import points_of
from lambdad.neighbours.sqs.errors import PurgeQueueInProgress, no_queue
from lambdad.neighbours.sqs.mailbox import Mailbox, wake
from lambdad.neighbours.sqs.model import Outgoing, Queue, QueueKey, Sent
from lambdad.neighbours.sqs.moving import Mover
from lambdad.storage.database import Database

_SWEEP_S = 30.0
_MEASURE_S = 60.0
_LOGGER = logging.getLogger(__name__)
_PURGE_INTERVAL_S = 60.0


class Queues:
    """What SQS's operations call; for others in this process, :meth:`deliver`."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self.db = db
        self.clock = clock
        self.mailbox = Mailbox(db, clock, self.dead_letters)
        self.mover = Mover(db, clock, self)
        self._queues: dict[QueueKey, Queue] = {}
        self._swept: asyncio.Event = asyncio.Event()
        self._stopping = asyncio.Event()
        self._created = asyncio.Lock()

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open the database, load the queues and begin to clear away what is too old."""
        db = setup.database()
        await db.open()
        queues = cls(db, setup.clock)
        for queue in await db.read(queue_rows.all_queues):
            queues._queues[queue.key] = queue
        setup.spawn(queues._run(partial(setup.neighbour, "cloudwatch")))
        await queues.mover.resume(setup.spawn)
        return queues

    def drain(self) -> None:
        """Answer everybody who waits for a message."""
        self.mailbox.drain(list(self._queues.values()))

    async def close(self) -> None:
        """Stop what runs, then close the database."""
        self._stopping.set()
        self.mover.stop()
        self.drain()
        await self._swept.wait()
        await self.mover.stopped()
        await self.db.close()

    def find(self, key: QueueKey) -> Queue:
        """Return a queue.

        Raises:
            QueueDoesNotExist: there is none.
        """
        queue = self._queues.get(key)
        if queue is None:
            raise no_queue()
        return queue

    def by_arn(self, arn: str) -> Queue | None:
        """Return the queue of an ARN, or None."""
        parts = arn.split(":")
        return self._queues.get((parts[4], parts[3], parts[5])) if len(parts) == 6 else None

    def all(self) -> list[Queue]:
        """Return every queue."""
        return list(self._queues.values())

    def dead_letters(self, queue: Queue) -> Queue | None:
        """Return the dead-letter queue of a queue, if it has one and that exists."""
        redrive = queue.redrive
        return None if redrive is None else self.by_arn(redrive[0])

    async def create(self, queue: Queue) -> Queue:
        """Store a queue, unless there is one of that name; returns the one that is there then."""
        async with self._created:
            existing = self._queues.get(queue.key)
            if existing is not None:
                return existing
            queue.id = await self.db.write(partial(queue_rows.insert, queue=queue))
            queue.next_due_ms = None
            self._queues[queue.key] = queue
            return queue

    async def change(
        self,
        queue: Queue,
        *,
        attributes: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Store other attributes or tags of a queue."""
        attributes = queue.attributes if attributes is None else attributes
        modified_ms = queue.modified_ms if tags is not None else self.mailbox.now_ms()
        tags = queue.tags if tags is None else tags
        texts = json.dumps(dict(attributes)), json.dumps(dict(tags))
        await self.db.write(
            partial(
                queue_rows.update,
                queue_id=queue.id,
                attributes=texts[0],
                tags=texts[1],
                modified_ms=modified_ms,
            )
        )
        queue.attributes, queue.tags = dict(attributes), dict(tags)
        queue.modified_ms = modified_ms

    async def delete(self, queue: Queue) -> None:
        """Forget a queue; its messages are cleared away behind the answer."""
        await self.db.write(partial(queue_rows.remove, queue_id=queue.id))
        queue.deleted = True
        self._queues.pop(queue.key, None)
        wake(queue, len(queue.waiters))

    async def purge(self, queue: Queue) -> None:
        """Remove what a queue holds now.

        Raises:
            PurgeQueueInProgress: that was done less than a minute ago.
        """
        now_s = self.clock.monotonic()
        if queue.purged_s is not None and now_s - queue.purged_s < _PURGE_INTERVAL_S:
            raise PurgeQueueInProgress(
                f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds."
            )
        queue.purged_s = now_s
        last_id = await self.db.read(queue_rows.last_message)
        await self._clear(queue.id, last_id)

    async def deliver(
        self,
        arn: str,
        body: str,
        *,
        attributes: Mapping[str, Mapping[str, object]] | None = None,
        group: str | None = None,
        deduplication_id: str | None = None,
        sender: str = "",
    ) -> Sent:
        """Put a message into a queue for another service of this daemon; durable on return.

        A FIFO queue needs `group` and `deduplication_id`.

        Raises:
            QueueDoesNotExist: there is no such queue.
        """
        queue = self.by_arn(arn)
        if queue is None:
            raise no_queue()
        message = Outgoing(
            message_id=str(uuid4()),
            body=body,
            attributes=attributes or {},
            group=group,
            deduplication_id=deduplication_id,
            sender=sender,
        )
        return (await self.mailbox.send(queue, [message]))[0]

    async def _run(self, cloudwatch: Callable[[], Awaitable[Any]]) -> None:
        """Now and then clear away what nobody can receive any more, and measure what is left."""
        measured_s = -math.inf
        try:
            while not self._stopping.is_set():
                await self._sweep()
                if self.clock.monotonic() - measured_s >= _MEASURE_S:
                    measured_s = self.clock.monotonic()
                    await self._measure(cloudwatch)
                try:
                    async with asyncio.timeout(_SWEEP_S):
                        await self._stopping.wait()
                except TimeoutError:
                    continue
        finally:
            self._swept.set()

    async def _measure(self, cloudwatch: Callable[[], Awaitable[Any]]) -> None:
        found = {}
        for queue in self.all():
            job = partial(queue_rows.counts, queue_id=queue.id, now_ms=self.mailbox.now_ms())
            found[queue] = await self.db.read(job)
        if not found:
            return
        try:
            await (await cloudwatch()).put(points_of(found, int(self.clock.time())))
        except PlatformError as error:
            # Somebody else's CloudWatch takes none, or the disk fails: the next minute has its own.
            _LOGGER.debug("queues were not measured: %s", error)

    async def _sweep(self) -> None:
        for queue_id in await self.db.read(queue_rows.orphaned):
            await self._clear(queue_id, await self.db.read(queue_rows.last_message))
        for queue in self.all():
            now_ms = self.mailbox.now_ms()
            sent_ms = now_ms - queue.number("MessageRetentionPeriod") * 1_000
            more = True
            while more and not self._stopping.is_set():
                job = partial(queue_rows.expire, queue_id=queue.id, sent_ms=sent_ms, now_ms=now_ms)
                more = await self.db.write(job)
        more = True
        while more and not self._stopping.is_set():
            more = await self.db.write(
                partial(queue_rows.forget_duplicates, now_ms=self.mailbox.now_ms())
            )

    async def _clear(self, queue_id: int, last_id: int) -> None:
        more = True
        while more and not self._stopping.is_set():
            job = partial(
                queue_rows.clear,
                queue_id=queue_id,
                last_id=last_id,
                now_ms=self.mailbox.now_ms(),
            )
            more = await self.db.write(job)
