"""The canonical form of a request: the text that a Signature Version 4 is about. Pure.

S3 encodes the path once, every other service twice and without `.`, `..` and empty segments (IAM
user guide, "Create a signed AWS API request").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from lambdad.protocol.http import HttpRequest

_SPACES = re.compile(r"[ \t\r\n\f\v]+")
# Of longer paths nothing is kept, as anybody may send many.
_USUAL_PATH = 256
_DOTTED = re.compile(r"//|/\.{1,2}(?:/|$)")


def canonical_requests(
    request: HttpRequest, signed_headers: Sequence[str], payload_hash: str, *, single_encoding: bool
) -> Iterator[bytes]:
    """Yield the canonical request as the client sent it, then as AWS would encode it.

    A client may write on the wire what it did not sign letter by letter, for example `:` for
    `%3A`: both name the same resource.
    """
    headers = "".join([f"{name}:{_value(request, name)}\n" for name in signed_headers])
    end = f"{headers}\n{';'.join(signed_headers)}\n{payload_hash}"
    path = request.path or "/"
    encode = _usual_paths if len(path) <= _USUAL_PATH else _paths
    sent_path, own_path = encode(path, single_encoding)
    pairs = _pairs(request.query)
    sent = f"{request.method}\n{sent_path}\n{_query(pairs)}\n{end}".encode("latin-1", "replace")
    yield sent
    own_query = _query([(_encoded(name), _encoded(value)) for name, value in pairs])
    own = f"{request.method}\n{own_path}\n{own_query}\n{end}".encode("latin-1", "replace")
    if own != sent:
        yield own


def _paths(path: str, single_encoding: bool) -> tuple[str, str]:
    """Return the path as the client would have signed it, and as AWS would encode it."""
    if single_encoding:
        return path, quote(unquote_to_bytes(path), safe="/~")
    path = _without_dots(path)
    own = quote(unquote_to_bytes(path), safe="/~")
    return quote(path, safe="/~"), quote(own, safe="/~")


_usual_paths = lru_cache(512)(_paths)


def _value(request: HttpRequest, name: str) -> str:
    value = request.headers.get(name, "")
    if "  " in value or not value.isprintable():
        value = _SPACES.sub(" ", value)
    return value.strip(" ")


def _pairs(query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    split = (pair.partition("=") for pair in query.split("&"))
    return [(name, value) for name, _, value in split if name != "X-Amz-Signature"]


def _query(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(pairs)) if pairs else ""


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", "%20")), safe="")


def _without_dots(path: str) -> str:
    if not _DOTTED.search(path):
        return path
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    last = "/" if path.endswith("/") and kept else ""
    return f"/{'/'.join(kept)}{last}"
