"""The server's side of HTTP/1.1, sans I/O: bytes in, requests out; responses in, bytes out.

Decides where a message begins and ends, how much of it is kept in memory, and what is refused.
Refuses to know sockets, time and AWS: timeouts and the closing of connections are the server's.
"""

from __future__ import annotations

from collections.abc import Callable

import httptools

from lambdad.protocol.http import HttpRequest
from lambdad.protocol.http1_limits import BadHttp, Http1Limits, OnHead
from lambdad.protocol.http1_responses import CONTINUE, encode_response
from lambdad.protocol.http1_whole import WholeRequests
from lambdad.protocol.request_target import split_target

__all__ = ["CONTINUE", "BadHttp", "Http1Limits", "OnHead", "RequestParser", "encode_response"]

_HEAD_END = b"\r\n\r\n"
_MAX_HEADERS = 1_000
# How a runtime says that a streamed response failed half way (Runtime API, response streaming).
_TRAILERS = b"lambda-runtime-function-error-"
# The names that AWS clients and runtime clients send: a look-up is cheaper than lower().decode().
_COMMON_NAMES = """
    Accept Accept-Encoding Amz-Sdk-Invocation-Id Amz-Sdk-Request Authorization Connection
    Content-Length Content-Type Expect Host Lambda-Runtime-Function-Error-Type Transfer-Encoding
    User-Agent X-Amz-Client-Context X-Amz-Content-SHA256 X-Amz-Date X-Amz-Invocation-Type
    X-Amz-Log-Type X-Amz-Security-Token X-Amz-Target X-Amz-User-Agent X-Amzn-Trace-Id
"""
_NAMES = {
    form.encode(): name.lower() for name in _COMMON_NAMES.split() for form in (name, name.lower())
}


class RequestParser:
    """Cuts one connection's bytes into requests.

    Memory is bounded by the limits, whatever is fed and in whatever pieces. After `BadHttp` the
    parser is dead and raises the same again; after a request that closes the connection
    (`keep_alive` False) it ignores all further bytes.

    Attributes:
        keep_alive: whether the connection may be used after the last returned request; requests
            before the last one always leave it open.
        wants_continue: the last feed ended in a request whose client waits for `CONTINUE` before
            it sends the body; send it after the responses to what the feed returned.
    """

    # Mutable state: `_parser`, `keep_alive` and `_failure` live as long as the connection; all
    # else belongs to the request that is being read.
    __slots__ = (
        "_body",
        "_body_limit",
        "_body_size",
        "_chunked",
        "_complete",
        "_failure",
        "_framing_bytes",
        "_head",
        "_head_lines",
        "_header_count",
        "_headers",
        "_keeps_open",
        "_limits",
        "_method",
        "_on_head",
        "_parser",
        "_path",
        "_query",
        "_reading_head",
        "_remaining",
        "_sink",
        "_tail",
        "_target",
        "_whole",
        "keep_alive",
        "wants_continue",
    )

    def __init__(self, limits: Http1Limits, on_head: OnHead | None = None) -> None:
        self._limits = limits
        self._on_head = on_head
        self._whole = WholeRequests(limits)
        self._parser = httptools.HttpRequestParser(self)
        self._failure: BadHttp | None = None
        self.keep_alive = True
        self.wants_continue = False
        self._head = bytearray()
        self._reset()

    def _reset(self) -> None:
        self._reading_head = True
        self._headers: dict[str, str] = {}
        self._head_lines = b""
        self._header_count = 0
        self._target = b""
        self._body: bytes | bytearray = b""
        self._body_limit = self._limits.body_bytes
        self._body_size = 0
        self._sink: Callable[[bytes], None] | None = None
        self._framing_bytes = 0
        self._remaining = 0
        self._chunked = False
        self._tail = b""
        self._complete = False
        self._keeps_open = True

    @property
    def idle(self) -> bool:
        """Whether no request has begun, so that the connection may be closed unnoticed."""
        return self._reading_head and not self._head

    @property
    def buffered(self) -> int:
        """Bytes in memory of the request that is being read."""
        return len(self._head) + len(self._body)

    def discard(self) -> None:
        """Give back the memory of an unfinished request, because its connection is gone.

        Parser and connection refer to each other, so that it would last until the garbage
        collector comes by.
        """
        self._head = bytearray()
        self._body = b""

    def whole(self, data: bytes) -> HttpRequest | None:
        """Return the request that `data` is, as :meth:`feed` would; None: it has to be fed.

        That takes a request that came in one piece, with nothing before or behind it, and with
        no more of a body than there may be of any; so `on_head` is not asked about it.
        """
        if not self._reading_head or self._head or not self.keep_alive or self._failure is not None:
            return None
        return self._whole.read(data)

    def feed(self, data: bytes) -> list[HttpRequest]:
        """Return the requests that `data` completes, oldest first.

        Raises:
            BadHttp: the bytes are malformed or exceed a limit.
        """
        if self._failure is not None:
            raise self._failure
        self.wants_continue = False
        requests: list[HttpRequest] = []
        position, end = 0, len(data)
        try:
            while position < end and self.keep_alive:
                if self._reading_head:
                    position = self._feed_head(data, position)
                else:
                    position = self._feed_body(data, position)
                if self._complete:
                    requests.append(self._take())
        except BadHttp as bad:
            self._failure = bad
            bad.requests = requests
            raise
        return requests

    def _take(self) -> HttpRequest:
        body = self._body
        request = HttpRequest(
            method=self._method,
            path=self._path,
            query=self._query,
            headers=self._headers,
            body=body if type(body) is bytes else bytes(body),
            head=self._head_lines,
        )
        self.keep_alive = self._keeps_open
        self.wants_continue = False
        self._reset()
        return request

    def _feed_head(self, data: bytes, position: int) -> int:
        """Take bytes up to the end of the head; llhttp sees only whole heads.

        A head that trickles in is gathered here, because llhttp's binding would copy what it
        has of a header again with every piece.
        """
        head = self._head
        if not head:
            while position < len(data) and data[position] in b"\r\n":
                position += 1  # Some clients send empty lines behind a body.
            if position == len(data):
                return position
            if not 65 <= data[position] <= 90:  # a TLS hello, for example, need not be awaited
                raise BadHttp(400, "A request begins with a method in upper case.")
            found = data.find(_HEAD_END, position)
            if found >= 0:
                end = found + 4
                whole = data if position == 0 and end == len(data) else data[position:end]
                self._parse_head(whole)
                return end
        searched = max(0, len(head) - 3)
        room = self._limits.head_bytes - len(head)
        head += data[position : position + room + 1]
        found = head.find(_HEAD_END, searched)
        if found < 0:
            if len(head) > self._limits.head_bytes:
                raise self._head_too_large()
            return len(data)
        end = found + 4
        position += end - (self._limits.head_bytes - room)
        whole = bytes(head[:end])
        self._head = bytearray()
        self._parse_head(whole)
        return position

    def _head_too_large(self) -> BadHttp:
        return BadHttp(
            431, f"Request line and headers must be smaller than {self._limits.head_bytes} bytes."
        )

    def _parse_head(self, head: bytes) -> None:
        if len(head) > self._limits.head_bytes:
            raise self._head_too_large()
        line_end = head.find(b"\r\n")
        version = head[line_end - 9 : line_end]
        if version not in (b" HTTP/1.1", b" HTTP/1.0"):
            raise BadHttp(505, "Only HTTP/1.1 and HTTP/1.0 are served.")
        upgrade = False
        try:
            self._parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            upgrade = True
        except httptools.HttpParserError as error:
            raise self._refusal(error) from error
        self._reading_head = False
        self._head_lines = head[:-4]
        self._method = self._parse_method(head)
        target = split_target(self._target)
        if target is None:
            raise BadHttp(400, "The request target must be a path.")
        self._path, self._query = target
        self._frame_body(upgrade=upgrade, http_1_0=version == b" HTTP/1.0")

    def _refusal(self, error: httptools.HttpParserError) -> BadHttp:
        if self._header_count > _MAX_HEADERS:
            return BadHttp(431, f"A request has at most {_MAX_HEADERS} headers.")
        return BadHttp(400, f"Malformed HTTP: {error}.")

    @staticmethod
    def _parse_method(head: bytes) -> str:
        method = head[: head.find(b" ")].decode("ascii")
        if method == "CONNECT":
            raise BadHttp(405, "CONNECT is not served: this is no proxy.")
        return method

    def _frame_body(self, *, upgrade: bool, http_1_0: bool) -> None:
        headers = self._headers
        length = headers.get("content-length")
        encoding = headers.get("transfer-encoding")
        if length is None and encoding is None and "expect" not in headers:
            self._complete = True
            if self._on_head is not None:
                self._on_head(self._method, self._path, headers)
            return
        if self._on_head is not None:
            limits = self._on_head(self._method, self._path, headers)
            if limits is not None:
                self._body_limit = limits.body_bytes
                self._sink = limits.sink
        if encoding is not None:
            if encoding.strip().lower() != "chunked":
                raise BadHttp(501, "The only transfer coding served is `chunked`.")
            self._chunked = True
        elif length is not None:
            self._remaining = int(length)
            if self._remaining > self._body_limit:
                raise self._body_too_large()
        self._complete = not self._chunked and not self._remaining
        if upgrade and not self._complete:
            self._restart_for_body()
        self._check_expect(http_1_0=http_1_0)

    def _check_expect(self, *, http_1_0: bool) -> None:
        expect = self._headers.get("expect")
        if expect is None:
            return
        if expect.strip().lower() != "100-continue":
            raise BadHttp(417, "The only expectation served is `100-continue`.")
        self.wants_continue = not self._complete and not http_1_0

    def _restart_for_body(self) -> None:
        """Make llhttp read the body of a request that also offered an upgrade.

        The offer is declined by ignoring it, as Java's HTTP client expects of its `h2c`; but
        llhttp takes what follows such a head for another protocol.
        """
        framing = (
            "Transfer-Encoding: chunked" if self._chunked else f"Content-Length: {self._remaining}"
        )
        connection = "keep-alive" if self._keeps_open else "close"
        self._parser = httptools.HttpRequestParser(self)
        head = f"POST / HTTP/1.1\r\n{framing}\r\nConnection: {connection}\r\n\r\n"
        self._parser.feed_data(head.encode("ascii"))
        self._complete = False

    def _feed_body(self, data: bytes, position: int) -> int:
        if self._chunked:
            end = self._chunked_piece_end(data, position)
        else:
            end = min(len(data), position + self._remaining)
            self._remaining -= end - position
        piece = data if position == 0 and end == len(data) else data[position:end]
        before = self._body_size
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserError as error:
            if self._body_size > self._body_limit:
                raise self._body_too_large() from error
            raise BadHttp(400, f"Malformed HTTP: {error}.") from error
        if self._body_size > self._body_limit:
            raise self._body_too_large()
        grown = self._body_size - before
        self._count_framing(len(piece) - grown, grown=grown > 0)
        return end

    def _chunked_piece_end(self, data: bytes, position: int) -> int:
        """Return where to stop so that no piece reaches into the next message.

        A chunked message can only end after an empty line, which may lie across two feeds.
        """
        tail = self._tail
        across = (tail + data[position : position + 3]).find(_HEAD_END)
        within = data.find(_HEAD_END, position)
        if across >= 0:
            end = position + across + 4 - len(tail)
        else:
            end = within + 4 if within >= 0 else len(data)
        self._tail = (tail + data[max(position, end - 3) : end])[-3:]
        return end

    def _count_framing(self, framing_bytes: int, *, grown: bool) -> None:
        """Refuse chunk extensions, trailers and tiny chunks without end."""
        self._framing_bytes += framing_bytes
        if self._sink is not None:
            # Nothing of the body is kept, so what lies between its pieces must be small.
            if grown:
                self._framing_bytes = 0
            limit = self._limits.head_bytes
        else:
            limit = self._body_limit + self._limits.head_bytes
        if self._framing_bytes > limit:
            raise BadHttp(413, "The framing of the chunked body is larger than a body may be.")

    def _body_too_large(self) -> BadHttp:
        return BadHttp(413, f"The request body must be at most {self._body_limit} bytes.")

    def on_url(self, url: bytes) -> None:
        """Keep the request target."""
        if self._reading_head:
            self._target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; of the trailers those that a body given away piecemeal may end with."""
        if not self._reading_head and not self._wanted_trailer(name):
            return
        self._header_count += 1
        if self._header_count > _MAX_HEADERS:
            raise ValueError
        key = _NAMES.get(name) or name.decode("latin-1").lower()
        text = value.decode("latin-1").rstrip(" \t")
        if key in self._headers:
            text = f"{self._headers[key]},{text}"
        self._headers[key] = text

    def _wanted_trailer(self, name: bytes) -> bool:
        return self._sink is not None and name.lower().startswith(_TRAILERS)

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body; what exceeds the limit is refused once llhttp returns."""
        self._body_size += len(piece)
        if self._sink is not None:
            room = self._body_limit - (self._body_size - len(piece))
            self._sink(piece if len(piece) <= room else piece[: max(room, 0)])
        elif not self._body:
            self._body = piece
        elif self._body_size <= self._body_limit:
            if type(self._body) is bytes:
                self._body = bytearray(self._body)
            self._body += piece

    def on_message_complete(self) -> None:
        """Note the end of a body; the end of a head is no end until its framing is known.

        Only here does llhttp still know what the Connection header said.
        """
        self._keeps_open = self._parser.should_keep_alive()
        self._complete = not self._reading_head
