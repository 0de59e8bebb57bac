"""Requests that came whole and are written as nearly all are, read in one pass.

Refuses nothing: what it does not know for certain it leaves to llhttp, which reads whatever is read
here in the same way, and decides about all the rest. Lines are remembered, as clients repeat them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from lambdad.protocol.http import HttpRequest
from lambdad.protocol.http1_limits import Http1Limits
from lambdad.protocol.request_target import split_target

_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"})
_HEAD_END = b"\r\n\r\n"
# SECURITY: what guests send is remembered, too, and must not be much.
_HEAD_BYTES_MAX = 4_096
_HEADERS_MAX = 64
_LINES_KEPT = 512
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
# They say where a message ends, or what becomes of its connection.
_FRAMING = frozenset({"connection", "expect", "proxy-connection", "transfer-encoding", "upgrade"})


class WholeRequests:
    """Those of one connection. Mutable: the last one, if it was small.

    Clients that sign nothing send the same head again and again.
    """

    __slots__ = ("_last", "_limits", "_size")

    def __init__(self, limits: Http1Limits) -> None:
        self._limits = limits
        self._last = HttpRequest(method="", path="")
        self._size = -1

    def read(self, data: bytes) -> HttpRequest | None:
        """Return the request that the bytes are, neither less nor more; None: llhttp must look."""
        size = len(data)
        if size == self._size:
            last = self._last
            head = last.head
            if data.startswith(head) and data.startswith(_HEAD_END, len(head)):
                return HttpRequest(
                    method=last.method,
                    path=last.path,
                    query=last.query,
                    headers=last.headers,
                    body=data[len(head) + 4 :],
                    head=head,
                )
        request = _read(data, self._limits)
        if request is not None and size <= _HEAD_BYTES_MAX:
            self._last, self._size = request, size
        return request


def _read(data: bytes, limits: Http1Limits) -> HttpRequest | None:
    head, end, body = data.partition(_HEAD_END)
    if not end or not head.isascii() or len(head) > min(_HEAD_BYTES_MAX, limits.head_bytes - 4):
        return None
    lines = head.decode("ascii").split("\r\n")
    asked = _request_line(lines.pop(0))
    if asked is None or len(lines) > _HEADERS_MAX:
        return None
    pairs = list(map(_header, lines))
    if None in pairs:
        return None
    headers: dict[str, str] = dict(pairs)  # type: ignore[arg-type]  # None is not in it
    if len(headers) != len(pairs):
        return None
    size = len(body)
    if size != int(headers.get("content-length", 0)) or size > limits.whole_bytes:
        return None
    method, path, query = asked
    return HttpRequest(method=method, path=path, query=query, headers=headers, body=body, head=head)


@lru_cache(_LINES_KEPT)
def _request_line(line: str) -> tuple[str, str, str] | None:
    """Return method, raw path and query; None for other forms than those usual with servers."""
    method, _, rest = line.partition(" ")
    target = rest.removesuffix(" HTTP/1.1")
    if method not in _METHODS or target == rest or not target.startswith("/"):
        return None
    if "#" in target or " " in target or not target.isprintable():
        return None
    split = split_target(target.encode("ascii"))
    return None if split is None else (method, *split)


@lru_cache(_LINES_KEPT)
def _header(line: str) -> tuple[str, str] | None:
    """Return name in lower case and value; None where there is more to it than that."""
    written, colon, value = line.partition(":")
    if not colon or not _NAME.fullmatch(written) or not value.isprintable():
        return None
    name, value = written.lower(), value.strip(" ")
    if name == "content-length":
        return (name, value) if _LENGTH.fullmatch(value) else None
    if name in _FRAMING and (name != "connection" or value.lower() != "keep-alive"):
        return None
    return name, value
