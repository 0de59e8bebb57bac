"""A host that is full: who goes, who waits, who is refused, and that all is right again later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.domain.concurrency import ProvisionedConfig, ProvisionedStatus
from lambdad.domain.errors import TooManyRequestsException
from lambdad.testing.functions import FUNCTION_KEY, a_function
from lambdad.testing.sandbox import FakeGuest

Make = Callable[..., Any]


async def echo(guest: FakeGuest) -> None:
    while True:
        request_id, payload = await guest.next()
        await guest.respond(request_id, payload)


class Gate:
    """A program that keeps its requests until it is opened."""

    def __init__(self) -> None:
        self.arrived = asyncio.Semaphore(0)
        self.open = asyncio.Event()

    async def __call__(self, guest: FakeGuest) -> None:
        while True:
            request_id, payload = await guest.next()
            self.arrived.release()
            await self.open.wait()
            await guest.respond(request_id, payload)


def report(plane: Any) -> dict[str, int]:
    found: dict[str, int] = plane.invoker.capacity.report()
    return found


def publish(plane: Any, memory_mb: int, *versions: str) -> None:
    for version in versions:
        plane.shelf.versions[version] = a_function(version=version, memory_mb=memory_mb)


async def test_the_environment_that_was_idle_longest_makes_room_for_another_version(
    dataplane: Make,
) -> None:
    # The fakes have 30 MiB each, 60 are promised to one that works.
    plane = dataplane(echo, memory_mb=100, memory_overcommit=10)
    publish(plane, 600, "1", "2", "3")
    for version in ("1", "2", "1", "3"):
        await plane.invoke(qualifier=version)
        await plane.settled()
        plane.clock.advance(1.0)
    first, second, third = plane.backend.sandboxes
    assert [each.destroyed for each in (first, second, third)] == [False, True, False]
    assert report(plane)["evictions"] == 1
    assert report(plane)["refusals"] == 0


async def test_a_full_host_answers_429_and_takes_more_when_there_is_room(dataplane: Make) -> None:
    gate = Gate()
    plane = dataplane(gate, a_function(memory_mb=600), memory_mb=125, memory_overcommit=10)
    callers = [asyncio.ensure_future(plane.invoke()) for _ in range(2)]
    for _ in callers:
        await gate.arrived.acquire()
    with pytest.raises(TooManyRequestsException) as refused:
        await plane.invoke()
    assert refused.value.members["Reason"] == "HostMemoryLimitExceeded"
    assert "120 of 125 MiB" in refused.value.message
    gate.open.set()
    await asyncio.gather(*callers)
    await plane.settled()
    publish(plane, 600, "1")
    await plane.invoke(qualifier="1")
    await plane.settled()
    assert report(plane) == {
        "budget_mb": 125,
        "used_mb": report(plane)["used_mb"],
        "environments": 3,
        "environments_max": 1_000,
        "evictions": 0,
        "spares_given_up": 0,
        "refusals": 1,
    }
    plane.invoker.capacity.measure(plane.invoker)
    assert report(plane)["used_mb"] == 90


async def test_environments_that_end_give_their_memory_back(dataplane: Make) -> None:
    plane = dataplane(echo, memory_mb=1_000)
    publish(plane, 128, "1", "2")
    await asyncio.gather(*(plane.invoke(qualifier=name) for name in ("1", "2", "1")))
    await plane.settled()
    assert report(plane)["environments"] == 3
    for version in ("1", "2"):
        plane.invoker.version_deleted(plane.shelf.versions[version])
    await plane.settled()
    assert (report(plane)["environments"], report(plane)["used_mb"]) == (0, 0)


async def test_provisioned_environments_are_not_evicted_and_say_when_there_is_no_room(
    dataplane: Make,
) -> None:
    plane = dataplane(echo, memory_mb=250, memory_overcommit=1)
    publish(plane, 100, "1")
    config = ProvisionedConfig(
        key=FUNCTION_KEY, qualifier="1", requested=3, last_modified="", revision="r"
    )
    await plane.resources.put(config.resource)
    plane.invoker.provisioned_changed(FUNCTION_KEY)
    async with asyncio.timeout(10):
        while True:
            state = plane.invoker.provisioned_states(FUNCTION_KEY)["1"]
            if state.status is ProvisionedStatus.FAILED and state.allocated == 2:
                break
            await asyncio.sleep(0)
    assert "no room for another environment" in state.reason
    with pytest.raises(TooManyRequestsException):
        await plane.invoke()
    assert report(plane)["evictions"] == 0
