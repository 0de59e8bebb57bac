"""One kept connection to a service that speaks JSON, and the rate that many of them reach."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from benchmarks.series import Series

_HEAD = (
    "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-amz-json-1.1\r\n"
    "X-Amz-Target: {target}.{operation}\r\nAuthorization: AWS4-HMAC-SHA256 "
    "Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    "\r\nContent-Length: {length}\r\n\r\n"
)


class JsonClient:
    """Calls operations, one after the other."""

    def __init__(
        self,
        host: str,
        names: tuple[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._host, self._names, self._reader, self._writer = host, names, reader, writer

    @classmethod
    async def connect(cls, url: str, *, service: str, target: str) -> JsonClient:
        """Connect; `service` as in a signature's scope, `target` as before the operation."""
        host = urlsplit(url)
        streams = await asyncio.open_connection(host.hostname, host.port)
        return cls(host.netloc, (service, target), *streams)

    async def call(self, operation: str, **params: object) -> dict[str, Any]:
        """Return the answer of an operation.

        Raises:
            RuntimeError: it is an error.
        """
        body = json.dumps(params).encode()
        service, target = self._names
        head = _HEAD.format(
            host=self._host,
            service=service,
            target=target,
            operation=operation,
            length=len(body),
        )
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next(int(each[15:]) for each in lines if each.startswith("content-length:"))
        answer = await self._reader.readexactly(length)
        if " 200 " not in lines[0]:
            raise RuntimeError(f"{operation}: {answer.decode()}")
        document: dict[str, Any] = json.loads(answer or b"{}")
        return document


async def rate(
    clients: Sequence[JsonClient],
    calls: int,
    name: str,
    call: Callable[[JsonClient], Awaitable[None]],
    *,
    each: int = 1,
) -> Series:
    """Return how many calls a second all clients make together, times `each`."""
    left = iter(range(calls))

    async def work(client: JsonClient) -> None:
        for _ in left:
            await call(client)

    before = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(work(client))
    took_s = time.perf_counter() - before
    return Series(row="", name=name, unit="1/s", values=[calls * each / took_s])
