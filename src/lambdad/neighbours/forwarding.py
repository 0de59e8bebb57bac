"""A request handed on to another HTTP server, and its answer as it comes.

Decides framing and what must not be passed on; a connection serves one request. Bodies of answers
that are long, or of unknown length, are passed on piece by piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import httptools

from lambdad.domain.errors import PlatformError
from lambdad.protocol.http import HttpRequest, HttpResponse

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]

_READ = 64 * 1024
_WHOLE_MAX = 1024 * 1024
_HEAD_TIMEOUT_S = 300.0
# Of one connection, not of the message.
_HOP = {
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
}


class ForwardingFailed(PlatformError):
    """The other server cannot be reached, or its answer broke off."""


async def forward(
    request: HttpRequest, connect: Connect, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Send a request and return the answer; `headers` are set beside the request's own.

    Raises:
        ForwardingFailed: there was no answer.
    """
    try:
        reader, writer = await connect()
    except OSError as error:
        raise ForwardingFailed(f"it cannot be connected to: {error}") from error
    answer = _Answer(reader, writer)
    try:
        writer.write(_encode(request, headers or {}))
        async with asyncio.timeout(_HEAD_TIMEOUT_S):
            await writer.drain()
            await answer.read_head(head_only=request.method == "HEAD")
            return await answer.response()
    except (OSError, TimeoutError, httptools.HttpParserError) as error:
        answer.close()
        raise ForwardingFailed(f"its answer broke off: {error!r}") from error
    except BaseException:
        answer.close()
        raise


def _encode(request: HttpRequest, extra: Mapping[str, str]) -> bytes:
    target = f"{request.path}?{request.query}" if request.query else request.path
    lines = [f"{request.method} {target} HTTP/1.1"]
    given = {name: value for name, value in request.headers.items() if name not in _HOP}
    given |= {name.lower(): value for name, value in extra.items()}
    given["content-length"] = str(len(request.body))
    given["connection"] = "close"
    lines += [f"{name}: {value}" for name, value in given.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + request.body


class _Answer:
    """An answer being read. Mutable: what has come of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._cookies: list[str] = []
        self._pieces: list[bytes] = []
        self._length: int | None = None
        self._chunked = False
        self._head_done = False
        self._done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the answer."""
        text = name.decode("latin-1")
        if text.lower() == "set-cookie":
            self._cookies.append(value.decode("latin-1"))
        elif text.lower() not in _HOP:
            self._headers[text] = value.decode("latin-1")
        elif text.lower() == "content-length":
            self._length = int(value)
        elif text.lower() == "transfer-encoding":
            self._chunked = True

    def on_headers_complete(self) -> None:
        """The head is whole; an interim one says nothing."""
        self._head_done = self._parser.get_status_code() >= 200

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._done = self._parser.get_status_code() >= 200

    async def read_head(self, *, head_only: bool) -> None:
        while not self._head_done:
            await self._read()
        if head_only:
            self._done = True

    async def response(self) -> HttpResponse:
        status = self._parser.get_status_code()
        short = self._length is not None and self._length <= _WHOLE_MAX
        while short and not self._done:
            await self._read()
        cookies = tuple(self._cookies)
        if self._done:
            self.close()
            return HttpResponse(
                status=status,
                headers=self._headers,
                body=b"".join(self._pieces),
                cookies=cookies,
            )
        return HttpResponse(
            status=status, headers=self._headers, cookies=cookies, pieces=self._rest()
        )

    async def _rest(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                pieces, self._pieces = self._pieces, []
                for piece in pieces:
                    yield piece
                if self._done:
                    return
                await self._read()
        except (OSError, httptools.HttpParserError) as error:
            raise ForwardingFailed(f"its answer broke off: {error}") from error
        finally:
            self.close()

    async def _read(self) -> None:
        data = await self._reader.read(_READ)
        if not data:
            if self._head_done and self._length is None and not self._chunked:
                self._done = True  # a body that ends with its connection
                return
            raise ConnectionError("the connection was closed")
        self._parser.feed_data(data)

    def close(self) -> None:
        self._writer.close()
