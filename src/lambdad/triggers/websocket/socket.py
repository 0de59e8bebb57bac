"""One WebSocket on a connection that HTTP handed over: bytes in, messages out, and back.

Decides how large messages may be, how fast they come in, and when a peer is given up. Refuses to
know what messages mean.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

_LOGGER = logging.getLogger(__name__)
_LOGGER.setLevel(logging.WARNING)  # that connections end is nothing to be told of

FRAME_MAX = 32 * 1024
MESSAGE_MAX = 128 * 1024
GOING_AWAY = 1001
# SECURITY: what a peer who floods us may cost. A slice of its bytes is parsed at a time, so many
# frames a second, and no more is read while so many of its messages are being answered, or while
# it does not read what it is sent.
_SLICE = 4 * 1024
_FRAMES_A_SECOND = 1_000
_RUNNING_MAX = 4
_UNREAD_MAX = 512 * 1024
_FAREWELL_S = 10.0


class BufferFull(Exception):
    """The peer does not read; nothing more is kept for it."""


class Peer(Protocol):
    """Who is told of what comes in."""

    def opened(self) -> None:
        """Messages can be sent from now on."""
        ...

    def heard(self) -> None:
        """The peer lives: there was a frame."""
        ...

    def message(self, text: str, done: Callable[[], None]) -> None:
        """A message came; `done` is to be called once it is answered."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """The connection is over; called once."""
        ...


class Socket:
    """See `lambdad.protocol.http.Upgrade`. Mutable: what was read and not yet answered."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._protocol = ServerProtocol(
            state=State.OPEN, max_size=(MESSAGE_MAX, FRAME_MAX), logger=_LOGGER
        )
        self._transport: asyncio.Transport | None = None
        self._account: Callable[[int], None] = lambda held: None
        self._pending = bytearray()
        self._partial = bytearray()
        self._messages: deque[str] = deque()
        self._waiting_bytes = 0
        self._running = 0
        self._writable = True
        self._over = False
        self._failed = False
        self._scheduled = False
        self._frames = 0
        self._second = 0.0

    def begin(self, transport: asyncio.Transport, account: Callable[[int], None]) -> None:
        """Speak on a connection; `account` is told how many bytes are held of it."""
        self._transport, self._account = transport, account
        self._peer.opened()

    def data_received(self, data: bytes) -> None:
        """Take bytes; no more come until these are parsed."""
        self._pending += data
        self._tell()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._pump()

    def connection_lost(self) -> None:
        """The peer is gone, or never was."""
        if self._over:
            return
        self._over = True
        self._transport = None
        self._pending.clear()
        self._partial.clear()
        received, sent = self._protocol.close_rcvd, self._protocol.close_sent
        theirs = received is not None and (sent is None or self._protocol.close_rcvd_then_sent)
        end = received if theirs else sent
        if end is None:
            self._peer.closed(1006, "Connection closed abnormally")
        else:
            self._peer.closed(end.code, end.reason)

    def pause_writing(self) -> None:
        """The peer does not read: it is not read from either."""
        self._writable = False

    def resume_writing(self) -> None:
        """It does again."""
        self._writable = True
        self._pump()

    def send(self, data: bytes) -> None:
        """Send a message, in frames of the size that API Gateway's have.

        Raises:
            BufferFull: too much that was sent has not been read.
        """
        transport = self._transport
        if transport is None or self._protocol.state is not State.OPEN:
            return
        if transport.get_write_buffer_size() > _UNREAD_MAX:
            raise BufferFull
        first, rest = data[:FRAME_MAX], data[FRAME_MAX:]
        try:
            data.decode()
            self._protocol.send_text(first, fin=not rest)
        except UnicodeDecodeError:
            self._protocol.send_binary(first, fin=not rest)
        while rest:
            piece, rest = rest[:FRAME_MAX], rest[FRAME_MAX:]
            self._protocol.send_continuation(piece, fin=not rest)
        self._flush()

    def close(self, code: int, reason: str = "") -> None:
        """Say farewell; a peer that does not answer is left after a while."""
        try:
            self._protocol.send_close(code, reason)
        except InvalidState:
            return
        self._flush()
        self._leave_soon()

    def finish(self) -> None:
        """The daemon is about to stop."""
        self.close(GOING_AWAY, "Going away")

    def _leave_soon(self) -> None:
        transport = self._transport
        if transport is not None:
            asyncio.get_running_loop().call_later(_FAREWELL_S, transport.abort)

    def _tell(self) -> None:
        self._account(len(self._pending) + len(self._partial) + self._waiting_bytes)

    def _pump(self) -> None:
        """Parse a slice of what has come, and more of it later: others want to be served, too."""
        if self._scheduled or self._over:
            return
        self._start_messages()
        closing = self._protocol.state is not State.OPEN
        if not closing and (self._messages or not self._writable):
            return  # Called again when one is answered, or what was sent is read.
        if not self._pending:
            if self._transport is not None and not self._transport.is_closing():
                self._transport.resume_reading()
            return
        piece = bytes(self._pending[:_SLICE])
        del self._pending[:_SLICE]
        self._protocol.receive_data(piece)
        events = self._protocol.events_received()
        for event in events:
            if isinstance(event, Frame):
                self._take(event)
        self._flush()
        self._tell()
        self._continue_after(len(events))

    def _continue_after(self, frames: int) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._second >= 1:
            self._second, self._frames = loop.time(), 0
        self._frames += frames
        wait_s = 0.0
        if self._frames > _FRAMES_A_SECOND:
            wait_s = max(0.0, self._second + 1 - loop.time())
        self._scheduled = True
        loop.call_later(wait_s, self._pump_again)

    def _pump_again(self) -> None:
        self._scheduled = False
        self._pump()

    def _take(self, frame: Frame) -> None:
        self._peer.heard()
        if frame.opcode is Opcode.BINARY:
            self._fail(1003, "Binary messages are not supported")
            return
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT) or self._failed:
            return
        self._partial += frame.data
        if not frame.fin:
            return
        data = bytes(self._partial)
        self._partial.clear()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._fail(1007, "The message is no UTF-8")
            return
        self._waiting_bytes += len(data)
        self._messages.append(text)
        self._start_messages()

    def _fail(self, code: int, reason: str) -> None:
        if not self._failed:
            self._failed = True
            self._protocol.fail(code, reason)

    def _start_messages(self) -> None:
        """Begin what waited; also when the connection is over, as what was said was said."""
        while self._messages and self._running < _RUNNING_MAX:
            text = self._messages.popleft()
            self._running += 1
            self._peer.message(text, self._done_with(len(text.encode())))

    def _done_with(self, size: int) -> Callable[[], None]:
        def done() -> None:
            self._running -= 1
            self._waiting_bytes -= size
            if self._over:
                self._start_messages()
            else:
                self._tell()
                self._pump()

        return done

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.close()
                self._leave_soon()
