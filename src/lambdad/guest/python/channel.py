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
    from typing import Dict, List, Optional, Tuple

_VARIABLE = "_LAMBDAD_CHANNEL"
_HEAD = Struct("!IB")
_EVENT = Struct("!QBHHIH")
_EVENT_START = _HEAD.size + _EVENT.size
_EVENT_KIND = 69
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
_REHEARSED_BODY = (
    _EVENT.pack(0, *map(len, _REHEARSED_TEXTS)) + b"".join(_REHEARSED_TEXTS) + b'{"key": 1}'
)
REHEARSED = _HEAD.pack(len(_REHEARSED_BODY), _EVENT_KIND) + _REHEARSED_BODY
# Beyond this an answer is sent at once: keeping it would cost a copy.
_KEPT_BYTES_MAX = 1 << 16
_TYPE_CHARACTERS_MAX = 255
_PATIENCE_S = 2_000_000.0


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
        self._kept = b""
        self._rest = b""

    def next(self) -> "Tuple[Dict[bytes, bytes], bytes]":
        """Wait for the next event; return its headers, as over HTTP, and its bytes."""
        kept = self._kept
        self._kept = b""
        self._send(kept + _NEXT)
        data = self._rest
        while len(data) < _EVENT_START:
            data += self._receive()
        length, kind = _HEAD.unpack_from(data)
        if kind != _EVENT_KIND:
            raise Disconnected("the Runtime API sent no event")
        end = _HEAD.size + length
        if len(data) < end:
            data = receive_rest(self._socket, data, end)
        self._rest = data[end:]
        deadline, *lengths = _EVENT.unpack_from(data, _HEAD.size)
        texts, start = _texts(data, lengths)
        headers = {
            b"lambda-runtime-deadline-ms": deadline,
            b"lambda-runtime-aws-request-id": texts[0],
            b"lambda-runtime-invoked-function-arn": texts[1],
            b"lambda-runtime-trace-id": texts[2],
        }
        if texts[3]:
            headers[b"lambda-runtime-client-context"] = texts[3]
        if texts[4]:
            headers[b"lambda-runtime-aws-tenant-id"] = texts[4]
        return headers, data[start:end]

    def respond(self, request_id: bytes, body: bytes, content_type: bytes) -> int:
        """Send the handler's answer; what is too large the platform says itself."""
        self._put(_RESPONSE, bytes((len(request_id),)) + request_id, body)
        return _ACCEPTED

    def fail(self, request_id: bytes, body: bytes, error_type: str) -> int:
        """Send the error of an invocation."""
        name = _name(error_type)
        self._put(_FAILURE, bytes((len(request_id), len(name))) + request_id + name, body)
        return _ACCEPTED

    def fail_init(self, body: bytes, error_type: str) -> int:
        """Send the error that kept the function from initialising."""
        name = _name(error_type)
        self._put(_INIT_FAILURE, bytes((0, len(name))) + name, body)
        self._send(self._kept)
        return _ACCEPTED

    def _put(self, kind: int, head: bytes, body: bytes) -> None:
        self._kept = _HEAD.pack(len(head) + len(body), kind) + head
        if len(body) <= _KEPT_BYTES_MAX:
            self._kept += body
        else:
            self._send(self._kept)
            self._send(body)
            self._kept = b""

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Disconnected("the channel to the Runtime API broke") from error

    def _receive(self) -> bytes:
        try:
            data = self._socket.recv(65536)
        except OSError as error:
            raise Disconnected("the channel to the Runtime API broke") from error
        if not data:
            raise Disconnected("the Runtime API closed the channel")
        return data


def _texts(data: bytes, lengths: "List[int]") -> "Tuple[List[bytes], int]":
    texts = []
    start = _EVENT_START
    for length in lengths:
        texts.append(data[start : start + length])
        start += length
    return texts, start


def _name(error_type: str) -> bytes:
    return error_type[:_TYPE_CHARACTERS_MAX].encode("ascii", "replace")
