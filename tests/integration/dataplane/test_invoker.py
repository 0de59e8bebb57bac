"""What callers of the invoker get, whatever the guest does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lambdad.authz.role_credentials import LIFETIME_S, RENEWAL_S
from lambdad.domain import limits
from lambdad.domain.errors import ResourceNotFoundException, TooManyRequestsException
from lambdad.testing.functions import FUNCTION_KEY, a_function
from lambdad.testing.sandbox import FakeGuest

Make = Callable[..., Any]


async def echo(guest: FakeGuest) -> None:
    while True:
        request_id, payload = await guest.next()
        guest.print(f"got {payload.decode()}")
        await guest.respond(request_id, payload)


async def test_the_answer_of_the_handler_reaches_the_caller(dataplane: Make) -> None:
    plane = dataplane(echo)
    result = await plane.invoke(b'{"n":1}')
    assert (result.payload, result.function_error) == (b'{"n":1}', None)
    assert result.executed_version == "$LATEST"


async def test_a_warm_environment_is_used_again_and_frozen_between(dataplane: Make) -> None:
    plane = dataplane(echo)
    for _ in range(3):
        await plane.invoke()
        await plane.settled()
        plane.clock.advance(1)
    (sandbox,) = plane.backend.sandboxes
    assert sandbox.calls == ["spawn", "freeze", "thaw", "freeze", "thaw", "freeze"]


async def test_an_environment_stays_awake_between_events_that_follow_at_once(
    dataplane: Make,
) -> None:
    plane = dataplane(echo)
    for _ in range(4):
        await plane.invoke()
        await plane.settled()
    (sandbox,) = plane.backend.sandboxes
    assert sandbox.calls[:3] == ["spawn", "freeze", "thaw"]
    async with asyncio.timeout(30):
        while sandbox.calls[-1] != "freeze":  # noqa: ASYNC110 - the sandbox tells nobody
            await asyncio.sleep(0)
    plane.clock.advance(1)
    await plane.invoke()
    assert sandbox.calls[-2:] == ["freeze", "thaw"]


async def test_concurrent_requests_get_an_environment_each(dataplane: Make) -> None:
    arrived = asyncio.Semaphore(0)
    leave = asyncio.Event()

    async def wait_for_all(guest: FakeGuest) -> None:
        while True:
            request_id, payload = await guest.next()
            arrived.release()
            await leave.wait()
            await guest.respond(request_id, payload)

    plane = dataplane(wait_for_all)
    callers = [asyncio.ensure_future(plane.invoke(b"%d" % n)) for n in range(5)]
    for _ in callers:
        await arrived.acquire()
    leave.set()
    assert [r.payload for r in await asyncio.gather(*callers)] == [b"0", b"1", b"2", b"3", b"4"]
    assert len(plane.backend.sandboxes) == 5


async def test_the_account_limit_answers_429(dataplane: Make) -> None:
    arrived = asyncio.Event()

    async def never(guest: FakeGuest) -> None:
        await guest.next()
        arrived.set()
        await asyncio.Event().wait()

    plane = dataplane(never, concurrency=1)
    first = asyncio.ensure_future(plane.invoke())
    await arrived.wait()
    with pytest.raises(TooManyRequestsException) as refused:
        await plane.invoke()
    assert refused.value.members["Reason"] == "ConcurrentInvocationLimitExceeded"
    first.cancel()


async def test_a_function_grows_no_faster_than_its_rate(dataplane: Make) -> None:
    plane = dataplane(echo, scaling_rate=2)
    results = await asyncio.gather(
        plane.invoke(), plane.invoke(), plane.invoke(), return_exceptions=True
    )
    assert [type(result) is TooManyRequestsException for result in results] == [False, False, True]
    assert results[2].members["Reason"] == "ConcurrentInvocationLimitExceeded"
    await plane.settled()
    await plane.invoke()  # in an environment that is there
    await plane.settled()
    plane.clock.advance(5.0)
    await asyncio.gather(*(plane.invoke() for _ in range(3)))


async def test_requests_are_limited_and_events_are_not(dataplane: Make) -> None:
    plane = dataplane(echo, concurrency=1)
    for _ in range(10):
        await plane.invoke()
        await plane.settled()
    with pytest.raises(TooManyRequestsException) as refused:
        await plane.invoke()
    assert refused.value.members["Reason"] == "FunctionInvocationRateLimitExceeded"
    event = replace(plane.invocation(), is_event=True)
    await plane.invoker.invoke(FUNCTION_KEY, None, event)
    await plane.settled()
    plane.clock.advance(0.1)
    await plane.invoke()  # and nothing is counted of what was refused


async def test_an_unknown_function_is_not_found(dataplane: Make) -> None:
    plane = dataplane(echo)
    plane.shelf.function = None
    with pytest.raises(
        ResourceNotFoundException, match=f"Function not found: {FUNCTION_KEY.arn()}"
    ):
        await plane.invoke()


async def test_the_log_has_start_output_end_report_in_order(dataplane: Make) -> None:
    plane = dataplane(echo)
    await plane.invoke(b'"x"')
    await plane.settled()
    log = await plane.log()
    kinds = [line.split()[0] for line in log]
    assert kinds == ["INIT_START", "START", "got", "END", "REPORT"]
    assert re.fullmatch(
        r"REPORT RequestId: \S+\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: 30 MB\tInit Duration: \d+\.\d\d ms\t\n",
        log[-1],
    )


async def test_only_the_first_report_of_an_environment_has_an_init_duration(
    dataplane: Make,
) -> None:
    plane = dataplane(echo)
    for _ in range(2):
        await plane.invoke()
        await plane.settled()
    reports = [line for line in await plane.log() if line.startswith("REPORT")]
    assert ["Init Duration" in line for line in reports] == [True, False]


async def test_the_log_tail_ends_with_the_report(dataplane: Make) -> None:
    plane = dataplane(echo)
    result = await plane.invoke(b'"x"', tail=True)
    lines = result.log_tail.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["START", "got", "END", "REPORT"]


async def test_a_timeout_ends_the_invocation_and_the_process_but_not_the_sandbox(
    dataplane: Make,
) -> None:
    async def slow(guest: FakeGuest) -> None:
        await guest.next()
        await asyncio.Event().wait()

    plane = dataplane(slow, a_function(timeout_s=0.05))
    result = await plane.invoke()
    answer = json.loads(result.payload)
    assert result.function_error == "Unhandled"
    assert answer["errorType"] == "Sandbox.Timedout"
    assert answer["errorMessage"].endswith("Error: Task timed out after 0.05 seconds")
    await plane.settled()
    (sandbox,) = plane.backend.sandboxes
    assert sandbox.calls[-1] == "kill_processes"
    assert not sandbox.destroyed
    assert "Status: timeout\n" in (await plane.log())[-1]


async def test_after_a_crash_the_next_request_initialises_anew_in_the_same_sandbox(
    dataplane: Make,
) -> None:
    starts = 0

    async def crash_once(guest: FakeGuest) -> int | None:
        nonlocal starts
        starts += 1
        if starts == 1:
            await guest.next()
            return 3
        return await echo(guest)

    plane = dataplane(crash_once)
    first = await plane.invoke()
    await plane.settled()
    second = await plane.invoke(b"2")
    assert json.loads(first.payload)["errorMessage"].endswith(
        "Error: Runtime exited with error: exit status 3"
    )
    assert second.payload == b"2"
    assert len(plane.backend.sandboxes) == 1
    log = await plane.log()
    assert sum(line.startswith("INIT_START") for line in log) == 1


async def test_an_init_error_is_the_answer_and_init_runs_again_next_time(dataplane: Make) -> None:
    inits = 0
    error = {"errorMessage": "No module named 'x'", "errorType": "Runtime.ImportModuleError"}

    async def broken(guest: FakeGuest) -> int:
        nonlocal inits
        inits += 1
        await guest.call(
            "POST",
            "/2018-06-01/runtime/init/error",
            json.dumps(error).encode(),
            {"Lambda-Runtime-Function-Error-Type": "Runtime.ImportModuleError"},
        )
        return 1

    plane = dataplane(broken)
    for turn in (1, 2):
        result = await plane.invoke()
        assert json.loads(result.payload) == error
        assert result.function_error == "Unhandled"
        await plane.settled()
        assert inits == turn


async def test_an_exit_during_init_is_tried_again_within_the_invocation(dataplane: Make) -> None:
    inits = 0

    async def die(guest: FakeGuest) -> int:
        nonlocal inits
        inits += 1
        return 7

    plane = dataplane(die)
    result = await plane.invoke()
    assert json.loads(result.payload)["errorMessage"].endswith("exit status 7")
    assert inits == 2
    assert any("INIT_REPORT" in line and "Phase: init" in line for line in await plane.log())


async def test_an_init_that_never_ends_is_cut_off(dataplane: Make) -> None:
    async def hang(guest: FakeGuest) -> None:
        await asyncio.Event().wait()

    plane = dataplane(hang, a_function(timeout_s=0.05), init_timeout_s=0.05)
    result = await plane.invoke()
    assert json.loads(result.payload)["errorType"] == "Sandbox.Timedout"
    log = await plane.log()
    assert any("INIT_REPORT" in line and "Status: timeout" in line for line in log)


async def test_a_caller_that_goes_away_does_not_stop_the_function(dataplane: Make) -> None:
    finished = asyncio.Event()
    go_on = asyncio.Event()
    arrived = asyncio.Event()

    async def slow(guest: FakeGuest) -> None:
        while True:
            request_id, payload = await guest.next()
            arrived.set()
            await go_on.wait()
            await guest.respond(request_id, payload)
            finished.set()

    plane = dataplane(slow)
    caller = asyncio.ensure_future(plane.invoke())
    await arrived.wait()
    caller.cancel()
    go_on.set()
    await finished.wait()
    await plane.settled()
    assert plane.invoker.counts()["idle"] == 1


async def test_changed_code_retires_idle_environments(dataplane: Make) -> None:
    plane = dataplane(echo)
    await plane.invoke()
    await plane.settled()
    changed = a_function(memory_mb=256)
    plane.shelf.function = changed
    plane.invoker.version_changed(changed)
    await plane.invoke()
    await plane.settled()
    first, second = plane.backend.sandboxes
    assert (first.destroyed, second.spec.limits.memory_mb) == (True, 256)


async def test_a_new_revision_with_the_same_code_keeps_environments(dataplane: Make) -> None:
    plane = dataplane(echo)
    await plane.invoke()
    await plane.settled()
    function = plane.shelf.function
    assert function is not None
    plane.shelf.function = replace(function, revision_id="r2", description="new words")
    await plane.invoke()
    assert len(plane.backend.sandboxes) == 1


async def test_idle_environments_are_taken_down_after_their_time(dataplane: Make) -> None:
    plane = dataplane(echo, idle_timeout_s=600.0)
    await plane.invoke()
    await plane.settled()
    plane.clock.advance(599.0)
    plane.invoker.reap()
    assert plane.invoker.counts()["idle"] == 1
    plane.clock.advance(1.5)
    plane.invoker.reap()
    await plane.settled()
    assert plane.backend.sandboxes[0].destroyed


@pytest.mark.parametrize("reaped", [True, False])
async def test_environments_are_renewed_before_their_credentials_expire(
    dataplane: Make, reaped: bool
) -> None:
    plane = dataplane(echo, idle_timeout_s=2.0 * LIFETIME_S)
    await plane.invoke()
    await plane.settled()
    plane.clock.advance(RENEWAL_S + 1.0)
    if reaped:
        plane.invoker.reap()
    else:
        await plane.invoke()
    await plane.settled()
    assert plane.backend.sandboxes[0].destroyed
    await plane.invoke()
    assert len(plane.backend.sandboxes) == 2
    assert RENEWAL_S < LIFETIME_S - limits.TIMEOUT_S_MAX


async def test_another_role_needs_environments_of_its_own(dataplane: Make) -> None:
    plane = dataplane(echo)
    await plane.invoke()
    await plane.settled()
    changed = a_function(role="arn:aws:iam::000000000000:role/other")
    plane.shelf.function = changed
    plane.invoker.version_changed(changed)
    await plane.settled()
    assert plane.backend.sandboxes[0].destroyed


async def test_a_deleted_function_loses_its_environments(dataplane: Make) -> None:
    plane = dataplane(echo)
    await plane.invoke()
    await plane.settled()
    function = plane.shelf.function
    assert function is not None
    plane.invoker.function_deleted(function)
    await plane.settled()
    assert plane.backend.sandboxes[0].destroyed


async def test_a_forged_request_id_is_refused(dataplane: Make) -> None:
    answers: list[int] = []

    async def forge(guest: FakeGuest) -> None:
        request_id, _ = await guest.next()
        answers.append(await guest.respond("00000000-0000-4000-8000-999999999999", b'"stolen"'))
        answers.append(await guest.respond(request_id, b'"mine"'))
        answers.append(await guest.respond(request_id, b'"twice"'))
        await guest.next()

    plane = dataplane(forge)
    result = await plane.invoke(tail=True)
    assert (result.payload, answers) == (b'"mine"', [400, 202, 403])


async def test_a_response_above_the_limit_is_an_error_of_the_function(dataplane: Make) -> None:
    async def big(guest: FakeGuest) -> None:
        request_id, _ = await guest.next()
        status = await guest.respond(request_id, b"x" * (6 * 1024 * 1024 + 101))
        await guest.call(
            "POST",
            f"/2018-06-01/runtime/invocation/{request_id}/error",
            b'{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"%d"}' % status,
        )
        await guest.next()

    plane = dataplane(big)
    result = await plane.invoke()
    assert json.loads(result.payload)["errorMessage"] == (
        "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    )
    assert result.function_error == "Unhandled"
