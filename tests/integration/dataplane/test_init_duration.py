"""An init lasts from when its sandbox stands: nobody pays for the making of that."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.dataplane.snapstart.image import Snapshot
from lambdad.domain import snapstart
from lambdad.domain.concurrency import ProvisionedConfig
from lambdad.domain.functions import LoggingConfig
from lambdad.testing.extensions import Watcher
from lambdad.testing.functions import FUNCTION_KEY, a_function
from lambdad.testing.sandbox import FakeGuest, FakeSandbox

Make = Callable[..., Any]

# What the making of a sandbox takes that was returned before it stood, and what the init does.
MADE_S, INIT_S = 5.0, 0.25
STRUCTURED = LoggingConfig(log_group="/aws/lambda/f", log_format="JSON", system_log_level="DEBUG")


class World:
    """A data plane whose sandboxes take their time to stand, and whose runtime does."""

    def __init__(self, make: Make, **how: Any) -> None:
        self.made = asyncio.Event()
        self.made.set()
        if "programs" in how:
            self.plane = make(runtime=self.runtime, **how)
        else:
            self.plane = make(self.runtime, **how)
        self.plane.backend.standing = self.stand

    async def stand(self, sandbox: FakeSandbox) -> None:
        if sandbox.stood == math.inf:
            await self.made.wait()
            self.plane.clock.advance(MADE_S)
            sandbox.stood = self.plane.clock.monotonic()

    async def runtime(self, guest: FakeGuest) -> None:
        self.plane.clock.advance(INIT_S)
        while True:
            request_id, payload = await guest.next()
            await guest.respond(request_id, payload)

    async def invoke(self, qualifier: str | None = None) -> list[str]:
        """Invoke once; returns the log."""
        result = await self.plane.invoke(b"1", qualifier=qualifier)
        assert result.payload == b"1"
        await self.plane.settled()
        log: list[str] = await self.plane.log()
        return log


async def test_report_and_bill_hold_the_init_alone(dataplane: Make) -> None:
    log = await World(dataplane).invoke()
    assert "\tInit Duration: 250.00 ms\t" in log[-1]
    assert "\tBilled Duration: 250 ms\t" in log[-1]


async def test_the_event_of_the_init_says_the_same(dataplane: Make) -> None:
    log = await World(dataplane, function=a_function(logging=STRUCTURED)).invoke()
    events = {event["type"]: event["record"] for event in map(json.loads, log)}
    assert events["platform.initReport"]["metrics"] == {"durationMs": 250.0}
    assert events["platform.report"]["metrics"]["initDurationMs"] == 250.0


async def test_it_begins_with_the_first_extension(extended: Make) -> None:
    world = World(extended, programs={"watcher": Watcher()})
    assert "\tInit Duration: 250.00 ms\t" in (await world.invoke())[-1]


async def test_an_init_ahead_of_invocations_is_reported_without_it(dataplane: Make) -> None:
    world = World(dataplane)
    world.plane.shelf.versions["1"] = a_function(version="1")
    config = ProvisionedConfig(
        key=FUNCTION_KEY, qualifier="1", requested=1, last_modified="", revision="r"
    )
    await world.plane.resources.put(config.resource)
    world.plane.invoker.provisioned_changed(FUNCTION_KEY)
    async with asyncio.timeout(30):
        while world.plane.invoker.provisioned_states(FUNCTION_KEY)["1"].available < 1:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
    (report,) = [line for line in await world.plane.log() if "INIT_REPORT" in line]
    assert report.startswith("INIT_REPORT Init Duration: 250.00 ms\t")


async def test_what_is_initialised_instead_of_restored_is_reported_without_it(
    dataplane: Make,
) -> None:
    world = World(dataplane)
    version = a_function(version="1", echoed={"SnapStart": snapstart.member(on=True)})
    world.plane.shelf.versions["1"] = version
    world.plane.invoker.snapshots.put(version, Snapshot(-1, 1_000))
    log = await world.invoke("1")
    assert "\tInit Duration: 250.00 ms\t" in log[-1]


@pytest.mark.parametrize("names", [(), ("watcher",)])
async def test_the_limit_of_the_init_begins_then_too(
    dataplane: Make, extended: Make, names: tuple[str, ...]
) -> None:
    """Here a thousandth of a second, which the making of the sandbox makes up for."""
    if names:
        world = World(extended, programs={"watcher": Watcher()}, init_timeout_s=0.001)
    else:
        world = World(dataplane, init_timeout_s=0.001)
    world.made.clear()
    asyncio.get_running_loop().call_later(0.2, world.made.set)
    log = await world.invoke()
    assert "\tInit Duration: 250.00 ms\t" in log[-1]
