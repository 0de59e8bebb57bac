"""Any instruction of accept, take, run, retry and deliver may be the last.

A scenario is run once for each call that the dispatcher makes to the queue, to functions and to
targets, and dies there: before the call has done anything, or after it has done all and before
anybody heard of it. What comes after starts anew on what the queue holds.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.integration.async_invocation.conftest import FAILURE, World

from lambdad.domain.async_events import AsyncEvent
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
# What has to happen to each event: runs, and records that are delivered.
RUNS = {"good": 1, "bad": 2}
RECORDS = {"good": 1, "bad": 1}


@dataclass
class Mortality:
    """Ends a process at its n-th call: nothing goes on behind that, and nobody is told."""

    last: int | None
    after: bool
    calls: list[str] = field(default_factory=list)
    died: asyncio.Event = field(default_factory=asyncio.Event)

    def mortal(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def called(*args: Any, **options: Any) -> Any:
            if self.died.is_set():
                await asyncio.Event().wait()
            self.calls.append(name)
            fatal = len(self.calls) - 1 == self.last
            if fatal and not self.after:
                await self._die()
            answer = await call(*args, **options)
            if fatal:
                await self._die()
            return answer

        return called

    async def _die(self) -> None:
        self.died.set()
        await asyncio.Event().wait()


class MortalQueue:
    """A queue whose caller may die at every call."""

    def __init__(self, queue: Any, mortality: Mortality) -> None:
        self._queue = queue
        self._mortality = mortality

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self._mortality.mortal(name, getattr(self._queue, name))


@dataclass
class History:
    """What happened outside, over all lives."""

    runs: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)


def a_life(store: Any, clock: FakeClock, history: History, mortality: Mortality) -> World:
    events = MortalQueue(store.events, mortality)
    world = World(
        SimpleNamespace(functions=store.functions, resources=store.resources, events=events),
        clock,
    )

    async def run(key: Any, qualifier: str | None, invocation: Invocation) -> InvocationResult:
        history.runs[key.name] += 1
        return await invoke(key, qualifier, invocation)

    async def deliver(event: AsyncEvent) -> AsyncEvent | None:
        history.records[event.key.name] += 1
        return None

    invoke = world.door.invoke
    world.door.behaviours["bad"] = lambda _: FAILURE
    world.door.invoke = mortality.mortal("invoke", run)
    world.courier.deliver = mortality.mortal("deliver", deliver)
    return world


async def live(world: World, mortality: Mortality, *, send: bool) -> tuple[set[str], int]:
    """Work until nothing is left or death; returns what was accepted, and what was in hand."""
    accepted: set[str] = set()

    async def client() -> None:
        for name in RUNS if send else ():
            await world.send(name)
            accepted.add(name)
        for _ in range(4):
            await world.pass_time(60)

    tasks = [asyncio.ensure_future(each) for each in (world.dispatcher.run(), client())]
    death = asyncio.ensure_future(mortality.died.wait())
    await asyncio.wait({tasks[1], death}, return_when=asyncio.FIRST_COMPLETED)
    in_hand = world.dispatcher.in_hand
    if not mortality.died.is_set():
        await world.dispatcher.drain(5)
    for task in (*tasks, death):
        task.cancel()
    await asyncio.gather(*tasks, death, return_exceptions=True)
    return accepted, in_hand


async def survived(last: int | None, after: bool) -> tuple[Mortality, bool]:
    """Run the scenario with a death, then a life without; checks what came of it."""
    clock = FakeClock()
    store = engine("memory")(Path("/nowhere"), clock)
    history, mortality = History(), Mortality(last, after)
    first = a_life(store, clock, history, mortality)
    await first.deploy(*RUNS)
    await first.configure("good", on_success=QUEUE)
    await first.configure("bad", on_failure=QUEUE, retry_attempts=1)
    accepted, in_hand = await live(first, mortality, send=True)
    died = mortality.died.is_set()
    if died:
        immortal = Mortality(None, after=False)
        await live(a_life(store, clock, history, immortal), immortal, send=False)
    check(accepted, history, extra=in_hand, where=mortality.calls[-1])
    counts = await store.events.counts()
    assert (counts.waiting, counts.running, counts.set_aside) == (0, 0, 0)
    return mortality, died


def check(accepted: set[str], history: History, *, extra: int, where: str) -> None:
    """What was accepted happened, the rest wholly or not at all, and what was in hand once more."""
    for name, runs in RUNS.items():
        happened = (history.runs[name], history.records[name])
        if name not in accepted and happened == (0, 0):
            continue
        assert happened[0] >= runs, (where, name)
        assert happened[1] >= RECORDS[name], (where, name)
    repeated = (history.runs + history.records).total() - sum(
        runs + RECORDS[name] for name, runs in RUNS.items() if history.runs[name]
    )
    assert repeated <= extra, where


@pytest.mark.parametrize("after", [False, True], ids=["before it is done", "after it was done"])
async def test_no_instruction_can_be_the_last_of_an_event(after: bool) -> None:
    fatal: Counter[str] = Counter()
    for last in range(1_000):
        mortality, died = await survived(last, after)
        if not died:
            break
        fatal[mortality.calls[last]] += 1
    assert set(fatal) >= {
        "enqueue",
        "recover",
        "lanes",
        "claim",
        "invoke",
        "retry",
        "done",
        "deliver",
    }
    assert fatal["done"] == 4, "two events and two records"
