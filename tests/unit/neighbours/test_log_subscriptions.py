"""Subscriptions go on where they were left, and try again what failed."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.controlplane.log_filters import LogFilters
from lambdad.domain.errors import PlatformError
from lambdad.domain.logs import LogGroupKey, LogSegment
from lambdad.neighbours.delivery.clients import AwsCalls
from lambdad.neighbours.pushing import EventSource, PushRefused
from lambdad.neighbours.subscriptions.destinations import Destinations
from lambdad.neighbours.subscriptions.shipping import Shipping
from lambdad.storage.base import Engine
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

KEY = LogGroupKey(account_id="000000000000", region="us-east-1", name="g")
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
DOCUMENT = {
    "logGroupName": "g",
    "filterName": "f",
    "filterPattern": "ERROR",
    "destinationArn": ARN,
}


class Function:
    """Takes events, unless it is in trouble."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.trouble: list[Exception] = []

    def check(self, function_arn: str, source: EventSource) -> None:
        assert source.arn == "arn:aws:logs:us-east-1:000000000000:log-group:g:*"

    async def push(self, function_arn: str, payload: bytes, source: Any, **_: Any) -> str:
        if self.trouble:
            raise self.trouble.pop()
        data = base64.b64decode(json.loads(payload)["awslogs"]["data"])
        for each in json.loads(gzip.decompress(data))["logEvents"]:
            self.messages.put_nowait(each["message"])
        return "id"


class World:
    """A store, and subscriptions that come and go over it."""

    def __init__(self, store: Engine) -> None:
        self.store = store
        self.function = Function()
        self._clock = FakeClock()
        self._tasks: list[asyncio.Task[None]] = []

    def shipping(self) -> Shipping:
        calls = AwsCalls("http://127.0.0.1:1", lambda _: ("k", "s"), "logs")
        destinations = Destinations(self.function, calls, self._clock)
        return Shipping(
            self.store.logs,
            LogFilters(self.store.resources),
            destinations,
            self._clock,
            lambda work: self._tasks.append(asyncio.create_task(work)),
        )

    async def log(self, *messages: str, at_ms: int = 1_000) -> None:
        segment = LogSegment("s", [at_ms] * len(messages), list(messages))
        await self.store.logs.append([(KEY, [segment])])

    async def got(self) -> str:
        async with asyncio.timeout(30):
            return await self.function.messages.get()

    async def ended(self) -> None:
        await asyncio.gather(*self._tasks)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = engine("memory")(tmp_path, FakeClock())
    await store.open()
    yield World(store)
    await store.close()


async def test_what_was_logged_while_nobody_sent_is_sent_later(world: World) -> None:
    first = world.shipping()
    first.start()
    await world.log("ERROR before")
    await first.put(KEY, DOCUMENT)
    await world.log("ERROR 1", "INFO")
    assert await world.got() == "ERROR 1"
    first.stop()
    await world.ended()
    await world.log("ERROR 2", at_ms=5)
    second = world.shipping()
    second.start()
    assert await world.got() == "ERROR 2"
    await world.log("ERROR 3", at_ms=1)
    assert await world.got() == "ERROR 3"
    second.stop()
    await world.ended()
    assert world.function.messages.empty()


async def test_trouble_is_waited_out_and_refusals_are_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdad.neighbours.subscriptions.shipping._RETRY_S", (0.0, 0.0))
    shipping = world.shipping()
    shipping.start()
    await shipping.put(KEY, DOCUMENT)
    world.function.trouble = [PlatformError("full"), PlatformError("full")]
    await world.log("ERROR 1")
    assert await world.got() == "ERROR 1"
    world.function.trouble = [PushRefused("EVENT_TOO_LARGE", "no")]
    await world.log("ERROR 2")
    while world.function.trouble:  # noqa: ASYNC110 - until it has been tried
        await asyncio.sleep(0)
    await world.log("ERROR 3")
    assert await world.got() == "ERROR 3"
    shipping.stop()
    await world.ended()
