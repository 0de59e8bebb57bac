"""Rules and schedules fire when a clock says so, across restarts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lambdad.neighbours.events.model import Rule
from lambdad.neighbours.events.parts import Buses
from lambdad.neighbours.scheduler.model import Schedule
from lambdad.neighbours.scheduler.parts import Schedules
from lambdad.testing.clock import FakeClock
from lambdad.testing.neighbours import RecordedPushes, running

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
ZERO = datetime(2026, 3, 1, tzinfo=UTC).timestamp()


def a_rule(schedule: str, **changes: Any) -> Rule:
    values: dict[str, Any] = {
        "account_id": "000000000000",
        "region": "us-east-1",
        "name": "r",
        "bus": "default",
        "created_ms": int(ZERO * 1_000),
        "modified_ms": int(ZERO * 1_000),
        "anchor_ms": int(ZERO * 1_000),
        "pattern": None,
        "schedule": schedule,
        "state": "ENABLED",
        "targets": [{"Id": "t", "Arn": FUNCTION}],
    }
    return Rule(**{**values, **changes})


def a_schedule(expression: str, **changes: Any) -> Schedule:
    values: dict[str, Any] = {
        "account_id": "000000000000",
        "region": "us-east-1",
        "group": "default",
        "name": "s",
        "created_ms": int(ZERO * 1_000),
        "modified_ms": int(ZERO * 1_000),
        "anchor_ms": int(ZERO * 1_000),
        "expression": expression,
        "zone": "UTC",
        "state": "ENABLED",
        "target": {"Arn": FUNCTION, "Input": "<aws.scheduler.scheduled-time>"},
        "window": 0,
        "after_completion": "NONE",
    }
    return Schedule(**{**values, **changes})


class World:
    """A clock, functions, and a directory that outlives a service."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock(epoch_s=ZERO)
        self.functions = RecordedPushes()
        self._directory = directory

    def buses(self) -> AbstractAsyncContextManager[Buses]:
        return self._running("events", Buses.open)

    def schedules(self) -> AbstractAsyncContextManager[Schedules]:
        return self._running("scheduler", Schedules.open)

    @asynccontextmanager
    async def _running(self, name: str, open_: Any) -> AsyncIterator[Any]:
        given = {"clock": self.clock, "functions": self.functions}
        async with running(name, open_, self._directory, **given) as parts:
            yield parts

    async def at(self, seconds: float, service: Any) -> None:
        """Set the clock and let the service look at it."""
        self.clock.set_to(ZERO + seconds)
        await service.timetable.fire_due()

    async def pushed(self) -> str:
        return (await self.functions.next())[1]

    @property
    def waiting(self) -> int:
        return self.functions.pushed.qsize()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_rule_sends_the_scheduled_event(world: World) -> None:
    async with world.buses() as buses:
        await buses.put(a_rule("rate(5 minutes)"))
        await world.at(299, buses)
        assert world.waiting == 0
        await world.at(300.5, buses)
        event = json.loads(await world.pushed())
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": "2026-03-01T00:05:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:000000000000:rule/r"],
        "detail": {},
    }


async def test_a_rule_makes_up_no_runs_but_forgets_none_that_is_just_due(world: World) -> None:
    async with world.buses() as buses:
        await buses.put(a_rule("cron(0/10 * * * ? *)"))
    world.clock.set_to(ZERO + 1_830)
    async with world.buses() as buses:
        assert json.loads(await world.pushed())["time"] == "2026-03-01T00:30:00Z"
    world.clock.set_to(ZERO + 1_850)
    async with world.buses() as buses:
        assert buses.timetable.due(str(a_rule(""))) == ZERO + 2_400
    world.clock.set_to(ZERO + 3_300)
    async with world.buses() as buses:
        assert buses.timetable.due(str(a_rule(""))) == ZERO + 3_600
    assert world.waiting == 0


async def test_a_disabled_or_deleted_rule_does_not_fire(world: World) -> None:
    async with world.buses() as buses:
        await buses.put(a_rule("rate(1 minute)", name="off", state="DISABLED"))
        await buses.put(a_rule("rate(1 minute)", name="gone"))
        await buses.remove(a_rule("rate(1 minute)", name="gone"))
        await world.at(3_600, buses)
    assert world.waiting == 0


async def test_one_missed_run_of_a_schedule_is_made_up_for(world: World) -> None:
    async with world.schedules() as schedules:
        await schedules.put(a_schedule("rate(1 hour)"))
        assert await world.pushed() == "2026-03-01T00:00:00Z"
    world.clock.set_to(ZERO + 5 * 3_600 + 60)
    async with world.schedules() as schedules:
        assert await world.pushed() == "2026-03-01T05:00:00Z"
        assert schedules.timetable.due(a_schedule("").arn) == ZERO + 6 * 3_600
    assert world.waiting == 0


async def test_what_was_to_happen_once_happens_late_or_is_too_old(world: World) -> None:
    at = "at(2026-03-01T01:00:00)"
    old = {"Arn": FUNCTION, "Input": "old", "RetryPolicy": {"MaximumEventAgeInSeconds": 60}}
    async with world.schedules() as schedules:
        await schedules.put(a_schedule(at, after_completion="DELETE"))
        await schedules.put(a_schedule(at, name="old", target=old))
    world.clock.set_to(ZERO + 7_200)
    async with world.schedules() as schedules:
        assert await world.pushed() == "2026-03-01T01:00:00Z"
        await world.at(7_300, schedules)
        assert [each.name for each in schedules.schedules()] == ["old"]
    assert world.waiting == 0


async def test_bounds_and_windows_hold(world: World) -> None:
    begin, end = int((ZERO + 600) * 1_000), int((ZERO + 1_300) * 1_000)
    async with world.schedules() as schedules:
        within = a_schedule("rate(10 minutes)", begin_ms=begin, end_ms=end, window=5)
        await schedules.put(within)
        times = []
        while (due_s := schedules.timetable.due(within.arn)) is not None:
            await world.at(due_s - ZERO, schedules)
            times.append(await world.pushed())
            scheduled = datetime.fromisoformat(times[-1]).timestamp()
            assert 0 <= due_s - scheduled < 300
        assert times == ["2026-03-01T00:10:00Z", "2026-03-01T00:20:00Z"]
