"""The Runtime API as frames over pipes that this process was born with.

The same calls as over HTTP. An answer is kept until the next event is asked for, so that both
take one system call.
"""
# ruff: noqa: TID252

import os
from _struct import Struct

from .client import Disconnected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple

    from .client import Event

    # Head, texts, body.
    Frame = Tuple[bytes, bytes, bytes]

_VARIABLE = "_LAMBDAD_CHANNEL"
_HEAD = Struct("!IB")
# Length and kind; deadline, then the lengths of ID, ARN, trace header, client context and tenant.
_EVENT = Struct("!IBQBHHIH")
_EVENT_KIND = 69
# Length and kind; lengths of the ID, and of the type of an error.
_ANSWER, _ERROR = Struct("!IBB"), Struct("!IBBB")
_NEXT = _HEAD.pack(0, 78)
_RESPONSE, _FAILURE, _INIT_FAILURE = 82, 70, 73
_ACCEPTED = 202
# An event that nobody has sent, in the form of those that are.
_REHEARSED_TEXTS = (
    b"0" * 36,
    b"arn:aws:lambda:us-east-1:000000000000:function:x",
    b"Root=1",
    b"",
    b"",
)
_REHEARSED_BODY = b"".join(_REHEARSED_TEXTS) + b'{"key": 1}'
REHEARSED = (
    _EVENT.pack(
        _EVENT.size - _HEAD.size + len(_REHEARSED_BODY),
        _EVENT_KIND,
        0,
        *map(len, _REHEARSED_TEXTS),
    )
    + _REHEARSED_BODY
)
# Beyond this an answer is sent at once: keeping it would cost a copy.
_KEPT_BYTES_MAX = 1 << 16
_TYPE_CHARACTERS_MAX = 255
# An event of usual size comes in one piece, without much memory being taken for it.
_PIECE_BYTES, _LARGE_PIECE_BYTES = 1 << 13, 1 << 18


def open_channel() -> "Optional[Channel]":
    """Return the channel, if there is one; its variable is not for the function to see."""
    announced = os.environ.pop(_VARIABLE, "")
    if not announced:
        return None
    reads, writes = map(int, announced.split(","))
    try:
        os.set_inheritable(reads, False)
        os.set_inheritable(writes, False)
    except OSError:
        # A wrapper script has closed them.
        return None
    return Channel(reads, writes)


class Channel:
    """A client of the Runtime API. Mutable: what is to be sent, and what was read too much."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._kept = _NEXT
        self._rest = b""

    def next(self) -> "Event":
        """Wait for the next event."""
        kept = self._kept
        self._kept = _NEXT
        self._send(kept)
        data = self._rest
        while len(data) < _EVENT.size:
            data += self._receive()
        length, kind, deadline_ms, name, arn, trace, client, tenant = _EVENT.unpack_from(data)
        if kind != _EVENT_KIND:
            raise Disconnected("the Runtime API sent no event")
        end = _HEAD.size + length
        have = len(data)
        if have < end:
            data = self._receive_rest(data, end)
        self._rest = data[end:] if have > end else b""
        name += _EVENT.size
        arn += name
        trace += arn
        client += trace
        tenant += client
        return (
            data[_EVENT.size : name],
            deadline_ms,
            data[name:arn],
            data[arn:trace],
            data[trace:client],
            b"",
            data[client:tenant],
            data[tenant:end],
        )

    def respond(self, request_id: bytes, body: bytes, content_type: bytes) -> int:
        """Send the handler's answer; what is too large the platform says itself."""
        length = 1 + len(request_id) + len(body)
        self._put(_ANSWER.pack(length, _RESPONSE, len(request_id)), request_id, body)
        return _ACCEPTED

    def fail(self, request_id: bytes, body: bytes, error_type: str) -> int:
        """Send the error of an invocation."""
        self._put(*_failure(_FAILURE, request_id, body, error_type))
        return _ACCEPTED

    def fail_init(self, body: bytes, error_type: str) -> int:
        """Send the error that kept the function from initialising."""
        self._send(b"".join(_failure(_INIT_FAILURE, b"", body, error_type)))
        return _ACCEPTED

    def _put(self, head: bytes, texts: bytes, body: bytes) -> None:
        if len(body) <= _KEPT_BYTES_MAX:
            self._kept = b"".join((head, texts, body, _NEXT))
        else:
            self._send(head + texts)
            self._send(body)

    def _send(self, data: bytes) -> None:
        try:
            sent = os.write(self._writes, data)
        except OSError as error:
            raise Disconnected("the channel to the Runtime API broke") from error
        if sent < len(data):
            self._send(data[sent:])

    def _receive(self, most: int = _PIECE_BYTES) -> bytes:
        try:
            data = os.read(self._reads, most)
        except OSError as error:
            raise Disconnected("the channel to the Runtime API broke") from error
        if not data:
            raise Disconnected("the Runtime API closed the channel")
        return data

    def _receive_rest(self, begun: bytes, size: int) -> bytes:
        """Read on until there are `size` bytes, with those that have come; return all."""
        pieces = [begun]
        left = size - len(begun)
        while left > 0:
            pieces.append(self._receive(min(left, _LARGE_PIECE_BYTES)))
            left -= len(pieces[-1])
        return b"".join(pieces)


def _failure(kind: int, request_id: bytes, body: bytes, error_type: str) -> "Frame":
    name = error_type[:_TYPE_CHARACTERS_MAX].encode("ascii", "replace")
    length = 2 + len(request_id) + len(name) + len(body)
    return _ERROR.pack(length, kind, len(request_id), len(name)), request_id + name, body
