"""The Runtime API over one keep-alive connection.

A hand-written HTTP/1.1 client on the C socket module: `http.client` would add some 45 ms to
every cold start. It knows just what the Runtime API uses: bodies with a Content-Length.
"""

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Optional, Tuple

    Answer = Tuple[int, Dict[bytes, bytes], bytes]
    # What the platform says of an event: ID of the request, deadline in epoch milliseconds, ARN,
    # trace header, client context, identity, tenant; and the event itself. b"" is not there.
    Event = Tuple[bytes, int, bytes, bytes, bytes, bytes, bytes, bytes]

_PREFIX = b"/2018-06-01/runtime/"
_HEAD_BYTES_MAX = 1 << 20
# Below this, head and body go out in one packet; above it, joining them would cost a copy.
_JOIN_BYTES = 1 << 16


class Disconnected(Exception):
    """The platform closed the connection: there is nobody left to work for."""


class RuntimeApi:
    """A client of the Runtime API. Mutable: the connection and what was read beyond an answer."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._peer = (host, int(port))
        self._host = b"Host: " + address.encode("ascii") + b"\r\n"
        self._next = b"GET " + _PREFIX + b"invocation/next HTTP/1.1\r\n" + self._host + b"\r\n"
        self._socket: "Optional[_socket.socket]" = None
        self._rest = b""

    def next(self) -> "Event":
        """Wait for the next event."""
        status, headers, body = self._exchange(self._next, b"")
        if status != 200:
            raise Disconnected("GET invocation/next was answered %d" % status)
        find = headers.get
        return (
            headers[b"lambda-runtime-aws-request-id"],
            int(find(b"lambda-runtime-deadline-ms", 0)),
            find(b"lambda-runtime-invoked-function-arn", b""),
            find(b"lambda-runtime-trace-id", b""),
            find(b"lambda-runtime-client-context", b""),
            find(b"lambda-runtime-cognito-identity", b""),
            find(b"lambda-runtime-aws-tenant-id", b""),
            body,
        )

    def respond(self, request_id: bytes, body: bytes, content_type: bytes) -> int:
        """Post the handler's answer; return the HTTP status (202, or 413: too large)."""
        path = b"invocation/" + request_id + b"/response"
        return self._post(path, body, b"Content-Type: " + content_type + b"\r\n")

    def fail(self, request_id: bytes, body: bytes, error_type: str) -> int:
        """Post the error of an invocation; return the HTTP status."""
        return self._post(b"invocation/" + request_id + b"/error", body, _error_head(error_type))

    def fail_init(self, body: bytes, error_type: str) -> int:
        """Post the error that kept the function from initialising; return the HTTP status."""
        return self._post(b"init/error", body, _error_head(error_type))

    def _post(self, path: bytes, body: bytes, head: bytes) -> int:
        head = b"POST %b%b HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n" % (
            _PREFIX,
            path,
            self._host,
            head,
            len(body),
        )
        return self._exchange(head, body)[0]

    def _exchange(self, head: bytes, body: bytes) -> "Answer":
        connection = self._socket
        if connection is None:
            connection = self._socket = self._connect()
        try:
            if len(body) <= _JOIN_BYTES:
                connection.sendall(head + body)
            else:
                connection.sendall(head)
                connection.sendall(body)
        except OSError:
            # Refused before all of it was sent (413): the answer is still there to be read.
            pass
        answer = self._read(connection)
        if answer[1].get(b"connection", b"").lower() == b"close":
            connection.close()
            self._socket = None
            self._rest = b""
        return answer

    def _connect(self) -> "_socket.socket":
        connection = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        connection.connect(self._peer)
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        return connection

    def _read(self, connection: "_socket.socket") -> "Answer":
        data = self._rest
        end = data.find(b"\r\n\r\n")
        while end < 0:
            if len(data) > _HEAD_BYTES_MAX:
                raise Disconnected("the Runtime API sent an endless header")
            data += _receive(connection)
            end = data.find(b"\r\n\r\n")
        lines = data[:end].split(b"\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        start = end + 4
        stop = start + int(headers.get(b"content-length", 0))
        if len(data) < stop:
            body = receive_rest(connection, data[start:], stop - start)
            self._rest = b""
        else:
            body, self._rest = data[start:stop], data[stop:]
        return int(lines[0].split(b" ", 2)[1]), headers, body


def _error_head(error_type: str) -> bytes:
    # Whatever a function calls its exception class, it cannot add header lines.
    name = "".join(letter for letter in error_type if letter.isalnum() or letter in "._")
    return b"Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: %b\r\n" % (
        name.encode("ascii", "replace")
    )


def _receive(connection: "_socket.socket") -> bytes:
    try:
        data = connection.recv(65536)
    except OSError as error:
        raise Disconnected("the connection to the Runtime API broke") from error
    if not data:
        raise Disconnected("the Runtime API closed the connection")
    return data


def receive_rest(connection: "_socket.socket", begun: bytes, size: int) -> bytes:
    """Read on until there are `size` bytes, with those that have come; return all."""
    body = bytearray(size)
    have = len(begun)
    body[:have] = begun
    view = memoryview(body)
    while have < size:
        got = connection.recv_into(view[have:])
        if not got:
            raise Disconnected("the Runtime API closed the connection")
        have += got
    return bytes(body)
