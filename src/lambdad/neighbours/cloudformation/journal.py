"""The state of stacks on disk and what happened to them: one write for each step."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from dataclasses import asdict
from functools import partial
from uuid import uuid4

from lambdad.domain.clock import Clock
from lambdad.neighbours.cloudformation import rows
from lambdad.neighbours.cloudformation.model import Event, Resource, Stack
from lambdad.storage.database import Database

STACK = "AWS::CloudFormation::Stack"


class Journal:
    """See the module."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self.db = db
        self._clock = clock
        self._last: dict[str, asyncio.Future[None]] = {}

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self._clock.time() * 1_000)

    async def stack(
        self, stack: Stack, status: str | None = None, reason: str = "", *, also: bool = False
    ) -> None:
        """Store a stack; with a status, that and an event. `also` stores its resources, too."""
        jobs = []
        if status is not None:
            stack.status, stack.reason = status, reason
            event = Event(
                event_id=str(uuid4()),
                at_ms=self.now_ms(),
                logical_id=stack.name,
                physical_id=stack.id,
                type=STACK,
                status=status,
                reason=reason,
                token=stack.token,
            )
            jobs.append(partial(rows.add_event, stack_id=stack.id, body=_text(event)))
        jobs.append(partial(rows.put_stack, stack_id=stack.id, body=rows.stack_text(stack)))
        if also:
            jobs += [
                partial(rows.put_resource, stack_id=stack.id, key=key, body=_text(each))
                for key, each in stack.resources.items()
            ]
        await self._write(stack, jobs)

    async def resource(
        self,
        stack: Stack,
        resource: Resource,
        status: str,
        reason: str = "",
        *,
        physical_id: str | None = None,
        forget: bool = False,
    ) -> None:
        """Store a resource in a new status, or forget it, with an event."""
        resource.status, resource.reason = status, reason
        resource.changed_ms = self.now_ms()
        properties = resource.pending or (resource.held.properties if resource.held else {})
        event = Event(
            event_id=f"{resource.logical_id}-{status}-{uuid4()}",
            at_ms=resource.changed_ms,
            logical_id=resource.logical_id,
            physical_id=resource.physical_id if physical_id is None else physical_id,
            type=resource.type,
            status=status,
            reason=reason,
            properties=json.dumps(properties, default=str),
            token=stack.token,
        )
        body = None if forget else _text(resource)
        if forget:
            stack.resources.pop(resource.logical_id, None)
        key = resource.logical_id
        await self._write(
            stack,
            [
                partial(rows.add_event, stack_id=stack.id, body=_text(event)),
                partial(rows.put_resource, stack_id=stack.id, key=key, body=body),
            ],
        )

    async def written(self, stack: Stack) -> None:
        """Wait until all that is known of a stack by now is on disk, too."""
        last = self._last.get(stack.id)
        if last is not None:
            await asyncio.shield(last)

    async def _write(self, stack: Stack, jobs: list[partial[None]]) -> None:
        def job(db: sqlite3.Connection) -> None:
            for each in jobs:
                each(db)

        # Jobs are done in their order: with the last one all are.
        last = self._last[stack.id] = asyncio.get_running_loop().create_future()
        try:
            await self.db.write(job)
        finally:
            last.set_result(None)
            if self._last.get(stack.id) is last:
                del self._last[stack.id]


def _text(value: Event | Resource) -> str:
    return json.dumps(asdict(value))
