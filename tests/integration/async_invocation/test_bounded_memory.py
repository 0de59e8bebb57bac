"""A long queue waits on the disk: in memory is what is being worked on, and no more."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

from tests.integration.async_invocation.conftest import World

from lambdad.domain.async_events import AsyncEvent
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

WAITING = 3_000
# What two lanes take before an answer came.
CAPACITY = 16


def in_memory() -> int:
    return sum(isinstance(each, AsyncEvent) for each in gc.get_objects())


async def test_of_a_long_queue_only_what_runs_is_in_memory(tmp_path: Path) -> None:
    gc.collect()
    before = in_memory()  # of other tests
    store = engine("sqlite")(tmp_path, FakeClock())
    await store.open()
    world = World(store, FakeClock(), capacity=CAPACITY)
    await world.deploy("f", "g")
    world.door.held = {"f": asyncio.Event(), "g": asyncio.Event()}
    for _ in range(0, WAITING, 100):
        await asyncio.gather(*(world.send(name) for name in ("f", "g") for _ in range(50)))
    async with asyncio.TaskGroup() as group:
        group.create_task(world.dispatcher.run())
        await world.door.called(CAPACITY)
        assert await world.left() == WAITING
        assert CAPACITY <= in_memory() - before <= 2 * CAPACITY
        for gate in world.door.held.values():
            gate.set()
        await world.door.called(WAITING // 2)
        assert await world.left() > WAITING // 4
        assert in_memory() - before <= 2 * CAPACITY
        await world.door.called(WAITING)
        await world.dispatcher.drain(30)
    assert await world.left() == 0
    assert sorted(set(world.door.names())) == ["f", "g"]
    await store.close()
