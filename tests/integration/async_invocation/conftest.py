"""A dispatcher on the in-memory queue, with a door and a courier that do what the test says."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambdad.async_invocation.attempts import Attempts
from lambdad.async_invocation.delivery import DeliveryFailed
from lambdad.async_invocation.dispatcher import Dispatcher
from lambdad.async_invocation.event_queue import AsyncInvocations
from lambdad.async_invocation.policies import EventPolicies
from lambdad.domain.arns import FunctionKey
from lambdad.domain.async_events import AsyncEvent
from lambdad.domain.event_invoke_configs import EventInvokeConfig, to_resource
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.observability.metrics import Metrics
from lambdad.storage.base import Engine
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import a_function

SUCCESS = InvocationResult(payload=b'"ok"', executed_version="$LATEST")
FAILURE = InvocationResult(
    payload=b'{"errorMessage":"no"}', executed_version="$LATEST", function_error="Unhandled"
)

Behaviour = Callable[[Invocation], InvocationResult | Exception]


def key_of(name: str) -> FunctionKey:
    return FunctionKey(account_id="000000000000", region="us-east-1", name=name)


@dataclass
class FakeDoor:
    """Runs functions as the test says; those in `held` do not end before they are let go."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    calls: list[tuple[str, Invocation]] = field(default_factory=list)
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    _called: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def invoke(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> InvocationResult:
        self.calls.append((key.name, invocation))
        async with self._called:
            self._called.notify_all()
        if key.name in self.held:
            await self.held[key.name].wait()
        outcome = self.behaviours.get(key.name, lambda _: SUCCESS)(invocation)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    async def called(self, count: int) -> None:
        """Wait until so many calls have begun."""
        async with self._called:
            await self._called.wait_for(lambda: len(self.calls) >= count)


@dataclass
class FakeCourier:
    """Takes what it is given, or refuses as long as `broken` says so."""

    delivered: list[AsyncEvent] = field(default_factory=list)
    broken: bool = False
    tried: int = 0

    async def deliver(self, event: AsyncEvent) -> AsyncEvent | None:
        self.tried += 1
        if self.broken:
            raise DeliveryFailed("the target is away")
        self.delivered.append(event)
        return None


class World:
    """A daemon's asynchronous half, and a clock to turn."""

    def __init__(self, store: Engine, clock: FakeClock, *, capacity: int = 100) -> None:
        self.store = store
        self.clock = clock
        self.door = FakeDoor()
        self.courier = FakeCourier()
        self.metrics = Metrics()
        self._ids = itertools.count(1)
        attempts = Attempts(
            door=self.door,
            policies=EventPolicies(store.functions, store.resources),
            courier=self.courier,
            clock=clock,
            metrics=self.metrics,
            retry_delay_s=60,
        )
        self.dispatcher = Dispatcher(store.events, attempts, clock=clock, capacity=capacity)
        self.invocations = AsyncInvocations(
            store.events, listener=self.dispatcher, clock=clock, metrics=self.metrics
        )

    async def deploy(self, *names: str, **changes: Any) -> None:
        for name in names:
            await self.store.functions.insert(a_function(key=key_of(name), **changes))

    async def configure(self, name: str, **config: Any) -> None:
        resource = to_resource(
            EventInvokeConfig(
                function=key_of(name), qualifier="$LATEST", last_modified_s=0, **config
            )
        )
        await self.store.resources.put(resource)

    async def send(self, name: str, payload: bytes = b"{}") -> str:
        request_id = f"r{next(self._ids)}"
        await self.invocations.accept(
            key_of(name), None, request_id=request_id, payload=payload, trace=None
        )
        return request_id

    async def pass_time(self, seconds: float) -> None:
        """Let the clock go on and the dispatcher look at it."""
        self.clock.advance(seconds)
        self.dispatcher.wake()
        await self.settled()

    async def settled(self) -> None:
        """Give the loop turns until nothing changes any more; nothing here waits for real time."""
        for _ in range(200):
            await asyncio.sleep(0)

    async def left(self) -> int:
        counts = await self.store.events.counts()
        return counts.waiting + counts.running


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = FakeClock()
    world = World(engine("memory")(Path("/nowhere"), clock), clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(world.dispatcher.run())
        yield world
        for gate in world.door.held.values():
            gate.set()
        await world.dispatcher.drain(5)
