"""Message move tasks: messages of a dead-letter queue go back to where they came from.

A task goes on after a restart from where it was. Mutable: the tasks that run.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from lambdad.domain.clock import Clock
from lambdad.neighbours.hosting import SpawnTask
from lambdad.neighbours.sqs import group_rows, message_rows
from lambdad.neighbours.sqs.mailbox import Mailbox
from lambdad.neighbours.sqs.model import Queue
from lambdad.storage.database import Database

RUNNING, COMPLETED, CANCELLING, CANCELLED, FAILED = (
    "RUNNING",
    "COMPLETED",
    "CANCELLING",
    "CANCELLED",
    "FAILED",
)
_CHUNK = 100
_STEP_S = 0.1
_COLUMNS = (
    "id, source_arn, destination_arn, rate, status, moved, to_move, last_id, started_ms, failure"
)
_FOUND = """
SELECT message.id, sent_ms, extras, fifo_group FROM message
JOIN content ON content.id = message.id
WHERE queue_id = ? AND due_ms <= ? AND message.id <= ? ORDER BY message.id LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveTask:
    """A task as it is stored.

    Attributes:
        destination_arn: None sends each message back to the queue that it came from.
        rate: messages each second; None for as fast as it goes.
        last_id: messages that came later are left alone.
    """

    id: int
    source_arn: str
    destination_arn: str | None
    rate: int | None
    status: str
    moved: int
    to_move: int
    last_id: int
    started_ms: int
    failure: str | None


class Places(Protocol):
    """Finds queues."""

    mailbox: Mailbox

    def by_arn(self, arn: str) -> Queue | None:
        """Return the queue of an ARN, or None."""
        ...


def _select(db: sqlite3.Connection, where: str, *values: object) -> list[MoveTask]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM move_task WHERE {where}", values)  # noqa: S608
    names = _COLUMNS.split(", ")
    return [MoveTask(**dict(zip(names, row, strict=True))) for row in rows]


class Mover:
    """Runs move tasks."""

    def __init__(self, db: Database, clock: Clock, places: Places) -> None:
        self._db = db
        self._clock = clock
        self._places = places
        self._stopping = asyncio.Event()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._spawn: SpawnTask

    async def resume(self, spawn: SpawnTask) -> None:
        """Go on with the tasks that were running when the daemon ended."""
        self._spawn = spawn
        for task in await self._db.read(
            lambda db: _select(db, "status IN (?, ?)", RUNNING, CANCELLING)
        ):
            self._begin(task)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    async def stopped(self) -> None:
        """Wait until no task works any more."""
        await self._idle.wait()

    async def start(self, source: Queue, destination_arn: str | None, rate: int | None) -> MoveTask:
        """Store and begin a task."""
        now_ms = self._places.mailbox.now_ms()

        def insert(db: sqlite3.Connection) -> MoveTask:
            last_id, to_move = db.execute(
                "SELECT coalesce(max(id), 0), count(*) FROM message WHERE queue_id = ?",
                (source.id,),
            ).fetchone()
            row = (source.arn, destination_arn, rate, RUNNING, to_move, last_id, now_ms)
            task_id = db.execute(
                "INSERT INTO move_task (source_arn, destination_arn, rate, status, to_move, "
                "last_id, started_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            ).lastrowid
            return _select(db, "id = ?", task_id)[0]

        task = await self._db.write(insert)
        self._begin(task)
        return task

    async def tasks(self, source_arn: str, limit: int) -> Sequence[MoveTask]:
        """Return the latest tasks of a queue, newest first."""
        return await self._db.read(
            lambda db: _select(db, "source_arn = ? ORDER BY id DESC LIMIT ?", source_arn, limit)
        )

    async def find(self, task_id: int) -> MoveTask | None:
        """Return a task, or None."""
        found = await self._db.read(lambda db: _select(db, "id = ?", task_id))
        return found[0] if found else None

    async def cancel(self, task_id: int) -> None:
        """Let a task end; what it moved stays moved."""
        await self._set_status(task_id, CANCELLED)

    async def _set_status(self, task_id: int, status: str, failure: str | None = None) -> None:
        await self._db.write(
            lambda db: (
                db.execute(
                    "UPDATE move_task SET status = ?, failure = ? WHERE id = ? AND status = ?",
                    (status, failure, task_id, RUNNING),
                ).rowcount
            )
        )

    def _begin(self, task: MoveTask) -> None:
        self._running += 1
        self._idle.clear()
        self._spawn(self._run(task))

    async def _run(self, task: MoveTask) -> None:
        try:
            while not self._stopping.is_set() and await self._step(task):
                if task.rate is not None:
                    await asyncio.sleep(_STEP_S)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def _step(self, task: MoveTask) -> bool:
        """Move some messages; whether there may be more to do."""
        source = self._places.by_arn(task.source_arn)
        current = await self.find(task.id)
        if current is None or current.status != RUNNING:
            return False
        if source is None:
            await self._set_status(task.id, FAILED, "AWS.SimpleQueueService.NonExistentQueue")
            return False
        count = _CHUNK if task.rate is None else max(1, int(task.rate * _STEP_S))
        moved, failure, woken = await self._db.write(
            partial(self._move, task=task, source=source, count=count)
        )
        for queue in woken:
            self._places.mailbox.due(queue, self._places.mailbox.now_ms(), count)
        if failure is not None:
            await self._set_status(task.id, FAILED, failure)
            return False
        if moved < count:
            await self._set_status(task.id, COMPLETED)
            return False
        return True

    def _move(
        self, db: sqlite3.Connection, task: MoveTask, source: Queue, count: int
    ) -> tuple[int, str | None, list[Queue]]:
        """Return how many went, why one could not, and the queues that got some. A job."""
        now_ms = self._places.mailbox.now_ms()
        moved, woken = 0, {}
        failure = None
        rows = db.execute(_FOUND, (source.id, now_ms, task.last_id, count)).fetchall()
        for row_id, _, extras, group in rows:
            arn = task.destination_arn or json.loads(extras).get("dead")
            destination = None if arn is None else self._places.by_arn(arn)
            if destination is None:
                failure = "CouldNotDetermineMessageSource"
                break
            message_rows.move(db, row_id, destination.id, now_ms, now_ms, came_from=None)
            if group is not None:
                group_rows.settle(db, source.id, group, now_ms)
            woken[destination.arn] = destination
            moved += 1
        db.execute("UPDATE move_task SET moved = moved + ? WHERE id = ?", (moved, task.id))
        return moved, failure, list(woken.values())
