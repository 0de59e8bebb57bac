"""The Runtime API as frames over a descriptor that this process was born with.

The same calls as over HTTP. An answer is kept until the next event is asked for, so that both
take one system call.
"""
# ruff: noqa: TID252

import _socket
import os
from _struct import Struct

from .client import Disconnected, receive_rest

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
_PATIENCE_S = 2_000_000.0
# An event of usual size comes in one piece, without much memory being taken for it.
_PIECE_BYTES = 1 << 13


def open_channel() -> "Optional[Channel]":
    """Return the channel, if there is one; its variable is not for the function to see."""
    number = os.environ.pop(_VARIABLE, "")
    if not number.isdigit():
        return None
    try:
        os.set_inheritable(int(number), False)
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, int(number))
    except OSError:
        # A wrapper script has closed it.
        return None
    return Channel(connection)


class Channel:
    """A client of the Runtime API. Mutable: what is to be sent, and what was read too much."""

    def __init__(self, connection: "_socket.socket") -> None:
        self._socket = connection
        # Who waits in poll() sleeps on when the other end only reads what was sent; in recv() it
        # is woken in vain each time. No environment lives as long as this.
        connection.settimeout(_PATIENCE_S)
        # Written past that object, which would ask poll() first whether there is room.
        self._descriptor = connection.fileno()
        os.set_blocking(self._descriptor, True)
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
            data = receive_rest(self._socket, data, end)
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
            sent = os.write(self._descriptor, data)
        except OSError as error:
            raise Disconnected("the channel to the Runtime API broke") from error
        if sent < len(data):
            self._send(data[sent:])

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(_PIECE_BYTES)
        except OSError as error:
            raise Disconnected("the channel to the Runtime API broke") from error
        if not data:
            raise Disconnected("the Runtime API closed the channel")
        return data


def _failure(kind: int, request_id: bytes, body: bytes, error_type: str) -> "Frame":
    name = error_type[:_TYPE_CHARACTERS_MAX].encode("ascii", "replace")
    length = 2 + len(request_id) + len(name) + len(body)
    return _ERROR.pack(length, kind, len(request_id), len(name)), request_id + name, body
