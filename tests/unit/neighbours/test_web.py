"""Requests to web servers elsewhere say what they were meant to say, and nothing more."""

from __future__ import annotations

import asyncio

import pytest

from lambdad.neighbours.reach import Reach
from lambdad.neighbours.web import WebClient
from lambdad.protocol.http import HttpRequest
from lambdad.triggers.outgoing import Unreachable


def client(*, local: bool = True) -> WebClient:
    return WebClient(Reach(own_port=4566, local=local))


async def asked(request: HttpRequest, path: str = "/") -> bytes:
    """Return what a server is sent."""
    heads: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}{path}"
        assert (await client().send(request, url, timeout_s=30)).status == 204
    return heads.get_nowait()


async def test_no_value_ends_its_line() -> None:
    evil = {"x-a": "1\r\nX-Evil: 1", "x-\r\nX-Evil": "1", "x-b": "naïve ☃"}
    head = await asked(HttpRequest(method="GET", path="/", query="q=1", headers=evil), "/a?b=2")
    assert head.startswith(b"GET /a?b=2&q=1 HTTP/1.1\r\n")
    assert b"x-a: 1  X-Evil: 1\r\n" in head
    assert "☃".encode() in head
    assert head.lower().count(b"\r\nx-evil") == 0


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "http://127.0.0.1:1/"),
        ("GET", "http://127.0.0.1:1/a b"),
        ("GET", "ftp://127.0.0.1/"),
        ("GET", "http://169.254.169.254/latest/meta-data"),
        ("GET", "http://[::ffff:169.254.169.254]/"),
        ("GET", "http://127.0.0.1:99999/"),
    ],
)
async def test_what_may_not_be_asked_is_not_asked(method: str, url: str) -> None:
    with pytest.raises(Unreachable):
        await client().send(HttpRequest(method=method, path="/"), url, timeout_s=30)


async def test_this_host_is_not_asked_unless_that_is_allowed() -> None:
    with pytest.raises(Unreachable, match=r"outgoing\.local_addresses = true"):
        await client(local=False).send(
            HttpRequest(method="GET", path="/"), "http://127.0.0.1:22/", timeout_s=30
        )
