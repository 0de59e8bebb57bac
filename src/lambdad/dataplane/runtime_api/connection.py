"""One TCP connection of a guest to the Runtime API: bytes in, bytes out.

The guest may send anything at any pace: heads and bodies are bounded, connections are counted,
and nothing is read while an answer waits to be taken.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast

from lambdad.dataplane.container_credentials import PATH
from lambdad.dataplane.guest_apis import GuestApis
from lambdad.domain import limits
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.http1 import BadHttp, Http1Limits, RequestParser, encode_response

# Room above the response limit, so that a runtime client that sends a little too much reads
# its 413 instead of a reset connection.
_LIMITS = Http1Limits(
    head_bytes=64 * 1024, body_bytes=limits.INVOKE_RESPONSE_BYTES_MAX + 10 * 1024 * 1024
)
_CONNECTIONS_MAX = 32
# Of unfinished requests of all connections of one environment: one answer of the largest size,
# and others of the usual size.
_BUFFERED_MAX = 24 * 1024 * 1024


class RuntimeApiServer:
    """The Runtime API of one environment, on the listener inside its sandbox.

    Mutable: the current session (one per runtime process), the open connections, and the bytes
    of unfinished requests that they hold.
    """

    def __init__(self, listener: socket.socket, session: Callable[[], GuestApis]) -> None:
        self._listener = listener
        self._session = session
        self._server: asyncio.Server | None = None
        self._connections: set[RuntimeConnection] = set()
        self._closed = False
        self._buffered = 0

    async def open(self) -> None:
        """Begin to serve."""
        loop = asyncio.get_running_loop()
        # Known before it serves: it may be closed meanwhile.
        self._server = await loop.create_server(
            lambda: RuntimeConnection(self, self._session()),
            sock=self._listener,
            start_serving=False,
        )
        await self._server.start_serving()

    def admit(self, connection: RuntimeConnection) -> bool:
        """Count a new connection in; False when there are too many, or when it came too late."""
        if self._closed or len(self._connections) >= _CONNECTIONS_MAX:
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: RuntimeConnection) -> None:
        """The connection has ended."""
        self._connections.discard(connection)

    def account(self, received: int) -> bool:
        """Count bytes of unfinished requests; False when there are too many."""
        self._buffered += received
        return self._buffered <= _BUFFERED_MAX

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

    def __init__(self, server: RuntimeApiServer, session: GuestApis) -> None:
        self._server = server
        self._session = session
        self._parser = RequestParser(_LIMITS, on_head=self._begin)
        self._transport: asyncio.Transport | None = None
        self._queue: deque[HttpRequest] = deque()
        self._answering = self._serving = self._clogged = self._held_back = self._last = False
        self._held = 0

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
        self._parser.discard()
        self._account()
        self._server.forget(self)
        self._session.forget(self._reply)

    def pause_writing(self) -> None:
        """The guest does not read its answers: do not read its requests either."""
        self._clogged = True
        self._steer()

    def resume_writing(self) -> None:
        """It reads again."""
        self._clogged = False
        self._steer()

    def data_received(self, data: bytes) -> None:
        """Parse and serve, one request at a time."""
        try:
            requests = self._parser.feed(data)
        except BadHttp as bad:
            self._queue.extend(bad.requests)
            self._serve()
            self._refuse(bad)
            return
        if not self._account():
            self.abort()
            return
        if self._parser.wants_continue and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._queue.extend(requests)
        self._serve()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Read nothing more of a streamed response until :meth:`resume`."""
        self._held_back = True
        self._steer()

    def resume(self) -> None:
        """Read on."""
        self._held_back = False
        self._steer()

    def _begin(self, method: str, path: str, headers: Mapping[str, str]) -> Http1Limits | None:
        # Behind an unanswered request nothing is streamed: its turn has not come.
        if method != "POST" or self._answering or self._queue:
            return None
        sink = self._session.open_stream(path, headers, self._reply, self)
        if sink is None:
            return None
        return Http1Limits(
            head_bytes=_LIMITS.head_bytes,
            body_bytes=limits.STREAMED_RESPONSE_BYTES_MAX,
            sink=sink,
        )

    def _account(self) -> bool:
        """Count what is held of an unfinished request; False when there is too much."""
        before, self._held = self._held, self._parser.buffered
        return self._server.account(self._held - before)

    def _serve(self) -> None:
        # An answer may be given at once, within `handle`: no recursion, however many there are.
        if self._serving:
            return
        self._serving = True
        while self._queue and not self._answering and self._transport is not None:
            self._answering = True
            request = self._queue.popleft()
            # A snapshot holds no connection, and clients keep the one by which they asked.
            self._last = request.path == PATH
            self._session.handle(request, self._reply)
        self._serving = False
        self._steer()

    def _reply(self, response: HttpResponse) -> None:
        if self._transport is None:
            return
        keep_alive = (bool(self._queue) or self._parser.keep_alive) and not self._last
        self._transport.write(encode_response(response, keep_alive=keep_alive))
        self._answering = False
        if not keep_alive:
            self._transport.close()
        elif self._queue:
            self._serve()

    def _steer(self) -> None:
        """Read while guest and caller take their answers, and nothing waits for its turn."""
        if self._transport is None:
            return
        if self._clogged or self._held_back or self._queue:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

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
