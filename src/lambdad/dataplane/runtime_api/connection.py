"""One TCP connection of a guest to the Runtime API: bytes in, bytes out.

The guest may send anything at any pace: heads and bodies are bounded, connections are counted,
and nothing is read while an answer waits to be taken.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from lambdad.dataplane.runtime_api.session import RuntimeSession
from lambdad.domain import limits
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.http1 import BadHttp, Http1Limits, RequestParser, encode_response

# Room above the response limit, so that a runtime client that sends a little too much reads
# its 413 instead of a reset connection.
_LIMITS = Http1Limits(
    head_bytes=64 * 1024, body_bytes=limits.INVOKE_RESPONSE_BYTES_MAX + 10 * 1024 * 1024
)
_CONNECTIONS_MAX = 32


class RuntimeApiServer:
    """The Runtime API of one environment, on the listener inside its sandbox.

    Mutable: the current session (one per runtime process) and the open connections.
    """

    def __init__(self, listener: socket.socket, session: Callable[[], RuntimeSession]) -> None:
        self._listener = listener
        self._session = session
        self._server: asyncio.Server | None = None
        self._connections: set[RuntimeConnection] = set()
        self._closed = False

    async def open(self) -> None:
        """Begin to serve."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: RuntimeConnection(self, self._session()), sock=self._listener
        )

    def admit(self, connection: RuntimeConnection) -> bool:
        """Count a new connection in; False when there are too many, or when it came too late."""
        if self._closed or len(self._connections) >= _CONNECTIONS_MAX:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: RuntimeConnection) -> None:
        """The connection has ended."""
        self._connections.discard(connection)

    def disconnect(self) -> None:
        """Drop every connection: their runtime process is gone."""
        for connection in tuple(self._connections):
            connection.abort()

    def close(self) -> None:
        """Stop serving and free the listener; may be called twice."""
        self._closed = True
        self.disconnect()
        if self._server is not None:
            self._server.close()
            self._server = None
        else:
            self._listener.close()


class RuntimeConnection(asyncio.Protocol):
    """Feeds requests of one connection to the session it was opened for."""

    def __init__(self, server: RuntimeApiServer, session: RuntimeSession) -> None:
        self._server = server
        self._session = session
        self._parser = RequestParser(_LIMITS)
        self._transport: asyncio.Transport | None = None
        self._queue: list[HttpRequest] = []
        self._answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept, unless the guest has opened too many."""
        if not self._server.admit(self):
            cast("asyncio.Transport", transport).abort()
            return
        # TCP servers give these; uvloop's are no subclass.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=limits.INVOKE_REQUEST_BYTES_MAX + 65536)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was parked."""
        self._transport = None
        self._server.forget(self)
        self._session.forget(self._reply)

    def pause_writing(self) -> None:
        """The guest does not read its answers: do not read its requests either."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Parse and serve, one request at a time."""
        try:
            requests = self._parser.feed(data)
        except BadHttp as bad:
            self._queue.extend(bad.requests)
            self._serve()
            self._refuse(bad)
            return
        if self._parser.wants_continue and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._queue.extend(requests)
        self._serve()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _serve(self) -> None:
        while self._queue and not self._answering and self._transport is not None:
            self._answering = True
            self._session.handle(self._queue.pop(0), self._reply)

    def _reply(self, response: HttpResponse) -> None:
        if self._transport is None:
            return
        keep_alive = bool(self._queue) or self._parser.keep_alive
        self._transport.write(encode_response(response, keep_alive=keep_alive))
        self._answering = False
        if self._queue:
            self._serve()
        elif not keep_alive:
            self._transport.close()

    def _refuse(self, bad: BadHttp) -> None:
        if self._transport is None:
            return
        if bad.status == 413:
            self._session.response_too_large()
        refusal = HttpResponse(
            status=bad.status, headers={"Content-Type": "text/plain"}, body=bad.reason.encode()
        )
        self._transport.write(encode_response(refusal, keep_alive=False))
        self._transport.close()
