"""The SHUTDOWN phase: who is told, in which order, and who is not waited for."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.dataplane import shutdown
from lambdad.testing.extensions import LAYER, Watcher, echo
from lambdad.testing.functions import a_function
from lambdad.testing.sandbox import FakeExtension, FakeGuest

Make = Callable[..., Any]


async def test_extensions_are_shut_down_when_their_environment_goes(extended: Make) -> None:
    watcher = Watcher()
    terminated = asyncio.Event()

    async def polite(guest: FakeGuest) -> None:
        guest.on_terminate = terminated.set
        serving = asyncio.ensure_future(echo(guest))
        await terminated.wait()
        assert watcher.kinds == ["INVOKE"]  # the runtime ends first
        serving.cancel()

    plane = extended({"watch": watcher}, polite)
    await plane.invoke()
    await plane.settled()
    plane.shelf.function = None
    plane.invoker.function_deleted(a_function())
    await plane.settled()
    assert terminated.is_set()
    assert watcher.kinds == ["INVOKE", "SHUTDOWN"]
    shut_down = watcher.seen[-1]
    assert shut_down["shutdownReason"] == "spindown"
    assert 0 < shut_down["deadlineMs"] - plane.clock.time() * 1000 <= 2000
    assert "extension ends\n" in await plane.log()
    (sandbox,) = plane.backend.sandboxes
    assert sandbox.destroyed


async def test_without_extensions_the_runtime_is_not_asked_to_end(dataplane: Make) -> None:
    guests: list[FakeGuest] = []

    async def runtime(guest: FakeGuest) -> None:
        guests.append(guest)
        await echo(guest)

    plane = dataplane(runtime)
    await plane.invoke()
    await plane.settled()
    await plane.invoker.drain(0.0)
    assert signal.SIGTERM not in guests[0].signals


async def test_an_extension_that_does_not_end_is_killed_at_the_deadline(
    extended: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "EXTERNAL_BUDGET_S", 0.1)
    told = asyncio.Event()

    async def stubborn(guest: FakeGuest) -> None:
        extension = FakeExtension(guest)
        await extension.register("SHUTDOWN")
        await extension.next()
        told.set()
        await asyncio.Event().wait()

    plane = extended({"stubborn": stubborn})
    await plane.invoke()
    await plane.settled()
    await plane.invoker.drain(0.0)
    assert told.is_set()
    assert plane.backend.sandboxes[0].destroyed


async def test_a_timeout_shuts_extensions_down_and_starts_them_anew(extended: Make) -> None:
    watchers: list[Watcher] = []

    async def watch(guest: FakeGuest) -> None:
        watchers.append(Watcher())
        await watchers[-1](guest)

    async def runtime(guest: FakeGuest) -> None:
        if len(watchers) == 1:
            await guest.next()
            await asyncio.Event().wait()
        await echo(guest)

    function = a_function(layer_packages=(LAYER,), timeout_s=0.1)
    plane = extended({"watch": watch}, runtime, function)
    result = await plane.invoke()
    assert json.loads(result.payload)["errorType"] == "Sandbox.Timedout"
    assert [e.get("shutdownReason") for e in watchers[0].seen] == [None, "timeout"]
    assert (await plane.invoke(b"2")).payload == b"2"
    await plane.settled()
    assert watchers[1].kinds == ["INVOKE"]
    assert len(plane.backend.sandboxes) == 1


async def test_a_timeout_covers_what_extensions_do_after_the_answer(extended: Make) -> None:
    watcher = Watcher()
    watcher.gate.clear()
    terminated = asyncio.Event()

    async def runtime(guest: FakeGuest) -> None:
        guest.on_terminate = terminated.set
        serving = asyncio.ensure_future(echo(guest))
        await terminated.wait()
        serving.cancel()

    function = a_function(layer_packages=(LAYER,), timeout_s=0.1)
    plane = extended({"watch": watcher}, runtime, function)
    assert (await plane.invoke(b"1")).payload == b"1"
    await terminated.wait()
    watcher.gate.set()
    await plane.settled()
    assert "Status: timeout\n" in (await plane.log())[-2]
    assert watcher.seen[-1]["shutdownReason"] == "timeout"


async def test_a_crash_of_the_runtime_shuts_extensions_down(extended: Make) -> None:
    watcher = Watcher()

    async def crash(guest: FakeGuest) -> int:
        await guest.next()
        return 3

    plane = extended({"watch": watcher}, crash)
    result = await plane.invoke()
    assert json.loads(result.payload)["errorType"] == "Runtime.ExitError"
    assert watcher.seen[-1]["shutdownReason"] == "failure"


async def test_an_internal_extension_lives_in_the_runtime(dataplane: Make) -> None:
    seen: list[Any] = []
    terminated = asyncio.Event()

    async def runtime(guest: FakeGuest) -> None:
        guest.on_terminate = terminated.set
        extension = FakeExtension(guest, "inside")
        status, answer = await extension.register("SHUTDOWN")
        seen.append((status, answer["errorType"]))
        await extension.register("INVOKE")

        async def listen() -> None:
            while True:
                seen.append((await extension.next())["eventType"])

        tasks = [asyncio.ensure_future(listen()), asyncio.ensure_future(echo(guest))]
        await terminated.wait()
        for task in tasks:
            task.cancel()

    plane = dataplane(runtime)
    for _ in range(2):
        await plane.invoke()
        await plane.settled()
    assert seen == [(403, "Extension.InvalidEventType"), "INVOKE", "INVOKE"]
    await plane.invoker.drain(0.0)
    assert terminated.is_set()
