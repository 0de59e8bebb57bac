"""Responses as HTTP/1.1 bytes, framed by Content-Length.

Decides how a response is framed and that no header can end its line early. Refuses to know what
the headers mean.
"""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus

from lambdad.protocol.http import HttpResponse

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What a client that sent `Expect: 100-continue` waits for before it sends the body."""

_BODILESS = frozenset({101, 204, 304})
_FRAMING = frozenset({"content-length", "connection", "transfer-encoding"})
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@lru_cache(maxsize=256)
def _status_line(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return f"HTTP/1.1 {status} {phrase}"


@lru_cache(maxsize=512)
def _prefix(name: str) -> str:
    """Return `name: `, or nothing for a header that belongs to the framing."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of an HTTP header")
    return "" if name.lower() in _FRAMING else f"{name}: "


def encode_response(response: HttpResponse, *, keep_alive: bool, head_only: bool = False) -> bytes:
    """Return the bytes of a response.

    `head_only` answers a HEAD request: the length of the body, but not the body. Framing headers
    in the response are ignored, and control characters in header values become spaces, so that
    no value can end its line.

    Raises:
        ValueError: a header name is not a token.
    """
    body = response.body
    bodiless = response.status in _BODILESS
    lines = [_status_line(response.status)]
    for name, value in response.headers.items():
        prefix = _prefix(name)
        if prefix:
            # isprintable() is a fast way to see that nothing needs to be replaced.
            text = value if value.isprintable() else _CONTROL.sub(" ", value)
            lines.append(prefix + text)
    lines.extend(f"Set-Cookie: {_CONTROL.sub(' ', cookie)}" for cookie in response.cookies)
    for name, value in response.repeated:
        if prefix := _prefix(name):
            lines.append(prefix + _CONTROL.sub(" ", value))
    if response.pieces is not None and response.length is None:
        lines.append("Transfer-Encoding: chunked")
    elif not bodiless:
        length = len(body) if response.length is None else response.length
        lines.append(f"Content-Length: {length}")
    if response.upgrade is not None:
        lines.append("Connection: Upgrade\r\n\r\n")
    else:
        lines.append("\r\n" if keep_alive else "Connection: close\r\n\r\n")
    text = "\r\n".join(lines)
    try:
        head = text.encode("latin-1")
    except UnicodeEncodeError:
        head = text.encode("utf-8", "replace")
    return head if head_only or bodiless else head + body


LAST_CHUNK = b"0\r\n\r\n"
"""What ends a body that came in chunks."""


def encode_chunk(piece: bytes) -> bytes:
    """Return a piece of a body as a chunk; it must not be empty, which would end the body."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def closing(response: bytes) -> bytes:
    """Return an encoded response as the last one of its connection."""
    head, end, body = response.partition(b"\r\n\r\n")
    return b"%b\r\nConnection: close%b%b" % (head, end, body)
