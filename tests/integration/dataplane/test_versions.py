"""Versions and aliases where code runs, and updates that are not done yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lambdad.domain.aliases import Alias, to_resource
from lambdad.domain.functions import Function, State, Status, UpdateStatus
from lambdad.testing.functions import FUNCTION_KEY, a_function
from lambdad.testing.sandbox import FakeGuest

Make = Callable[..., Any]

IN_PROGRESS = Status(state=State.ACTIVE, last_update=UpdateStatus.IN_PROGRESS)


async def echo(guest: FakeGuest) -> None:
    while True:
        request_id, payload = await guest.next()
        await guest.respond(request_id, payload)


def memory_of(plane: Any) -> list[int]:
    """MiB of the sandboxes made so far."""
    return [sandbox.spec.limits.memory_mb for sandbox in plane.backend.sandboxes]


def updating(old: Function, **changes: Any) -> Function:
    return a_function(status=IN_PROGRESS, in_service=old, revision_id="r2", **changes)


async def test_versions_have_environments_of_their_own(dataplane: Make) -> None:
    plane = dataplane(echo, a_function(memory_mb=128))
    plane.shelf.versions["1"] = a_function(version="1", memory_mb=256)
    plane.shelf.versions["2"] = a_function(version="2", memory_mb=512)
    for qualifier in (None, "1", "2", "$LATEST", "1", "2"):
        result = await plane.invoke(qualifier=qualifier)
        assert result.executed_version == (qualifier or "$LATEST")
        await plane.settled()
    assert memory_of(plane) == [128, 256, 512]
    starts = [line for line in await plane.log() if line.startswith("START")]
    # Those of a stream are together.
    versions = [line.split("Version: ")[1].strip() for line in starts]
    assert versions == ["$LATEST", "$LATEST", "1", "1", "2", "2"]


async def test_an_alias_runs_the_version_it_points_to_and_shares_its_environments(
    dataplane: Make,
) -> None:
    plane = dataplane(echo)
    plane.shelf.versions["1"] = a_function(version="1")
    plane.shelf.versions["2"] = a_function(version="2")
    for version in ("1", "2", "1"):
        alias = Alias(function=FUNCTION_KEY, name="live", version=version)
        await plane.resources.put(to_resource(alias))
        assert (await plane.invoke(qualifier="live")).executed_version == version
        await plane.settled()
        assert (await plane.invoke(qualifier=version)).executed_version == version
        await plane.settled()
    assert len(plane.backend.sandboxes) == 2


async def test_old_code_serves_in_new_environments_too_while_an_update_is_in_progress(
    dataplane: Make,
) -> None:
    old = a_function(memory_mb=128)
    plane = dataplane(echo, updating(old, memory_mb=512))
    await plane.invoke()
    await plane.settled()
    assert memory_of(plane) == [128]


async def test_environments_of_old_code_retire_when_the_update_is_done(dataplane: Make) -> None:
    old = a_function(memory_mb=128)
    plane = dataplane(echo, old)
    await plane.invoke()
    await plane.settled()
    plane.shelf.function = updating(old, memory_mb=512)
    plane.invoker.version_changed(plane.shelf.function)
    await plane.invoke()
    await plane.settled()
    assert memory_of(plane) == [128], "the warm environment serves on"
    plane.shelf.function = a_function(memory_mb=512, revision_id="r3")
    plane.invoker.version_changed(plane.shelf.function)
    await plane.settled()
    assert plane.invoker.counts()["idle"] == 0
    await plane.invoke()
    await plane.settled()
    assert memory_of(plane) == [128, 512]


async def test_work_in_flight_finishes_on_old_code(dataplane: Make) -> None:
    arrived, leave = asyncio.Event(), asyncio.Event()

    async def patient(guest: FakeGuest) -> None:
        while True:
            request_id, payload = await guest.next()
            arrived.set()
            await leave.wait()
            await guest.respond(request_id, payload)

    plane = dataplane(patient, a_function(memory_mb=128))
    running = asyncio.ensure_future(plane.invoke(b'"old"'))
    await arrived.wait()
    plane.shelf.function = a_function(memory_mb=512, revision_id="r2")
    plane.invoker.version_changed(plane.shelf.function)
    leave.set()
    assert (await running).payload == b'"old"'
    await plane.settled()
    assert plane.invoker.counts()["idle"] == 0
    await plane.invoke()
    await plane.settled()
    assert memory_of(plane) == [128, 512]


async def test_environments_of_a_deleted_version_go(dataplane: Make) -> None:
    plane = dataplane(echo)
    for version in ("1", "2"):
        plane.shelf.versions[version] = a_function(version=version)
        await plane.invoke(qualifier=version)
        await plane.settled()
    gone = plane.shelf.versions.pop("1")
    plane.invoker.version_deleted(gone)
    await plane.settled()
    assert plane.invoker.counts()["idle"] == 1
