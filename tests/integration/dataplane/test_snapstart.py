"""Restored environments on fake sandboxes: what becomes of a restore that does not come off.

That processes do go on with snapshots, real ones show. Here it is only said that they did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.dataplane import restored_environment
from lambdad.dataplane.snapstart.image import RestoreOutcome, Snapshot
from lambdad.domain import snapstart
from lambdad.domain.errors import SnapStartException, SnapStartTimeoutException
from lambdad.testing.functions import a_function
from lambdad.testing.sandbox import FakeGuest

Make = Callable[..., Any]

VERSION = a_function(version="1", echoed={"SnapStart": snapstart.member(on=True)}, timeout_s=3)


class Said:
    """Takes the place of a `Restore`: the process has said so much of it. Class attributes rule."""

    outcome_: RestoreOutcome

    def __init__(self, snapshot: Snapshot) -> None:
        del snapshot

    def decline(self, reason: str) -> None:
        """The fake sandbox has no process that waits."""

    def outcome(self) -> RestoreOutcome:
        return self.outcome_

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes say that they were restored, and took a while for their hooks."""
    monkeypatch.setattr(Said, "outcome_", RestoreOutcome(True, hooks_s=0.2), raising=False)
    monkeypatch.setattr(restored_environment, "Restore", Said)


async def echo(guest: FakeGuest) -> None:
    while True:
        request_id, payload = await guest.next()
        await guest.respond(request_id, payload)


def a_plane(dataplane: Make, program: Callable[[FakeGuest], Any]) -> Any:
    plane = dataplane(program)
    plane.shelf.versions["1"] = VERSION
    plane.invoker.snapshots.put(VERSION, Snapshot(-1, 1_000))
    return plane


async def test_a_restore_is_reported_and_billed_for_its_hooks(
    dataplane: Make, restored: None
) -> None:
    del restored
    plane = a_plane(dataplane, echo)
    assert (await plane.invoke(b"1", qualifier="1")).payload == b"1"
    await plane.settled()
    start, report, *_, last = await plane.log()
    assert start.startswith("RESTORE_START Runtime Version: python:3.12\t")
    assert report.startswith("RESTORE_REPORT Restore Duration: ")
    assert "\tBilled Restore Duration: 200 ms\t" in last
    assert "Init Duration" not in last


async def test_what_was_initialised_instead_serves_and_the_snapshot_is_given_up(
    dataplane: Make,
) -> None:
    plane = a_plane(dataplane, echo)
    assert (await plane.invoke(b"1", qualifier="1")).payload == b"1"
    await plane.settled()
    log = await plane.log()
    assert log[1].endswith("\tStatus: error\tError Type: Sandbox.Failure\n")
    assert "\tInit Duration: " in log[-1]
    assert plane.invoker.snapshots.size_bytes == 0


async def test_hooks_that_take_too_long_end_the_restore(
    dataplane: Make, restored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del restored
    monkeypatch.setattr(restored_environment, "RESTORE_TIMEOUT_S", 0.05)

    async def never(guest: FakeGuest) -> None:
        del guest
        await asyncio.Event().wait()

    plane = a_plane(dataplane, never)
    with pytest.raises(SnapStartTimeoutException):
        await plane.invoke(qualifier="1")
    await plane.settled()
    assert (await plane.log())[-1].endswith("\tStatus: timeout\n")
    assert plane.invoker.counts()["idle"] == 0
    assert plane.invoker.snapshots.size_bytes == 1_000


async def test_an_init_in_the_place_of_a_restore_has_its_own_time(
    dataplane: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restored_environment, "RESTORE_TIMEOUT_S", 0.01)

    async def slow(guest: FakeGuest) -> None:
        await asyncio.sleep(0.1)  # an init, longer than a restore may take
        await echo(guest)

    plane = a_plane(dataplane, slow)
    assert (await plane.invoke(b"1", qualifier="1")).payload == b"1"


async def test_a_process_that_ends_in_a_hook_refuses_the_invocation(
    dataplane: Make, restored: None
) -> None:
    del restored

    async def leave(guest: FakeGuest) -> int:
        del guest
        return 3

    plane = a_plane(dataplane, leave)
    with pytest.raises(SnapStartException):
        await plane.invoke(qualifier="1")
    await plane.settled()
    assert "Error Type: Runtime.ExitError" in (await plane.log())[-1]


async def test_the_snapshot_that_was_used_longest_ago_makes_room(dataplane: Make) -> None:
    snapshots = dataplane(echo).invoker.snapshots
    snapshots.bytes_max = 2_500
    for number in "12":
        snapshots.put(a_function(version=number, echoed=VERSION.echoed), Snapshot(-1, 1_000))
    kinds = [type(snapshots.environment(VERSION))]
    snapshots.put(a_function(version="3", echoed=VERSION.echoed), Snapshot(-1, 1_000))
    assert snapshots.report() == {"kept": 2, "bytes": 2_000, "making": 0}
    kinds.append(type(snapshots.environment(VERSION)))
    assert kinds == [restored_environment.RestoredEnvironment] * 2
    snapshots.forget(VERSION.key, "3")
    assert snapshots.report()["kept"] == 1
    snapshots.forget(VERSION.key)
    assert snapshots.size_bytes == 0


@pytest.mark.parametrize(("reasons", "hopeless"), [("xxx", True), ("xx-x", False)])
async def test_what_is_of_no_use_time_and_again_is_not_made_again(
    dataplane: Make, reasons: str, *, hopeless: bool
) -> None:
    snapshots = dataplane(echo).invoker.snapshots
    for reason in reasons:
        snapshots.put(VERSION, Snapshot(-1, 1_000))
        environment = snapshots.environment(VERSION)
        assert isinstance(environment, restored_environment.RestoredEnvironment)
        environment._used(reason.strip("-"))
    assert ((VERSION.key, VERSION.version) in snapshots._hopeless) is hopeless
    snapshots.forget(VERSION.key)
    assert not snapshots._hopeless
    assert not snapshots._failures
