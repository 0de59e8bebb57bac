"""Extensions in INIT and INVOKE: what they are told, and what waits for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.testing.extensions import LAYER, Watcher, echo
from lambdad.testing.functions import FUNCTION_KEY, a_function
from lambdad.testing.sandbox import FakeExtension, FakeGuest

Make = Callable[..., Any]


async def test_an_extension_is_told_of_the_function_and_of_every_invocation(extended: Make) -> None:
    watcher = Watcher()
    plane = extended({"watch": watcher})
    assert (await plane.invoke(b"1")).payload == b"1"
    await plane.settled()
    assert (await plane.invoke(b"2")).payload == b"2"
    await plane.settled()
    expected = {"functionName": "f", "functionVersion": "$LATEST", "handler": "app.handler"}
    assert watcher.registration == (200, expected)
    assert watcher.kinds == ["INVOKE", "INVOKE"]
    event = watcher.seen[0]
    assert event["requestId"].endswith("-000000000001")
    assert event["invokedFunctionArn"] == FUNCTION_KEY.arn()
    assert event["tracing"]["type"] == "X-Amzn-Trace-Id"
    assert event["tracing"]["value"].startswith("Root=1-")
    assert event["deadlineMs"] == int((plane.clock.time() + 3) * 1000)


async def test_an_extension_gets_the_variables_of_the_runtime_but_for_its_own(
    extended: Make,
) -> None:
    watcher = Watcher()
    seen: dict[str, str] = {}

    async def runtime(guest: FakeGuest) -> None:
        seen.update(guest.environment)
        await echo(guest)

    await extended({"watch": watcher}, runtime).invoke()
    missing = {name for name in seen if name not in watcher.environment}
    assert {name for name in missing if not name.startswith("_")} == {
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
    assert not [name for name in watcher.environment if name.startswith("_")]
    assert watcher.environment.items() <= seen.items()


async def test_the_runtime_starts_when_every_extension_has_registered(extended: Make) -> None:
    order: list[str] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(guest: FakeGuest) -> None:
        order.append("extension")
        begun.set()
        await go_on.wait()
        order.append("registers")
        extension = FakeExtension(guest)
        await extension.register()
        await extension.next()

    async def runtime(guest: FakeGuest) -> None:
        order.append("runtime")
        await echo(guest)

    plane = extended({"slow": slow}, runtime)
    caller = asyncio.ensure_future(plane.invoke())
    await begun.wait()
    go_on.set()
    await caller
    assert order == ["extension", "registers", "runtime"]


async def test_the_caller_is_answered_before_extensions_are_done_and_they_are_billed(
    extended: Make,
) -> None:
    watcher = Watcher()
    watcher.gate.clear()
    plane = extended({"watch": watcher})
    assert (await plane.invoke(b"1")).payload == b"1"
    (sandbox,) = plane.backend.sandboxes
    assert plane.invoker.counts()["busy"] == 1
    assert not sandbox.frozen
    plane.clock.advance(1.5)
    watcher.gate.set()
    await plane.settled()
    assert sandbox.frozen
    report = (await plane.log())[-1]
    assert "\tDuration: 1500.00 ms\t" in report


async def test_an_extension_without_events_holds_nobody_up(extended: Make) -> None:
    async def silent(guest: FakeGuest) -> None:
        extension = FakeExtension(guest)
        await extension.register()
        await extension.next()

    plane = extended({"silent": silent})
    for _ in range(2):
        await plane.invoke()
        await plane.settled()
    assert plane.invoker.counts()["idle"] == 1
    assert "EXTENSION\tName: silent\tState: Ready\tEvents: []\n" in await plane.log()


async def test_the_log_names_the_extension_and_has_its_output(extended: Make) -> None:
    plane = extended({"watch": Watcher()})
    await plane.invoke(b'"x"')
    await plane.settled()
    log = await plane.log()
    assert [line.split()[0] for line in log] == [
        "INIT_START",
        "extension",
        "EXTENSION",
        "START",
        "got",
        "END",
        "REPORT",
    ]
    assert log[2] == "EXTENSION\tName: watch\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\n"


async def test_an_extension_that_ends_fails_the_invocation(extended: Make) -> None:
    async def fragile(guest: FakeGuest) -> int:
        extension = FakeExtension(guest)
        await extension.register("INVOKE")
        await extension.next()
        return 5

    async def runtime(guest: FakeGuest) -> None:
        await guest.next()
        await asyncio.Event().wait()

    plane = extended({"fragile": fragile}, runtime)
    result = await plane.invoke(tail=True)
    answer = json.loads(result.payload)
    assert result.function_error == "Unhandled"
    assert answer["errorType"] == "Extension.Crash"
    assert answer["errorMessage"].endswith("Error: exit status 5")
    assert "Status: error\tError Type: Extension.Crash\n" in result.log_tail.decode()


async def test_an_extension_may_say_that_it_cannot_go_on(extended: Make) -> None:
    answered = asyncio.Event()

    async def honest(guest: FakeGuest) -> None:
        extension = FakeExtension(guest)
        await extension.register("INVOKE")
        await extension.next()
        await answered.wait()
        assert await extension.report("exit", "Extension.NoDisk") == 202
        await asyncio.Event().wait()

    async def runtime(guest: FakeGuest) -> None:
        request_id, _ = await guest.next()
        await guest.respond(request_id, b'"done"')
        answered.set()
        await guest.next()

    plane = extended({"honest": honest}, runtime)
    # AWS: it fails what has been answered, too; who waits for the log learns of it.
    result = await plane.invoke(tail=True)
    assert json.loads(result.payload)["errorType"] == "Extension.ExitError"


@pytest.mark.parametrize("how", ["crash", "init error"])
async def test_an_extension_that_fails_in_its_init_is_tried_again(extended: Make, how: str) -> None:
    inits = 0

    async def broken(guest: FakeGuest) -> int:
        nonlocal inits
        inits += 1
        extension = FakeExtension(guest)
        if how == "init error":
            await extension.register()
            await extension.report("init", "Extension.NoConfig")
        return 1

    plane = extended({"broken": broken})
    result = await plane.invoke()
    error_type = "Extension.Crash" if how == "crash" else "Extension.InitError"
    assert json.loads(result.payload)["errorType"] == error_type
    assert inits == 2
    reports = [line for line in await plane.log() if line.startswith("INIT_REPORT")]
    assert [f"Error Type: {error_type}" in line for line in reports] == [True]


async def test_an_extension_that_never_asks_for_events_holds_the_init_until_its_limit(
    extended: Make,
) -> None:
    async def lazy(guest: FakeGuest) -> None:
        await FakeExtension(guest).register()
        await asyncio.Event().wait()

    function = a_function(layer_packages=(LAYER,), timeout_s=0.05)
    plane = extended({"lazy": lazy}, function=function, init_timeout_s=0.05)
    result = await plane.invoke()
    assert json.loads(result.payload)["errorType"] == "Sandbox.Timedout"
    assert "EXTENSION\tName: lazy\tState: Registered\tEvents: []\n" in await plane.log()


async def test_a_file_that_cannot_be_executed_is_a_launch_error(extended: Make) -> None:
    plane = extended({"text": Watcher()}, mode=0o644)
    answer = json.loads((await plane.invoke()).payload)
    assert answer["errorType"] == "Extension.LaunchError"
    assert answer["errorMessage"].endswith("fork/exec /opt/extensions/text: permission denied")


async def test_more_than_ten_extensions_are_refused(extended: Make) -> None:
    plane = extended({f"e{n:02}": Watcher() for n in range(11)})
    answer = json.loads((await plane.invoke()).payload)
    assert answer["errorType"] == "Extension.LaunchError"
    assert answer["errorMessage"].endswith("Extension limit (10) reached")


async def test_ten_extensions_run_side_by_side(extended: Make) -> None:
    watchers = {f"e{n}": Watcher() for n in range(10)}
    plane = extended(dict(watchers))
    assert (await plane.invoke(b"1")).payload == b"1"
    await plane.settled()
    assert all(watcher.kinds == ["INVOKE"] for watcher in watchers.values())


async def test_nobody_gets_an_environment_whose_extension_ended_while_it_was_idle(
    extended: Make,
) -> None:
    leave = asyncio.Event()
    starts = 0

    async def leaving(guest: FakeGuest) -> None:
        nonlocal starts
        starts += 1
        extension = FakeExtension(guest)
        await extension.register()
        waiting = asyncio.ensure_future(extension.next())
        if starts == 1:
            await leave.wait()
            waiting.cancel()
        else:
            await waiting

    plane = extended({"leaving": leaving, "watch": Watcher("SHUTDOWN")})
    await plane.invoke()
    await plane.settled()
    leave.set()
    while plane.invoker.counts()["idle"]:  # noqa: ASYNC110 - it is told to nobody
        await asyncio.sleep(0)
    assert (await plane.invoke(b"2")).payload == b"2"
    assert len(plane.backend.sandboxes) == 2
