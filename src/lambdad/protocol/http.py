"""An HTTP request and response as values."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class Upload(Protocol):
    """A body that is too large for memory, in a file that its receiver may rename.

    Attributes:
        size: in bytes.
        sha256: in hexadecimal digits; so is `md5`.
    """

    path: Path
    size: int
    sha256: str
    md5: str

    def discard(self) -> None:
        """Remove the file, unless somebody renamed it."""
        ...


@dataclass(slots=True, kw_only=True)  # To freeze it would double what it costs to make one.
class HttpRequest:
    """A whole request. Nobody changes one.

    Attributes:
        path: raw, percent-encoded, without the query.
        query: raw query string, without `?`.
        headers: names in lower case; of repeated headers the values joined by `,`.
        upload: the body, where it came into a file; `body` is empty then.
        head: request line and headers as they came, without the line end and the empty line at
            their end; empty where there was no connection.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    upload: Upload | None = None
    head: bytes = field(default=b"", compare=False, repr=False)

    def header_lines(self) -> list[tuple[str, str]]:
        """Return name and value of each header: names as they were written, repeated ones apart.

        Costs a pass over the head; whoever can use `headers` does.
        """
        if not self.head:
            return list(self.headers.items())
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        parted = (line.partition(":") for line in lines if line)
        return [(name, value.strip(" \t")) for name, _, value in parted]


class Upgrade(Protocol):
    """Another protocol on a connection that HTTP was left on. Called as an asyncio.Protocol is."""

    def begin(self, transport: Any, account: Callable[[int], None]) -> None:
        """Speak; `account` is to be told how many bytes of the peer are held, when that changes."""
        ...

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        ...

    def pause_writing(self) -> None:
        """The peer reads slowly."""
        ...

    def resume_writing(self) -> None:
        """It has caught up."""
        ...

    def finish(self) -> None:
        """Say farewell: the daemon is about to stop."""
        ...

    def connection_lost(self) -> None:
        """The connection is over; it may be that it never began."""
        ...


@dataclass(slots=True, kw_only=True)
class HttpResponse:
    """A response; its framing is added when it is encoded. Nobody changes one.

    Attributes:
        cookies: values of `Set-Cookie`, a header each.
        repeated: name and value of further headers, a line each.
        pieces: a body that comes bit by bit; `body` is empty then. Who sends it closes it.
        length: of a body in pieces if it is known, or of the one that HEAD does not get; bytes.
        upgrade: what speaks on the connection once this response, a 101, is sent.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cookies: tuple[str, ...] = ()
    repeated: tuple[tuple[str, str], ...] = ()
    pieces: AsyncGenerator[bytes, None] | None = None
    length: int | None = None
    upgrade: Upgrade | None = None

    def with_headers(self, headers: Mapping[str, str]) -> HttpResponse:
        """Return the same with other headers."""
        # As dataclasses.replace() does, at a third of its cost.
        return HttpResponse(
            status=self.status,
            headers=headers,
            body=self.body,
            cookies=self.cookies,
            repeated=self.repeated,
            pieces=self.pieces,
            length=self.length,
            upgrade=self.upgrade,
        )


class Peer(Protocol):
    """Whoever sent the request in hand, as far as one can tell whether they still listen."""

    def when_gone(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back if the client hangs up before it has its answer; the result ends that."""
        ...


# Of the request that the current task answers; None where there is no connection.
PEER: ContextVar[Peer | None] = ContextVar("peer", default=None)
