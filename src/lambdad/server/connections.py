"""HTTP/1.1 connections of clients: bytes to requests, responses to bytes.

What a request means is the handler's business. Clients may be functions in a sandbox, so every
door bounds connections, heads, bodies and the bytes it holds in all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import cast

from lambdad.domain import limits
from lambdad.domain.errors import LambdadError
from lambdad.protocol.http import PEER, HttpRequest, HttpResponse, Upgrade
from lambdad.protocol.http1 import BadHttp, Http1Limits, RequestParser, encode_response
from lambdad.protocol.http1_responses import LAST_CHUNK, closing, encode_chunk
from lambdad.server.budgets import Holding
from lambdad.server.doors import Door
from lambdad.server.object_uploads import SMALL_BYTES
from lambdad.storage.uploads import Spool

# Clients send a body whole before they read the answer. So much more than the limit is read
# and thrown away, so that they see the 413 and not a reset connection.
_LINGER_BYTES = 256 * 1024 * 1024
_LINGER_S = 10.0
_INVOKE_SLACK_BYTES = 1024 * 1024

_FUNCTIONS = "/2015-03-31/functions/"
_UPLOAD_BYTES_MAX = 5 * 1024 * 1024 * 1024
_NO_DISK = BadHttp(507, "The body cannot be stored: see the log, and free space on the disk.")
_NO_HEADER = BadHttp(502, "The answer has a header that cannot be sent.")
_LOGGER = logging.getLogger(__name__)

_DEFAULT_LIMITS = Http1Limits(
    head_bytes=limits.REQUEST_HEAD_BYTES_MAX,
    body_bytes=limits.CREATE_FUNCTION_REQUEST_BYTES_MAX,
    whole_bytes=SMALL_BYTES,
)
_INVOKE_LIMITS = Http1Limits(
    head_bytes=limits.REQUEST_HEAD_BYTES_MAX,
    body_bytes=limits.INVOKE_REQUEST_BYTES_MAX + _INVOKE_SLACK_BYTES,
)


class ClientConnection(asyncio.Protocol):
    """One connection. Requests on it are served one after the other.

    What comes while one is served is left unread, but for what was on its way.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._parser = RequestParser(_DEFAULT_LIMITS, on_head=self._limits_for)
        self._transport: asyncio.Transport | None = None
        self._queue: list[tuple[HttpRequest, Spool | None]] = []
        self._spools: list[Spool | None] = []  # of the requests that have begun
        self._refusal: BadHttp | None = None
        self._busy = self._paused = self._stalled = self._ended = False
        self._early = b""
        self._closing = False
        self._lingering = False
        self._holding = Holding(door.budgets)
        self._head = ("", "")
        self._writable = asyncio.Event()
        self._writable.set()
        self._clogged = False
        self._when_gone: Callable[[], None] | None = None
        self._upgrade: Upgrade | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept, unless there are too many."""
        if len(self._door.connections) >= self._door.connections_max:
            cast("asyncio.Transport", transport).abort()
            return
        # TCP servers give these; uvloop's are no subclass.
        self._transport = cast("asyncio.Transport", transport)
        self._door.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """What runs goes on; its answer has nobody to go to."""
        self._transport = None
        if self._upgrade is not None:
            self._upgrade.connection_lost()
        self._clogged = False
        self._writable.set()
        self._door.connections.discard(self)
        self._parser.discard()
        self._holding.drop()
        self._holding.forget(self)
        if not self._busy:
            self._holding.release()
        if self._when_gone is not None:
            self._when_gone()
        for spool in self._spools:
            if spool is not None:
                spool.discard()

    def when_gone(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See `protocol.http.Peer`."""
        if self._transport is None or self._ended:
            self.abort()
            callback()
            return lambda: None
        self._when_gone = callback
        return partial(setattr, self, "_when_gone", None)

    def data_received(self, data: bytes) -> None:
        """Parse, and serve what is whole."""
        if self._upgrade is not None:
            self._upgrade.data_received(data)
        elif self._busy:
            self._holding.receive(len(data))
            self._early += data
            self._pause()
        elif self._lingering:
            self._holding.receive(len(data))
            if self._holding.received > _LINGER_BYTES:
                self.abort()
        elif (request := self._parser.whole(data)) is not None:
            self._holding.receive_whole(len(data))
            self._busy = True
            quick = self._door.quick
            if quick is None or self._closing or not quick(request, self._reply):
                self._door.spawn_task(self._answer(request, None))
        else:
            self._holding.receive(len(data))
            self._parse(data)

    def eof_received(self) -> bool:
        """The client sends nothing more; it may still wait for its answer."""
        self._ended = True
        return self._busy and self._when_gone is None

    def _parse(self, data: bytes) -> None:
        try:
            requests = self._parser.feed(data)
        except BadHttp as bad:
            requests, self._refusal = bad.requests, bad
        if requests or self._refusal is not None:
            self._holding.hold()
            for each in requests:
                self._queue.append((each, self._spools.pop(0)))
            self._serve_next()
        elif self._spools and (spool := self._spools[-1]) is not None:
            self._spooling(spool)
        elif self._over_budget():
            return
        elif self._parser.wants_continue and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _spooling(self, spool: Spool) -> None:
        """What came is not in memory for long: read at the pace of the disk."""
        self._holding.drop()
        if self._transport is None:
            return
        if self._parser.wants_continue:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if spool.behind:
            spool.on_room = self.read_on
            self._pause()

    def finish(self) -> None:
        """Close when the request in hand has been answered."""
        self._closing = True
        if self._upgrade is not None:
            self._upgrade.finish()
        elif not self._busy and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def read_on(self) -> None:
        """There is room again."""
        if self._transport is not None and not self._busy:
            self._resume()

    def _pause(self) -> None:
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _over_budget(self) -> bool:
        """Wait for room where that can help, else give up what has come."""
        budget = self._holding.exceeded()
        if budget is None:
            return False
        if self._transport is None or not budget.wait_helps:
            self.abort()
        else:
            self._pause()
            budget.waiting.add(self)
        return True

    def _limits_for(self, method: str, path: str, headers: Mapping[str, str]) -> Http1Limits | None:
        self._head = (method, path)
        if method == "POST" and path.startswith(_FUNCTIONS):  # no upload
            self._spools.append(None)
            return _INVOKE_LIMITS if path.endswith("/invocations") else None
        receive = self._door.receive
        spool = receive(method, path, headers) if receive is not None else None
        self._spools.append(spool)
        if spool is not None:
            return replace(_DEFAULT_LIMITS, body_bytes=_UPLOAD_BYTES_MAX, sink=spool.take)
        return _INVOKE_LIMITS if path.endswith("/invocations") else None

    def _serve_next(self) -> None:
        if self._busy or self._transport is None:
            return
        if self._queue:
            request, spool = self._queue.pop(0)
            self._busy = True
            if spool is not None or not self._quick(request):
                self._door.spawn_task(self._answer(request, spool))
        elif self._refusal is not None:
            self._holding.release()
            self._refuse(self._refusal)

    def _quick(self, request: HttpRequest) -> bool:
        """Have a request answered by a call; whether it will be.

        Only one that the connection outlives and that no other waits for behind it.
        """
        quick = self._door.quick
        alone = self._parser.keep_alive and not self._queue and self._refusal is None
        return alone and quick is not None and not self._closing and quick(request, self._reply)

    def _reply(self, response: HttpResponse | bytes) -> None:
        """Send an answer that nobody awaited."""
        self._holding.release()
        if not isinstance(response, bytes):
            response = encode_response(response, keep_alive=not self._closing)
        elif self._closing:
            response = closing(response)
        if self._transport is not None:
            self._transport.write(response)
        self._busy = self._stalled = self._clogged
        # Nothing is queued and nothing refused: see `_serve_next`.
        if not self._busy and (self._early or self._paused or self._ended or self._closing):
            self._proceed()

    def _proceed(self) -> None:
        """An answer is sent: close, or go on with what has come meanwhile, or read on."""
        if self._transport is None:
            return
        if self._closing:
            self._transport.close()
            return
        self._serve_next()
        if self._early and not self._busy and not self._lingering:
            data, self._early = self._early, b""
            self._holding.receive(-len(data))
            self.data_received(data)
        if self._busy:
            return
        if self._ended:
            self._transport.close()
        else:
            self._resume()

    async def _answer(self, request: HttpRequest, spool: Spool | None) -> None:
        PEER.set(self)
        try:
            if spool is None:
                await self._serve(request)
            else:
                await self._serve_upload(request, spool)
        finally:
            if not self._busy or self._transport is None:
                self._holding.release()

    async def _serve_upload(self, request: HttpRequest, spool: Spool) -> None:
        try:
            upload = await spool.finish()
        except OSError:
            _LOGGER.exception("%s %s could not be stored", request.method, request.path[:256])
            self._busy = False
            self._holding.release()
            self._refuse(_NO_DISK)
            return
        try:
            await self._serve(replace(request, upload=upload))
        finally:
            upload.discard()

    async def _serve(self, request: HttpRequest) -> None:
        response = await self._door.handler(request)
        if response.upgrade is not None:
            self._hand_over(response, response.upgrade)
            return
        if not self._queue or self._transport is None:
            self._holding.release()
        last = not self._queue and not self._parser.keep_alive
        keep_alive = not last and not self._closing
        head_only = request.method == "HEAD"
        whole = await self._send(response, keep_alive=keep_alive, head_only=head_only)
        self._busy = False
        if self._transport is None:
            return
        if not whole:
            self._transport.abort()
        elif not keep_alive:
            self._transport.close()
        else:
            self._proceed()

    def _hand_over(self, response: HttpResponse, upgrade: Upgrade) -> None:
        """Let another protocol speak from here on; a peer that did so already is no such peer."""
        self._busy = False
        self._holding.release()
        transport = self._transport
        early = bool(self._queue or self._early) or self._refusal is not None
        if transport is None or early or not self._parser.idle or self._closing or self._ended:
            upgrade.connection_lost()
            self.abort()
            return
        transport.write(encode_response(response, keep_alive=True))
        self._upgrade = upgrade
        upgrade.begin(transport, self._hold_for)
        self._resume()

    def _hold_for(self, held: int) -> None:
        """Count what another protocol holds of its peer; one that makes it too much is left."""
        more = held - self._holding.received
        self._holding.receive(more)
        if more > 0 and self._holding.exceeded() is not None:
            self.abort()

    async def _send(self, response: HttpResponse, *, keep_alive: bool, head_only: bool) -> bool:
        """Send a response; False when its body broke off, which only a closed connection says."""
        try:
            head = encode_response(response, keep_alive=keep_alive, head_only=head_only)
        except ValueError:
            # A header that is none: whoever waits must be told, not left.
            if response.pieces is not None:
                await response.pieces.aclose()
            response = self._door.refuse(_NO_HEADER, *self._head)
            head = encode_response(response, keep_alive=keep_alive)
        if self._transport is not None:
            self._transport.write(head)
        if response.pieces is None:
            await self._writable.wait()  # answers that nobody reads must not pile up
            return True
        async with aclosing(response.pieces) as pieces:
            try:
                async for piece in pieces:
                    await self._writable.wait()
                    if self._transport is None:
                        return False
                    whole = response.length is not None
                    self._transport.write(piece if whole else encode_chunk(piece))
            except LambdadError:
                return False
        if self._transport is not None and response.length is None:
            self._transport.write(LAST_CHUNK)
        return True

    def pause_writing(self) -> None:
        """The client takes its answer slowly: the next piece waits."""
        self._clogged = True
        self._writable.clear()
        if self._upgrade is not None:
            self._upgrade.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._clogged = False
        self._writable.set()
        if self._stalled:
            self._busy = self._stalled = False
            self._proceed()
        if self._upgrade is not None:
            self._upgrade.resume_writing()

    def _refuse(self, bad: BadHttp) -> None:
        if self._transport is None or self._lingering:
            return
        response = self._door.refuse(bad, *self._head)
        self._transport.write(encode_response(response, keep_alive=False))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._resume()
        self._lingering = True
        asyncio.get_running_loop().call_later(_LINGER_S, self.abort)
