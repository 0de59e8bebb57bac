"""A client that costs little: several kept connections in one event loop, each asking in turn."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httptools
import uvloop

EVENT = b'{"n": 1}'
_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


def runtime() -> str:
    """Return the runtime to measure with: BENCH_RUNTIME, or this Python's."""
    return os.environ.get("BENCH_RUNTIME", f"python3.{sys.version_info.minor}")


@dataclass(frozen=True, slots=True)
class Run:
    """What a load gave: milliseconds of each request, and seconds in all."""

    values: list[float]
    took_s: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.values) / self.took_s


def invoke_path(name: str) -> str:
    """The path of a function's invocations."""
    return f"/2015-03-31/functions/{name}/invocations"


def drive(
    url: str,
    path: str,
    *,
    connections: int,
    requests: int,
    body: bytes = EVENT,
    method: str = "POST",
) -> Run:
    """Send requests over all connections, each waiting for its answer before it asks again.

    Raises:
        RuntimeError: an answer was no success.
    """
    return uvloop.run(_drive(url, [path] * requests, connections, body, method))


def visit(url: str, paths: list[str], *, body: bytes = EVENT) -> Run:
    """Ask each path once, one after the other, over one connection."""
    return uvloop.run(_drive(url, paths, 1, body))


def visit_at_once(url: str, paths: list[str], *, body: bytes = EVENT) -> Run:
    """Ask each path once, all at the same time, each over a connection of its own."""
    return uvloop.run(_drive(url, paths, len(paths), body))


async def _drive(
    url: str, paths: list[str], connections: int, body: bytes, method: str = "POST"
) -> Run:
    host = urlsplit(url)
    loop = asyncio.get_running_loop()
    clients = [
        (
            await loop.create_connection(
                lambda: _Client(host.netloc, body, method), host.hostname, host.port
            )
        )
        for _ in range(connections)
    ]
    waiting = list(reversed(paths))
    before = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _, client in clients:
            tasks.create_task(client.work(waiting))
    took_s = time.perf_counter() - before
    for transport, _ in clients:
        transport.close()
    return Run([value for _, client in clients for value in client.values], took_s)


@dataclass(eq=False)
class _Client(asyncio.Protocol):
    """One connection. Mutable: the answer being read and the times taken so far."""

    host: str
    body: bytes
    method: str
    values: list[float] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)
        self._failure = ""

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server hung up"))

    async def work(self, waiting: list[str]) -> None:
        loop = asyncio.get_running_loop()
        while waiting:
            path = waiting.pop()
            self._answer: asyncio.Future[None] = loop.create_future()
            before = time.perf_counter()
            self._transport.write(self._request(path))
            await self._answer
            self.values.append((time.perf_counter() - before) * 1000)
            if self._failure or self._parser.get_status_code() >= 300:
                raise RuntimeError(f"{path}: {self._parser.get_status_code()} {self._failure}")
            self._parser = httptools.HttpResponseParser(self)

    def _request(self, path: str) -> bytes:
        head = (
            f"{self.method} {path} HTTP/1.1\r\nHost: {self.host}\r\n"
            f"Authorization: {_AUTHORIZATION}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"x-amz-function-error":
            self._failure = value.decode()

    def on_message_complete(self) -> None:
        self._answer.set_result(None)
