"""Telemetry on its way to listeners: when it is sent, when it waits, and when it is lost."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lambdad.dataplane.telemetry_api.stream import TelemetryStream
from lambdad.dataplane.telemetry_api.subscription import Api
from lambdad.observability import platform_events
from lambdad.testing.clock import FakeClock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSAL = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
GENEROUS_S = 20.0


class Listener:
    """A subscriber's server.

    Attributes:
        answers: what it says, one after the other, then always 200; None closes the connection.
        gate: while it is not set, requests are not read.
        batches: what it was sent, by request.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.gate = asyncio.Event()
        self.gate.set()
        self.batches: list[list[Any]] = []
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._arrived = asyncio.Condition()
        self._served: set[asyncio.Task[Any]] = set()
        self._exhausted = asyncio.Event()

    async def open(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._served:
            task.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    async def exhausted(self) -> None:
        """Wait until every answer has been given."""
        async with asyncio.timeout(GENEROUS_S):
            await self._exhausted.wait()

    @property
    def types(self) -> list[str]:
        return [record["type"] for batch in self.batches for record in batch]

    async def batch(self, number: int) -> list[Any]:
        """Wait for a request."""
        async with asyncio.timeout(GENEROUS_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.batches) > number)
        return self.batches[number]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._served.add(task)
        try:
            while True:
                await self.gate.wait()
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(size)
                answer = self.answers.pop(0) if self.answers else OK
                if not self.answers:
                    self._exhausted.set()
                if answer is None:
                    return
                writer.write(answer)
                if answer == OK:
                    async with self._arrived:
                        self.batches.append(json.loads(body))
                        self._arrived.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


async def connect(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    except OSError:
        connection.close()
        raise
    return connection


class World:
    """A stream with what a test needs around it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tasks: set[asyncio.Task[None]] = set()
        self.subscribed: list[tuple[str, str, tuple[str, ...]]] = []
        self.stream = TelemetryStream(
            self.clock,
            connect,
            lambda work: self.tasks.add(asyncio.ensure_future(work)),
            lambda *what: self.subscribed.append(what),
        )

    def subscribe(self, port: int, *, timeout_ms: int = 25, name: str = "watch") -> Any:
        document = {
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function"],
            "buffering": {"timeoutMs": timeout_ms},
            "destination": {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}"},
        }
        answer = self.stream.subscribe(Api.TELEMETRY, name, json.dumps(document).encode())
        return answer.status, json.loads(answer.body)

    def happens(self, request_id: str = "r") -> None:
        self.stream.platform(platform_events.start(request_id, "1"), self.clock.now())

    def prints(self, text: str) -> None:
        self.stream.printed("function", text, self.clock.now(), structured=False)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.stream.close()
    async with asyncio.timeout(GENEROUS_S):
        await asyncio.gather(*world.tasks)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    await listener.open()
    yield listener
    await listener.close()


async def test_what_happened_before_the_subscription_is_told(
    world: World, listener: Listener
) -> None:
    world.happens("before")
    assert world.subscribe(listener.port) == (200, "OK")
    assert world.subscribed == [("telemetry", "watch", ("platform", "function"))]
    world.happens("behind")
    told = await listener.batch(0)
    assert [record["record"]["requestId"] for record in told] == ["before", "behind"]


async def test_nothing_is_sent_while_the_environment_is_frozen(
    world: World, listener: Listener
) -> None:
    world.subscribe(listener.port)
    world.stream.pause()
    world.happens("frozen")
    # Another subscriber's records come round meanwhile.
    other = Listener()
    await other.open()
    awake = World()
    awake.subscribe(other.port, timeout_ms=100)
    awake.happens()
    await other.batch(0)
    assert listener.batches == []
    world.stream.resume()
    assert [record["record"]["requestId"] for record in await listener.batch(0)] == ["frozen"]
    awake.stream.close()
    await asyncio.gather(*awake.tasks)
    await other.close()


async def test_records_wait_for_a_listener(world: World) -> None:
    late = Listener()
    await late.open()
    port = late.port
    await late.close()
    world.subscribe(port)
    world.happens("early")
    await asyncio.sleep(0)
    late = Listener()
    await late.open(port)
    assert [record["record"]["requestId"] for record in await late.batch(0)] == ["early"]
    await late.close()


async def test_a_refused_batch_is_sent_again(world: World, listener: Listener) -> None:
    listener.answers = [REFUSAL, None, b"garbage\r\n\r\n", REFUSAL]
    world.subscribe(listener.port)
    world.happens("again")
    assert [record["record"]["requestId"] for record in await listener.batch(0)] == ["again"]


async def test_a_batch_that_is_always_refused_is_lost_and_told(
    world: World, listener: Listener
) -> None:
    listener.answers = [REFUSAL] * 5
    world.subscribe(listener.port)
    world.prints("lost\n")
    await listener.exhausted()
    world.happens("next")
    told = await listener.batch(0)
    assert [record["type"] for record in told] == ["platform.start", "platform.logsDropped"]
    assert told[1]["record"]["droppedRecords"] == 1


async def test_a_connection_is_kept_and_made_anew_when_it_ended(
    world: World, listener: Listener
) -> None:
    world.subscribe(listener.port)
    for number in range(2):
        world.happens()
        await listener.batch(number)
    assert listener.connections == 1
    listener.answers = [None]
    world.happens()
    await listener.batch(2)
    assert listener.connections == 2


async def test_the_end_does_not_wait_for_batches_to_be_due(
    world: World, listener: Listener
) -> None:
    world.subscribe(listener.port, timeout_ms=30_000)
    world.happens()
    world.stream.pause()
    async with asyncio.timeout(GENEROUS_S):
        await world.stream.flush()
    assert listener.types == ["platform.start"]
    world.happens()
    await listener.batch(1)


async def test_a_consumer_that_falls_behind_loses_what_it_is_told_of(
    world: World, listener: Listener
) -> None:
    listener.gate.clear()
    world.subscribe(listener.port)
    for number in range(5000):
        world.prints(f"{number:0999d}\n")
        if number % 500 == 0:
            await asyncio.sleep(0)
    listener.gate.set()
    async with asyncio.timeout(GENEROUS_S):
        await world.stream.flush()
    assert listener.types.count("platform.logsDropped") == 1
    records = [record for batch in listener.batches for record in batch]
    [dropped] = [r["record"] for r in records if r["type"] == "platform.logsDropped"]
    lines = [int(r["record"]) for r in records if r["type"] == "function"]
    assert lines == sorted(lines)
    assert len(lines) + dropped["droppedRecords"] == 5000
    assert max(len(json.dumps(batch)) for batch in listener.batches) < 2 * 262_144


async def test_whoever_subscribes_again_changes_its_subscription(
    world: World, listener: Listener
) -> None:
    world.subscribe(1)
    world.subscribe(listener.port)
    world.happens()
    assert [record["type"] for record in await listener.batch(0)] == ["platform.start"]


async def test_nobody_subscribes_when_the_init_is_over(world: World, listener: Listener) -> None:
    world.stream.close_subscription()
    assert world.stream.idle
    status, refusal = world.subscribe(listener.port)
    assert (status, refusal["errorType"]) == (403, "Telemetry.SubscriptionClosed")


async def test_the_end_does_not_wait_for_whoever_never_answers(
    world: World, listener: Listener
) -> None:
    listener.gate.clear()
    world.subscribe(listener.port)
    world.happens()
    flushing = asyncio.ensure_future(world.stream.flush())
    await asyncio.sleep(0)
    world.stream.close()
    async with asyncio.timeout(GENEROUS_S):
        await flushing
        await asyncio.gather(*world.tasks)
    listener.gate.set()
