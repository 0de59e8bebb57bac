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

_HEAD_END = b"\r\n\r\n"
_VERSION = b" HTTP/1.1"
_METHODS = {method.encode(): method for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH")}
# SECURITY: lines of guests are remembered, too: what is kept must not be much memory.
_HEAD_BYTES_MAX = 4_096
_LINES_KEPT = 512
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
# They say where a message ends, or what becomes of its connection.
_FRAMING = frozenset({"connection", "expect", "proxy-connection", "transfer-encoding", "upgrade"})

# The names that AWS clients and runtime clients send: a look-up is cheaper than lower().decode().
_COMMON_NAMES = """
    Accept Accept-Encoding Amz-Sdk-Invocation-Id Amz-Sdk-Request Authorization Connection
    Content-Length Content-Type Expect Host Lambda-Runtime-Function-Error-Type Transfer-Encoding
    User-Agent X-Amz-Client-Context X-Amz-Content-SHA256 X-Amz-Date X-Amz-Invocation-Type
    X-Amz-Log-Type X-Amz-Security-Token X-Amz-Target X-Amz-User-Agent X-Amzn-Trace-Id
"""
NAMES = {
    form.encode(): name.lower() for name in _COMMON_NAMES.split() for form in (name, name.lower())
}
"""Names of headers as they are often written, to their lower case."""


def read_whole(data: bytes, limits: Http1Limits) -> HttpRequest | None:
    """Return the request that the bytes are, neither less nor more; None where llhttp must look."""
    end = data.find(_HEAD_END, 0, _HEAD_BYTES_MAX)
    if end < 0:
        return None
    lines = data[:end].split(b"\r\n")
    asked = _request_line(lines.pop(0))
    if asked is None:
        return None
    pairs = list(map(_header, lines))
    if None in pairs:
        return None
    headers: dict[str, str] = dict(pairs)  # type: ignore[arg-type]  # None is not in it
    if len(headers) != len(pairs):
        return None
    end += 4
    length = headers.get("content-length")
    size = 0 if length is None else int(length)
    if len(data) - end != size or size > limits.whole_bytes or end > limits.head_bytes:
        return None
    method, path, query = asked
    return HttpRequest(
        method=method, path=path, query=query, headers=headers, body=data[end:], head=data[:end]
    )


@lru_cache(_LINES_KEPT)
def _request_line(line: bytes) -> tuple[str, str, str] | None:
    """Return method, raw path and query; None for other forms than those usual with servers."""
    method, _, rest = line.partition(b" ")
    name = _METHODS.get(method)
    target = rest.removesuffix(_VERSION)
    if name is None or target is rest or not target.startswith(b"/") or b"#" in target:
        return None
    text = target.decode("latin-1")
    if " " in text or not text.isascii() or not text.isprintable():
        return None
    split = split_target(target)
    return None if split is None else (name, *split)


@lru_cache(_LINES_KEPT)
def _header(line: bytes) -> tuple[str, str] | None:
    """Return name in lower case and value; None where there is more to it than that."""
    name, colon, value = line.partition(b":")
    key = NAMES.get(name)
    if key is None:
        if not _NAME.fullmatch(name):
            return None
        key = name.decode("ascii").lower()
    text = value.decode("latin-1").strip(" ")
    if not colon or not text.isascii() or not text.isprintable():
        return None
    if key == "content-length":
        return (key, text) if _LENGTH.fullmatch(text) else None
    if key in _FRAMING and (key != "connection" or text.lower() != "keep-alive"):
        return None
    return key, text
