"""Promised deliveries are made: again after failures and restarts, in order, and never for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lambdad.neighbours.delivery import outbox_rows
from lambdad.neighbours.delivery.model import Delivery, DeliveryFailed, Envelope
from lambdad.neighbours.delivery.outbox import Outbox
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock


class Targets:
    """Take what they get; `failures` by ARN are raised first, `gates` are waited for."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.envelopes: list[Envelope] = []
        self.failures: dict[str, list[DeliveryFailed]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []

    async def deliver(self, envelope: Envelope, payload: str) -> None:
        self.begun.append(payload)
        if gate := self.gates.get(envelope.arn):
            await gate.wait()
        if failures := self.failures.get(envelope.arn):
            raise failures.pop(0)
        self.envelopes.append(envelope)
        self.got.put_nowait((envelope.arn, payload))

    async def next(self) -> tuple[str, str]:
        async with asyncio.timeout(30):
            return await self.got.get()


class World:
    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.targets = Targets()
        self._directory = directory
        self.db: Any = None

    @asynccontextmanager
    async def outbox(self) -> AsyncIterator[Outbox]:
        store = engine("sqlite")(self._directory, self.clock)
        await store.open()
        self.db = store.database("sns")
        await self.db.open()
        async with asyncio.TaskGroup() as tasks:
            outbox = Outbox(self.db, self.clock, self.targets)
            outbox.start(lambda coroutine: held.append(tasks.create_task(coroutine)))
            yield outbox
            await outbox.close()
        await self.db.close()
        await store.close()

    def delivery(self, payload: str, arn: str = "a", **changes: Any) -> Delivery:
        now_ms = int(self.clock.time() * 1_000)
        envelope = Envelope(arn=arn, account_id="0", **changes.pop("envelope", {}))
        values = {"lane": arn, "accepted_ms": now_ms, "due_ms": now_ms, **changes}
        return Delivery(envelope=envelope, payload=payload, **values)

    async def left(self) -> int:
        return int(
            await self.db.read(lambda db: db.execute("SELECT count(*) FROM delivery").fetchone()[0])
        )

    async def retried(self, attempts: int) -> int:
        """Wait for so many failed attempts; returns when the next one is due."""

        def job(db: Any) -> Any:
            return db.execute("SELECT attempts, due_ms FROM delivery").fetchone()

        async with asyncio.timeout(30):
            while (row := await self.db.read(job))[0] < attempts:
                continue
        return int(row[1])


held: list[Any] = []
BUSY = DeliveryFailed("SDK_CLIENT_ERROR", "busy")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_what_fails_is_tried_again_later_and_later(world: World) -> None:
    world.targets.failures["a"] = [BUSY, BUSY, BUSY]
    async with world.outbox() as outbox:
        await outbox.promise([world.delivery("x")])
        for attempts, delay_s in ((1, 1), (2, 2), (3, 4)):
            due_ms = await world.retried(attempts)
            assert due_ms == int(world.clock.time() * 1_000) + delay_s * 1_000
            assert world.targets.got.empty()
            world.clock.advance(delay_s)
            outbox.wake()
        assert await world.targets.next() == ("a", "x")


async def test_a_promise_outlives_a_restart(world: World) -> None:
    world.targets.gates["a"] = asyncio.Event()
    async with world.outbox() as outbox:
        await outbox.promise([world.delivery(str(n)) for n in range(20)])
    world.targets.gates.clear()
    async with world.outbox():
        got = {(await world.targets.next())[1] for _ in range(20)}
    assert got == {str(n) for n in range(20)}


@pytest.mark.parametrize(
    ("envelope", "said"),
    [
        ({"retries": 1}, "MaximumRetryAttempts"),
        ({"age_s": 1}, "MaximumEventAgeInSeconds"),
    ],
)
async def test_what_is_given_up_goes_to_its_queue(
    world: World, envelope: dict[str, Any], said: str
) -> None:
    world.targets.failures["a"] = [BUSY] * 9
    async with world.outbox() as outbox:
        given = {"dead_letter": "q", "labels": {"RULE_ARN": "r"}, **envelope}
        await outbox.promise([world.delivery("x", envelope=given)])
        due_ms = await world.retried(1)
        world.clock.set_to(due_ms / 1_000)
        outbox.wake()
        assert await world.targets.next() == ("q", "x")
    attributes = world.targets.envelopes[0].options["attributes"]
    told = {name: each["StringValue"] for name, each in attributes.items()}
    assert told == {
        "RULE_ARN": "r",
        "ERROR_CODE": "SDK_CLIENT_ERROR",
        "ERROR_MESSAGE": "busy",
        "RETRY_ATTEMPTS": "1",
        "EXHAUSTED_RETRY_CONDITION": said,
    }


async def test_a_final_failure_is_not_repeated(world: World) -> None:
    world.targets.failures["a"] = [DeliveryFailed("NO_PERMISSIONS", "no", final=True)]
    async with world.outbox() as outbox:
        await outbox.promise([world.delivery("x"), world.delivery("y", arn="b")])
        assert await world.targets.next() == ("b", "y")
        async with asyncio.timeout(30):
            while await world.left():
                continue
    assert sorted(world.targets.begun) == ["x", "y"]


async def test_an_ordered_lane_waits_for_the_first(world: World) -> None:
    world.targets.failures["a"] = [BUSY]
    async with world.outbox() as outbox:
        await outbox.promise([world.delivery(str(n), ordered=True) for n in range(5)])
        await outbox.promise([world.delivery("z", arn="b")])
        assert await world.targets.next() == ("b", "z")
        await world.retried(1)
        world.clock.advance(1)
        outbox.wake()
        assert [(await world.targets.next())[1] for _ in range(5)] == ["0", "1", "2", "3", "4"]


async def test_a_slow_lane_does_not_hold_up_others(world: World) -> None:
    world.targets.gates["slow"] = asyncio.Event()
    async with world.outbox() as outbox:
        slow = [world.delivery(json.dumps(n), arn="slow") for n in range(500)]
        await outbox.promise(slow)
        await outbox.promise([world.delivery(str(n), arn=f"t{n}") for n in range(30)])
        got = {(await world.targets.next())[0] for _ in range(30)}
        assert got == {f"t{n}" for n in range(30)}
        world.targets.gates["slow"].set()
        assert len([await world.targets.next() for _ in range(500)]) == 500


async def test_lanes_are_taken_in_turn(world: World) -> None:
    async with world.outbox() as outbox:
        world.targets.gates.update({name: asyncio.Event() for name in "abc"})
        await outbox.promise([world.delivery("x", arn=name) for name in "abc"])
        job = partial(outbox_rows.due, now_ms=2**60, busy={}, after="a", limit=2, per_lane=1)
        found = await world.db.read(job)
        assert [each.lane for each in found.deliveries] == ["b", "c"]
        for gate in world.targets.gates.values():
            gate.set()
