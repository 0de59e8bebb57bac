"""The Runtime API as frames over pipes that one of lambdad's own clients was born with.

The same calls as over HTTP, under the same rules, in a form that is cheap to read and write. The
descriptors are the identity: who writes to them is in the environment. The guest is hostile: frames
are bounded, nothing that is too long is kept, and one that makes no sense ends the channel.

A frame is `!IB`, its length and its kind, and the body:

    from the guest                                to the guest
    `N` the next event, please                    `E` an event: `_EVENT`, texts, payload
    `R` `!B` of the id; id, answer
    `F` `!BB` of id and type; id, type, error
    `I` `!BB` of 0 and type; type, error          (of the init)
    `S` `!BB` of id and type; id, content type    (a streamed answer begins)
    `P` a piece of it
    `Z` `!BB` of 0 and type; type, error          (its end; with a type, broken off)
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from dataclasses import replace

from lambdad.dataplane.runtime_api import messages
from lambdad.dataplane.runtime_api.pipes import Side
from lambdad.dataplane.runtime_api.session import RuntimeEvent, RuntimeSession
from lambdad.domain import limits
from lambdad.sandbox.base import FIRST_INHERITED_FD, ProcessSpec

CHANNEL_VARIABLE = "_LAMBDAD_CHANNEL"
"""Tells the guest what it reads from and writes to; not for the function to see."""

_HEAD = struct.Struct("!IB")
# Behind the head of the frame: deadline in epoch milliseconds, then the lengths of id, ARN, trace
# header, client context and tenant.
_EVENT = struct.Struct("!IBQBHHIH")
_EVENT_REST = _EVENT.size - _HEAD.size
_event_head = _EVENT.pack
_NEXT, _RESPONSE, _FAILURE, _INIT_FAILURE = b"NRFI"
_STREAM, _PIECE, _STREAM_END = b"SPZ"
_EVENT_KIND = ord("E")
_HEAD_BYTES, _head_of = _HEAD.size, _HEAD.unpack_from

_TEXTS_MAX = 2 + 255 + 255
_OUTCOME_MAX = limits.INVOKE_RESPONSE_BYTES_MAX + _TEXTS_MAX
_PIECE_MAX = 1024 * 1024
_LENGTH_MAX = {
    _NEXT: 0,
    _RESPONSE: _OUTCOME_MAX,
    _FAILURE: _OUTCOME_MAX,
    _INIT_FAILURE: _OUTCOME_MAX,
    _STREAM: _TEXTS_MAX,
    _PIECE: _PIECE_MAX,
    _STREAM_END: 64 * 1024 + _TEXTS_MAX,
}
_CHUNK = 64 * 1024
_LARGE_CHUNK = 512 * 1024
# What a child that outlives the guest could go on writing is not waited for.
_DRAIN_READS = 64
# Then the event loop's other work has its turn.
_FRAMES_PER_WAKE = 64


def with_channel(process: ProcessSpec, theirs: Side) -> ProcessSpec:
    """Return the process with one side of a channel, and told of it."""
    number = FIRST_INHERITED_FD + len(process.inherited)
    return replace(
        process,
        inherited=(*process.inherited, theirs.reads, theirs.writes),
        environment={**process.environment, CHANNEL_VARIABLE: f"{number},{number + 1}"},
    )


class BadFrame(Exception):
    """The guest sent what none of lambdad's clients sends."""


class RuntimeChannel:
    """One end of a channel, ours.

    Mutable: what is there of an unfinished frame and how long it will be; bytes of an answer that
    is too large, still to be thrown away; what the guest has not taken yet; and what takes the
    pieces of a streamed answer.
    """

    def __init__(self, ours: Side, session: RuntimeSession) -> None:
        """`ours` does not block, and is owned from now on."""
        self._side = ours
        self._reads, self._writes = ours.reads, ours.writes
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._partial = bytearray()
        self._wanted = _HEAD.size
        self._skip = 0
        self._unsent = b""
        self._put: Callable[[bytes], None] | None = None
        self._held_back = self._resting = False
        self._open = True
        self._loop.add_reader(self._reads, self._read)

    def drain(self) -> None:
        """Serve what the guest has sent by now; it has ended."""
        self._held_back = False
        for _ in range(_DRAIN_READS):
            if not self._open or not self._read():
                return

    def close(self) -> None:
        """End it; may be called twice."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._reads)
        self._loop.remove_writer(self._writes)
        self._side.close()
        self._partial = bytearray()
        self._session.forget(self)

    def pause(self) -> None:
        """Read nothing more of a streamed response until :meth:`resume`."""
        self._held_back = True
        self._steer()

    def resume(self) -> None:
        """Read on."""
        self._held_back = False
        self._steer()

    # -- to the guest -------------------------------------------------------------------------

    def _deliver(self, event: RuntimeEvent) -> None:
        invocation = event.invocation
        name, arn = invocation.request_id.encode(), invocation.invoked_arn.encode()
        trace, payload = event.trace_header.encode(), invocation.payload
        client = invocation.client_context.encode() if invocation.client_context else b""
        tenant = invocation.tenant_id.encode() if invocation.tenant_id else b""
        texts = b"%b%b%b%b%b" % (name, arn, trace, client, tenant)
        length = _EVENT_REST + len(texts) + len(payload)
        lengths = (len(name), len(arn), len(trace), len(client), len(tenant))
        head = _event_head(length, _EVENT_KIND, event.deadline_ms, *lengths)
        self._send(b"%b%b%b" % (head, texts, payload))

    def _send(self, data: bytes) -> None:
        if not self._open:
            return
        try:
            sent = os.write(self._writes, data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # its end is noticed by reading
        if sent < len(data):
            self._unsent = data[sent:]
            self._loop.add_writer(self._writes, self._send_on)

    def _send_on(self) -> None:
        self._loop.remove_writer(self._writes)
        data, self._unsent = self._unsent, b""
        self._send(data)

    # -- from the guest -----------------------------------------------------------------------

    def _read(self) -> bool:
        """Take what is there; False when that was nothing."""
        if self._resting:
            # On its last words: what was put off comes first.
            self._resting = False
            return self._feed(b"")
        try:
            data = os.read(self._reads, _CHUNK if self._wanted <= _CHUNK else _LARGE_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        return self._feed(data)

    def _feed(self, data: bytes) -> bool:
        """Serve what has come; always True, but when it ends the channel."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._partial:
            self._partial += data
            if len(self._partial) < self._wanted:
                return True
            data, self._partial = bytes(self._partial), bytearray()
        try:
            rest = self._frames(data)
        except (BadFrame, UnicodeDecodeError, struct.error):
            self.close()
            return False
        if rest < len(data) and self._open:
            self._partial += memoryview(data)[rest:]
        return True

    def _frames(self, data: bytes) -> int:
        """Serve whole frames; returns where the rest begins."""
        position, end = 0, len(data)
        for _ in range(_FRAMES_PER_WAKE):
            start = position + _HEAD_BYTES
            if start > end:
                self._wanted = _HEAD_BYTES
                return position
            length, kind = _head_of(data, position)
            if length > _LENGTH_MAX.get(kind, -1):
                return self._too_long(kind, length, end - start, end)
            stop = start + length
            if stop > end:
                self._wanted = _HEAD_BYTES + length
                return position
            if kind == _RESPONSE:
                self._respond(data, start, stop)
            elif kind == _NEXT:
                self._next()
            else:
                self._serve(kind, data, start, stop)
            if not self._open:
                return end
            position = stop
            if position == end:
                self._wanted = _HEAD_BYTES
                return end
        self._wanted = 0
        self._rest()
        return position

    def _too_long(self, kind: int, length: int, there: int, end: int) -> int:
        """Throw an answer away that nobody may have; anything else of this length is no frame."""
        if kind not in (_RESPONSE, _FAILURE, _INIT_FAILURE):
            raise BadFrame
        if there > length:
            raise BadFrame  # nothing follows an answer before it was sent whole
        self._skip = length - there
        self._wanted = _HEAD.size
        self._session.response_too_large()
        return end

    def _rest(self) -> None:
        """Go on with what has come after the event loop's other work."""
        self._resting = True
        self._steer()
        self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._resting and self._open:
            self._resting = False
            self._steer()
            self._feed(b"")

    def _steer(self) -> None:
        if not self._open:
            return
        if self._held_back or self._resting:
            self._loop.remove_reader(self._reads)
        else:
            self._loop.add_reader(self._reads, self._read)

    def _respond(self, data: bytes, start: int, stop: int) -> None:
        begin = start + 1 + data[start] if start < stop else stop + 1
        if begin > stop:
            raise BadFrame
        request_id = data[start + 1 : begin].decode("ascii")
        # A refusal changes nothing, as over HTTP, and the guest does not ask for it.
        self._session.respond(request_id, data[begin:stop])

    def _next(self) -> None:
        # Once is enough: a second one is not from a client that waits.
        if self._session.listening or self._session.next(self, self._deliver) is not None:
            raise BadFrame

    def _serve(self, kind: int, data: bytes, start: int, stop: int) -> None:
        if kind == _PIECE:
            if self._put is None or start == stop:
                raise BadFrame
            self._put(data[start:stop])
            return
        if stop - start < 2:
            raise BadFrame
        middle = start + 2 + data[start]
        begin = middle + data[start + 1]
        if begin > stop:
            raise BadFrame
        request_id = data[start + 2 : middle].decode("ascii")
        text = data[middle:begin].decode("latin-1")
        rest = data[begin:stop]
        if kind == _FAILURE:
            self._session.fail(request_id, text, rest)
        elif kind == _INIT_FAILURE:
            self._session.fail_init(text, rest)
        elif kind == _STREAM:
            self._put = self._session.begin_stream(self, request_id, text, self)
            if self._put is None:
                raise BadFrame
        else:
            self._end_stream(text, rest)

    def _end_stream(self, error_type: str, document: bytes) -> None:
        if self._put is None:
            raise BadFrame
        self._put = None
        if error_type:
            known = messages.known_error_type(error_type, "Function.Unknown")
            self._session.end_stream((known, document))
        else:
            self._session.end_stream(None)
