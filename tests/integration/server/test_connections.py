"""The endpoint's connections: what a client sees, however it behaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial

import pytest

from lambdad.domain import limits
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.http1 import BadHttp
from lambdad.server.budgets import Budget
from lambdad.server.connections import ClientConnection
from lambdad.server.doors import Door, Reply

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class House:
    """A door with an echo behind it."""

    def __init__(self, tasks: asyncio.TaskGroup, *, quick: bool) -> None:
        self._tasks = tasks
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.closed = asyncio.Event()
        self.produced = 0
        self.handled = asyncio.Event()
        self.door = Door(
            self._handle,
            self._refuse,
            lambda work: tasks.create_task(work) and None,
            connections_max=4,
            budgets=[Budget(1024 * 1024)],
        )
        if quick:
            self.door.quick = self._handle_quickly
        self.port = 0

    def _handle_quickly(self, request: HttpRequest, reply: Reply) -> bool:
        """Answer by a call what is not answered in pieces: bytes where the gate is open."""
        if request.path == "/pieces":
            return False

        async def later() -> None:
            reply(await self._handle(request))

        if self.gate.is_set():
            self.entered.set()
            self.handled.set()
            head = f"HTTP/1.1 200 OK\r\nX-Path: {request.path}\r\n"
            reply(f"{head}Content-Length: {len(request.body)}\r\n\r\n".encode() + request.body)
        else:
            self._tasks.create_task(later())
        return True

    async def _handle(self, request: HttpRequest) -> HttpResponse:
        self.entered.set()
        await self.gate.wait()
        self.handled.set()
        if request.path == "/pieces":
            return HttpResponse(status=200, pieces=self._pieces(int(request.query or "3")))
        return HttpResponse(status=200, headers={"X-Path": request.path}, body=request.body)

    @staticmethod
    def _refuse(bad: BadHttp, method: str, path: str) -> HttpResponse:
        return HttpResponse(status=bad.status, body=f"{method} {path}".encode())

    async def _pieces(self, count: int) -> AsyncGenerator[bytes, None]:
        try:
            for n in range(count):
                self.produced = n + 1
                yield b"%d" % n * 10_000
        finally:
            self.closed.set()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture(params=["by a task", "by a call"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with asyncio.TaskGroup() as tasks:
        house = House(tasks, quick=request.param == "by a call")
        loop = asyncio.get_running_loop()
        server = await loop.create_server(partial(ClientConnection, house.door), "127.0.0.1", 0)
        house.port = server.sockets[0].getsockname()[1]
        yield house
        house.gate.set()
        server.close()
        house.door.abort()
        await asyncio.sleep(0)


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Status line and body of the next response."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length")
    )
    return head.split(b"\r\n")[0], await reader.readexactly(length)


async def test_a_connection_serves_many_requests(house: House) -> None:
    reader, writer = await house.connect()
    for n in (b"1", b"22"):
        writer.write(b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(n) + n)
        assert await answer(reader) == (b"HTTP/1.1 200 OK", n)
    writer.close()


async def test_pipelined_requests_are_answered_in_order(house: House) -> None:
    reader, writer = await house.connect()
    one = b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n"
    writer.write(one + b"1" + one + b"2" + one + b"3")
    assert [(await answer(reader))[1] for _ in range(3)] == [b"1", b"2", b"3"]
    writer.close()


async def test_requests_before_garbage_are_answered_first(house: House) -> None:
    reader, writer = await house.connect()
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n1" + b"POST / HTTP/9.9\r\n\r\n")
    assert (await answer(reader))[1] == b"1"
    assert (await answer(reader))[0].startswith(b"HTTP/1.1 505")
    writer.close()


async def test_a_body_above_the_limit_is_answered_although_it_is_still_being_sent(
    house: House,
) -> None:
    reader, writer = await house.connect()
    size = limits.INVOKE_REQUEST_BYTES_MAX + 8 * 1024 * 1024
    head = b"POST /f/invocations HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size
    writer.write(head)
    for _ in range(size // 65536):
        writer.write(bytes(65536))
        await writer.drain()
    status, body = await answer(reader)
    assert status.startswith(b"HTTP/1.1 413")
    assert body == b"POST /f/invocations"
    writer.close()


async def test_more_unfinished_bytes_than_the_door_may_hold_close_the_connection(
    house: House,
) -> None:
    reader, writer = await house.connect()
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n" + bytes(2_000_000))
    with pytest.raises(ConnectionError):
        await reader.read()
    assert (house.door.budgets[0].used, len(house.door.connections)) == (0, 0)
    writer.close()


async def test_a_client_that_leaves_does_not_stop_what_it_asked_for(house: House) -> None:
    house.gate.clear()
    _, writer = await house.connect()
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await writer.drain()
    await house.entered.wait()
    writer.transport.abort()
    house.gate.set()
    await house.handled.wait()


async def test_connections_are_counted(house: House) -> None:
    opened = [await house.connect() for _ in range(4)]
    for reader, writer in opened:
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await answer(reader)
    reader, writer = await house.connect()
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    for _, other in (*opened, (reader, writer)):
        other.close()


async def test_closing_waits_for_the_answer_in_hand(house: House) -> None:
    house.gate.clear()
    reader, writer = await house.connect()
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
    await house.entered.wait()
    house.door.close_idle()
    house.gate.set()
    assert (await answer(reader))[1] == b"x"
    assert await reader.read() == b""
    writer.close()


async def test_a_client_that_expects_it_is_told_to_continue(house: House) -> None:
    reader, writer = await house.connect()
    writer.write(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ok")
    assert (await answer(reader))[1] == b"ok"
    writer.close()


async def test_a_body_in_pieces_is_chunked_and_the_connection_goes_on(house: House) -> None:
    reader, writer = await house.connect()
    writer.write(b"GET /pieces HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    assert body == b"0" * 10_000 + b"1" * 10_000 + b"2" * 10_000
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
    assert (await answer(reader))[1] == b"x"
    writer.close()


async def test_a_slow_reader_holds_the_pieces_back(house: House) -> None:
    """Memory stays bounded: what is not taken is not made."""
    reader, writer = await house.connect()
    writer.write(b"GET /pieces?100000 HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    for _ in range(10_000):  # turns of the loop: far more than it takes to fill every buffer
        await asyncio.sleep(0)
    assert house.produced < 2_000
    writer.transport.abort()
    await house.closed.wait()


async def test_a_client_that_sends_nothing_more_is_answered_then_left(house: House) -> None:
    house.gate.clear()
    reader, writer = await house.connect()
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
    await house.entered.wait()
    writer.write_eof()
    for _ in range(100):  # turns of the loop: the end has been seen before the answer is due
        await asyncio.sleep(0)
    house.gate.set()
    assert (await answer(reader))[1] == b"x"
    assert await reader.read() == b""
    writer.close()


async def test_what_comes_before_its_turn_waits_and_is_counted(house: House) -> None:
    house.gate.clear()
    reader, writer = await house.connect()
    budget = house.door.budgets[0]
    writer.write(b"POST /1 HTTP/1.1\r\nContent-Length: 1\r\n\r\nx")
    await house.entered.wait()
    writer.write(b"PUT /2 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    for _ in range(100):
        await asyncio.sleep(0)
    house.gate.set()
    assert (await answer(reader))[1] == b"x"
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"y")
    assert (await answer(reader))[1] == b"y"
    assert budget.used == 0
    writer.close()
