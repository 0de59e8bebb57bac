"""Environments that are initialised ahead: made, used first, replaced, moved, taken down."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.dataplane.provisioning import (
    INIT_FAILURE,
    Gate,
    Make,
    alive,
    echo,
    point,
    provision,
    publish,
    ready,
    state,
    unprovision,
    until,
)

from lambdad.authz.role_credentials import RENEWAL_S
from lambdad.domain.aliases import alias_key
from lambdad.domain.concurrency import (
    ProvisionedConfig,
    ProvisionedState,
    ProvisionedStatus,
    Reservation,
    provisioned_key,
)
from lambdad.domain.errors import HostUnfit, TooManyRequestsException
from lambdad.domain.functions import State, Status
from lambdad.testing.functions import FUNCTION_KEY, a_function
from lambdad.testing.sandbox import FakeGuest


async def test_environments_are_initialised_before_anybody_asks(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1")
    await provision(plane, "1", 3)
    assert state(plane, "1") == ProvisionedState(
        status=ProvisionedStatus.IN_PROGRESS, allocated=0, available=0
    )
    assert await ready(plane, "1") == ProvisionedState(
        status=ProvisionedStatus.READY, allocated=3, available=3
    )
    assert [sandbox.calls for sandbox in plane.backend.sandboxes] == [["spawn", "freeze"]] * 3
    assert {sandbox.limits.vcpus for sandbox in plane.backend.sandboxes} != {None}


async def test_every_init_is_reported_and_no_invocation_reports_one(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1")
    await provision(plane, "1", 1)
    await ready(plane, "1")
    await plane.invoke(qualifier="1")
    await plane.settled()
    log = await plane.log()
    kinds = [line.split()[0] for line in log]
    assert kinds == ["INIT_START", "initialised", "INIT_REPORT", "START", "END", "REPORT"]
    assert log[1] == "initialised provisioned-concurrency\n"
    assert log[2].endswith(" ms\tPhase: init\n")
    assert "Init Duration" not in log[-1]


async def test_provisioned_environments_are_used_first_and_the_rest_is_on_demand(
    dataplane: Make,
) -> None:
    gate = Gate()
    plane = dataplane(gate)
    publish(plane, "1")
    await provision(plane, "1", 2)
    await ready(plane, "1")
    callers = [asyncio.ensure_future(plane.invoke(qualifier="1")) for _ in range(3)]
    for _ in callers:
        await gate.arrived.acquire()
    gate.open.set()
    kinds = [(await caller).payload for caller in callers]
    assert kinds == [b'"provisioned-concurrency"', b'"provisioned-concurrency"', b'"on-demand"']
    await plane.settled()
    assert (await plane.invoke(qualifier="1")).payload == b'"provisioned-concurrency"'


async def test_other_versions_do_not_use_them(dataplane: Make) -> None:
    gate = Gate()
    gate.open.set()
    plane = dataplane(gate)
    publish(plane, "1")
    await provision(plane, "1", 1)
    await ready(plane, "1")
    assert (await plane.invoke()).payload == b'"on-demand"'


async def test_idle_time_does_not_take_them_down(dataplane: Make) -> None:
    plane = dataplane(echo, idle_timeout_s=600.0)
    publish(plane, "1")
    await provision(plane, "1", 2)
    await ready(plane, "1")
    plane.clock.advance(RENEWAL_S - 1.0)
    plane.invoker.reap()
    await plane.settled()
    assert plane.invoker.counts()["idle"] == 2


async def test_they_are_renewed_before_their_credentials_expire(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1")
    await provision(plane, "1", 2)
    await ready(plane, "1")
    plane.clock.advance(RENEWAL_S + 1.0)
    plane.invoker.reap()
    await ready(plane, "1")
    await plane.settled()
    assert (len(plane.backend.sandboxes), alive(plane)) == (4, 2)


async def test_one_that_dies_at_work_is_replaced(dataplane: Make) -> None:
    async def crash(guest: FakeGuest) -> int:
        await guest.next()
        return 3

    plane = dataplane(crash)
    publish(plane, "1")
    await provision(plane, "1", 2)
    await ready(plane, "1")
    assert (await plane.invoke(qualifier="1")).function_error == "Unhandled"
    await ready(plane, "1")
    await plane.settled()
    assert (len(plane.backend.sandboxes), alive(plane)) == (3, 2)


async def test_one_that_dies_idle_is_replaced_but_not_for_ever(dataplane: Make) -> None:
    async def die(guest: FakeGuest) -> int:
        asking = asyncio.ensure_future(guest.next())
        for _ in iter(lambda: plane.invoker.counts()["idle"], 1):
            await asyncio.sleep(0)
        asking.cancel()
        return 1

    plane = dataplane(die)
    publish(plane, "1")
    await provision(plane, "1", 1)
    failed = await until(plane, "1", ProvisionedStatus.FAILED)
    assert (failed.allocated, failed.reason) == (0, INIT_FAILURE)
    await plane.settled()
    assert (len(plane.backend.sandboxes), alive(plane)) == (3, 0)


async def test_code_that_cannot_initialise_fails_and_another_request_tries_again(
    dataplane: Make,
) -> None:
    broken = True

    async def program(guest: FakeGuest) -> int | None:
        return 1 if broken else await echo(guest)

    plane = dataplane(program)
    publish(plane, "1")
    await provision(plane, "1", 2)
    failed = await until(plane, "1", ProvisionedStatus.FAILED)
    assert failed == ProvisionedState(
        status=ProvisionedStatus.FAILED, allocated=0, available=0, reason=INIT_FAILURE
    )
    log = await plane.log()
    assert any("INIT_REPORT" in line and "Error Type: Runtime.ExitError" in line for line in log)
    broken = False
    await provision(plane, "1", 2)
    assert (await ready(plane, "1")).reason is None


async def test_a_host_that_cannot_make_them_says_why(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1")

    async def refuse(spec: object) -> None:
        raise HostUnfit("All 4 environments are in use.", "Raise sandbox.max_environments.")

    plane.backend.create = refuse
    await provision(plane, "1", 1)
    failed = await until(plane, "1", ProvisionedStatus.FAILED)
    assert failed.reason == "All 4 environments are in use. Raise sandbox.max_environments."


async def test_fewer_are_wanted_and_the_others_go(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1")
    await provision(plane, "1", 4)
    await ready(plane, "1")
    await provision(plane, "1", 1)
    await plane.settled()
    assert (state(plane, "1").allocated, alive(plane)) == (1, 1)
    await unprovision(plane, "1")
    await plane.settled()
    assert (alive(plane), plane.invoker.provisioned_states(FUNCTION_KEY)) == (0, {})


async def test_one_that_works_when_it_is_not_wanted_any_more_ends_its_work(
    dataplane: Make,
) -> None:
    gate = Gate()
    plane = dataplane(gate)
    publish(plane, "1")
    await provision(plane, "1", 1)
    await ready(plane, "1")
    caller = asyncio.ensure_future(plane.invoke(qualifier="1"))
    await gate.arrived.acquire()
    await unprovision(plane, "1")
    gate.open.set()
    assert (await caller).function_error is None
    await plane.settled()
    assert alive(plane) == 0


async def test_those_not_initialised_yet_go_too(dataplane: Make) -> None:
    started = asyncio.Semaphore(0)

    async def hang(guest: FakeGuest) -> None:
        started.release()
        await asyncio.Event().wait()

    plane = dataplane(hang)
    publish(plane, "1")
    await provision(plane, "1", 20)
    await started.acquire()
    await unprovision(plane, "1")
    await plane.settled()
    assert (alive(plane), plane.invoker.counts()["initialising"]) == (0, 0)
    assert not any("INIT_REPORT" in line for line in await plane.log())


async def test_allocation_moves_with_the_alias(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1", "2")
    await point(plane, "live", "1")
    await provision(plane, "live", 2)
    await ready(plane, "live")
    await point(plane, "live", "2")
    assert state(plane, "live").status is ProvisionedStatus.IN_PROGRESS
    await ready(plane, "live")
    await plane.settled()
    assert alive(plane) == 2
    fleets = {version: plane.invoker.find_fleet(FUNCTION_KEY, version) for version in "12"}
    assert [len(fleets[version].provisioned.members) for version in "12"] == [0, 2]


async def test_an_alias_of_two_versions_has_environments_of_both(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1", "2")
    await point(plane, "live", "1", v2=0.25)
    await provision(plane, "live", 4)
    assert (await ready(plane, "live")).allocated == 4
    fleets = [plane.invoker.find_fleet(FUNCTION_KEY, version) for version in "12"]
    assert [len(fleet.provisioned.members) for fleet in fleets] == [3, 1]


async def test_an_alias_that_goes_to_latest_has_none(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1")
    await point(plane, "live", "1")
    await provision(plane, "live", 1)
    await ready(plane, "live")
    await point(plane, "live", "$LATEST")
    failed = state(plane, "live")
    assert failed.status is ProvisionedStatus.FAILED
    assert failed.reason is not None
    assert "unpublished" in failed.reason
    await plane.settled()
    assert alive(plane) == 0


async def test_what_is_stored_is_made_after_a_start(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1")
    config = ProvisionedConfig(
        key=FUNCTION_KEY, qualifier="1", requested=2, last_modified="", revision="r"
    )
    await plane.resources.put(config.resource)
    await plane.resources.put(Reservation(key=FUNCTION_KEY, limit=2, revision="r").resource)
    plane.invoker.resume()
    await ready(plane, "1")
    with pytest.raises(TooManyRequestsException) as refused:
        await plane.invoke()
    reason = refused.value.members["Reason"]
    assert reason == "ReservedFunctionConcurrentInvocationLimitExceeded"


async def test_a_version_that_is_not_active_yet_is_waited_for(dataplane: Make) -> None:
    plane = dataplane(echo)
    plane.shelf.versions["1"] = a_function(version="1", status=Status(state=State.PENDING))
    await provision(plane, "1", 1)
    assert plane.backend.sandboxes == []
    publish(plane, "1")
    plane.invoker.version_changed(plane.shelf.versions["1"])
    await ready(plane, "1")


async def test_a_deleted_function_takes_them_along(dataplane: Make) -> None:
    plane = dataplane(echo)
    publish(plane, "1")
    await provision(plane, "1", 2)
    await ready(plane, "1")
    function = plane.shelf.versions.pop("1")
    await plane.resources.delete(provisioned_key(FUNCTION_KEY, "1"))
    plane.invoker.function_deleted(function)
    await plane.settled()
    assert (alive(plane), plane.invoker.find_fleet(FUNCTION_KEY, "1")) == (0, None)


async def test_shutting_down_takes_down_what_is_being_initialised(dataplane: Make) -> None:
    started = asyncio.Semaphore(0)

    async def hang(guest: FakeGuest) -> None:
        started.release()
        await asyncio.Event().wait()

    plane = dataplane(hang)
    publish(plane, "1")
    await provision(plane, "1", 2)
    for _ in range(2):
        await started.acquire()
    await plane.invoker.drain(1.0)
    assert alive(plane) == 0


async def test_provisioned_concurrency_is_there_when_the_account_is_full(dataplane: Make) -> None:
    gate = Gate()
    plane = dataplane(gate, concurrency=2)
    publish(plane, "1")
    await provision(plane, "1", 1)
    await ready(plane, "1")
    callers = [asyncio.ensure_future(plane.invoke())]
    await gate.arrived.acquire()
    with pytest.raises(TooManyRequestsException):
        await plane.invoke()
    callers.append(asyncio.ensure_future(plane.invoke(qualifier="1")))
    await gate.arrived.acquire()
    gate.open.set()
    await asyncio.gather(*callers)


async def test_a_changed_reservation_is_in_force_at_once(dataplane: Make) -> None:
    plane = dataplane(echo)
    await plane.invoke()
    plane.invoker.reservation_changed(FUNCTION_KEY, 0)
    with pytest.raises(TooManyRequestsException):
        await plane.invoke()
    plane.invoker.reservation_changed(FUNCTION_KEY, None)
    await plane.invoke()


def test_alias_and_provisioned_concurrency_have_the_same_name() -> None:
    assert alias_key(FUNCTION_KEY, "live").name == provisioned_key(FUNCTION_KEY, "live").name


async def test_code_that_hangs_holds_no_other_version_up(dataplane: Make) -> None:
    async def program(guest: FakeGuest) -> None:
        if guest.environment["AWS_LAMBDA_FUNCTION_VERSION"] == "1":
            await asyncio.Event().wait()
        await echo(guest)

    plane = dataplane(program)
    publish(plane, "1", "2")
    await provision(plane, "1", 50)
    await provision(plane, "2", 2)
    await ready(plane, "2")
    assert state(plane, "1").status is ProvisionedStatus.IN_PROGRESS
    assert len(plane.backend.sandboxes) == 4 + 2
