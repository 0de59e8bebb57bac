"""Answers that cannot be sent: whoever waits is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.http1 import BadHttp
from lambdad.server.budgets import Budget
from lambdad.server.connections import ClientConnection
from lambdad.server.doors import Door


async def test_a_header_that_is_none_becomes_an_error_and_not_silence() -> None:
    async def handler(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=200, headers={"not a name": "x"})

    def refuse(bad: BadHttp, method: str, path: str) -> HttpResponse:
        return HttpResponse(status=bad.status, body=bad.reason.encode())

    async with asyncio.TaskGroup() as tasks:

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            tasks.create_task(work)

        door = Door(handler, refuse, spawn, connections_max=5, budgets=[Budget(1_000_000)])
        server = await asyncio.get_running_loop().create_server(
            partial(ClientConnection, door), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 502")
            await reader.readuntil(b"cannot be sent.")
        writer.close()
        server.close()
        door.abort()
