"""A stream, a function and the pollers between them, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lambdad.domain.async_events import AsyncEvent
from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.event_source_mappings.calls import Calls
from lambdad.event_source_mappings.checkpoints import Checkpoint, Checkpoints
from lambdad.event_source_mappings.counting import Counting
from lambdad.event_source_mappings.pollers.stream import StreamPoller
from lambdad.event_source_mappings.shard_form import ShardForm
from lambdad.event_source_mappings.shard_state import StreamWork
from lambdad.event_source_mappings.shown import Shown
from lambdad.event_source_mappings.stopping import Stopping
from lambdad.event_source_mappings.streams import Wake
from lambdad.observability.metrics import Metrics
from lambdad.storage.base import Engine
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.event_sources import (
    FakeDoor,
    FakeStream,
    NotedResults,
    fast,
    until,
)

QUEUE = "arn:aws:sqs:us-east-1:000000000000:failed"


class World:
    """One stream, one function, one store; pollers come and go."""

    def __init__(self, answer: Any = lambda event: None) -> None:
        self.clock = FakeClock()
        self.stream = FakeStream()
        self.door = FakeDoor(answer)
        self.store: Engine = engine("memory")(Path("/nowhere"), self.clock)
        self.results = NotedResults()
        self.longest_s = 10_000.0
        self.sent: list[AsyncEvent] = []
        self.metrics = Metrics()
        self.wake: Wake | None = None

    def checkpoints(self, owner: str = "me", *, alone: bool = True) -> Checkpoints:
        resources, apply = self.store.resources, self.store.apply
        return Checkpoints(resources, apply, self.clock, owner=owner, alone=alone)

    def checkpoint(self, mapping: EventSourceMapping, shard_id: str = "s-0") -> Checkpoint:
        return self.checkpoints().of(mapping)[shard_id]

    @asynccontextmanager
    async def polling(
        self, mapping: EventSourceMapping, checkpoints: Checkpoints | None = None
    ) -> AsyncIterator[StreamPoller]:
        async def send(event: AsyncEvent) -> None:
            self.sent.append(event)

        work = StreamWork(
            mapping=mapping,
            form=ShardForm(self.stream, mapping.settings["EventSourceArn"]),
            stream=self.stream,
            calls=Calls(self.door),
            counting=Counting(mapping, self.metrics, self.clock),
            results=Shown(self.results, mapping),
            checkpoints=checkpoints or self.checkpoints(),
            send=send,
            clock=self.clock,
            stopping=Stopping(fast(self.clock, longest_s=self.longest_s)),
            wake=self.wake,
        )
        poller = StreamPoller(work)
        task = asyncio.ensure_future(poller.run())
        try:
            yield poller
        finally:
            poller.stop()
            await asyncio.wait_for(task, 10)

    def batches(self) -> list[list[int]]:
        return [[record["n"] for record in event["Records"]] for event in self.door.events]

    def numbers(self) -> list[int]:
        return [number for batch in self.batches() for number in batch]


async def run_to(
    world: World, mapping: EventSourceMapping, sequence: str, shard_id: str = "s-0"
) -> None:
    """Poll until a shard's checkpoint is there."""
    async with world.polling(mapping):
        await until(
            lambda: (
                (found := world.checkpoints().of(mapping).get(shard_id)) is not None
                and found.sequence == sequence
            )
        )


class Bell:
    """A wake that a test rings. Mutable: how often it was waited for."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self.waits = 0

    def mark(self) -> int:
        return 0

    async def wait(self, iterator: str, mark: int, seconds: float) -> None:
        self.waits += 1
        await self.rung.wait()
        self.rung.clear()
