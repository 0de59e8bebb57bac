"""S3: durable puts and gets a second at 16 connections, large objects, lists of long buckets.

A power-cut-proof put costs what the disk's flush costs, so its floor is measured too.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess

CONNECTIONS = 16
_SMALL, _LARGE = b"x" * 1_024, b"x" * (1024 * 1024)
_HEAD = (
    "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: AWS4-HMAC-SHA256 "
    "Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n"
    "Content-Length: {length}\r\n\r\n"
)


def measure(quick: bool) -> Iterator[Series]:
    """Put and get small and large objects, then list many."""
    calls = 2_000 if quick else 20_000
    with tempfile.TemporaryDirectory() as directory:
        yield Series(row="", name="fsync of 4 KiB", unit="ms", values=_flushes(Path(directory)))
        with DaemonProcess(Path(directory)) as daemon:
            yield from uvloop.run(_measure(daemon.endpoint_url, calls))


async def _measure(url: str, calls: int) -> list[Series]:
    clients = [await _Client.connect(url) for _ in range(CONNECTIONS)]
    await clients[0].call("PUT", "/bench")

    async def put(client: _Client, number: int) -> None:
        await client.call("PUT", f"/bench/small/{number:08}", _SMALL)

    async def get(client: _Client, number: int) -> None:
        assert await client.call("GET", f"/bench/small/{number:08}") == _SMALL

    async def put_large(client: _Client, number: int) -> None:
        await client.call("PUT", f"/bench/large/{number}", b"%08d" % number + _LARGE)

    async def get_large(client: _Client, number: int) -> None:
        await client.call("GET", f"/bench/large/{number}")

    found = [
        await _rate(clients, calls, "PutObject of 1 KiB, durable, 16 connections", put),
        await _rate(clients, calls, "GetObject of 1 KiB, 16 connections", get),
        await _rate(clients, calls // 20, "PutObject of 1 MiB, durable, 16 connections", put_large),
        await _rate(clients, calls // 20, "GetObject of 1 MiB, 16 connections", get_large),
    ]
    values = []
    for _ in range(50):
        before = time.perf_counter()
        await clients[0].call("GET", "/bench?list-type=2&delimiter=%2F")
        values.append((time.perf_counter() - before) * 1_000)
    title = f"ListObjectsV2 of 2 prefixes with {calls + calls // 20:,} objects"
    return [*found, Series(row="", name=title, unit="ms", values=values)]


async def _rate(
    clients: list[_Client],
    calls: int,
    name: str,
    call: Callable[[_Client, int], Awaitable[None]],
) -> Series:
    left = iter(range(calls))

    async def work(client: _Client) -> None:
        for number in left:
            await call(client, number)

    before = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(work(client))
    took_s = time.perf_counter() - before
    return Series(row="", name=name, unit="1/s", values=[calls / took_s])


class _Client:
    """One kept connection."""

    def __init__(
        self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._host, self._reader, self._writer = host, reader, writer

    @classmethod
    async def connect(cls, url: str) -> _Client:
        host = urlsplit(url)
        streams = await asyncio.open_connection(host.hostname, host.port, limit=4 * 1024 * 1024)
        return cls(host.netloc, *streams)

    async def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = _HEAD.format(method=method, path=path, host=self._host, length=len(body))
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next(int(each[15:]) for each in lines if each.startswith("content-length:"))
        answer = await self._reader.readexactly(length)
        if " 200 " not in lines[0]:
            raise RuntimeError(f"{method} {path}: {answer.decode()}")
        return answer


def _flushes(directory: Path) -> list[float]:
    values = []
    with (directory / "floor").open("wb") as file:
        for _ in range(100):
            before = time.perf_counter()
            file.write(bytes(4_096))
            file.flush()
            os.fsync(file.fileno())
            values.append((time.perf_counter() - before) * 1_000)
    return values
