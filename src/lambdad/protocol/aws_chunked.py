"""Payloads in chunks (`aws-chunked`), as S3's clients send them: each signed, or with trailers.

Decides what the payload is and whether every chunk and trailer is signed as the request says.
Whether the request itself is signed rightly `sigv4_verification` has to have checked before.
"""

from __future__ import annotations

import hashlib
import hmac
import mmap
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4 import Signature
from lambdad.protocol.sigv4_refusals import Fault, SignatureRefused
from lambdad.protocol.sigv4_verification import STREAMING, signing_key

_EMPTY = hashlib.sha256(b"").hexdigest()
_HEAD = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_HEAD_BYTES_MAX = 256
_TRAILERS_BYTES_MAX = 16 * 1024
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class MalformedChunks(Exception):
    """The body is not what its headers say: S3's `IncompleteBody`, 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What was in the chunks.

    Attributes:
        trailers: names in lower case; checksums, as a rule.
    """

    data: bytes
    trailers: Mapping[str, str] = field(default_factory=dict)


def is_chunked(request: HttpRequest) -> bool:
    """Whether the body of a request is `aws-chunked`."""
    return request.headers.get("x-amz-content-sha256", "").startswith(STREAMING)


Take = Callable[[memoryview], None]


def payload_of(
    request: HttpRequest,
    signature: Signature | None,
    secret: str | None,
    *,
    source: mmap.mmap | None = None,
    take: Take | None = None,
) -> Payload:
    """Return the payload of a request whose :func:`is_chunked` is true.

    A body in a file is read from `source`; its data go to `take`, and the payload has none.

    Without `secret` the chunks' signatures are not looked at: use that only for callers who need
    not prove who they are.

    Raises:
        MalformedChunks: it cannot be read, or is not as long as it says.
        SignatureRefused: a chunk or the trailers are not signed rightly.
    """
    mode = request.headers["x-amz-content-sha256"]
    chain = None
    if signature is not None and secret is not None and "UNSIGNED" not in mode:
        chain = _Chain(signature, secret)
    pieces: list[memoryview] = []
    body = request.body if source is None else source
    size, rest = _chunks(body, chain, pieces.append if take is None else take)
    announced = request.headers.get("x-amz-decoded-content-length")
    if announced is not None and announced.strip() != str(size):
        raise MalformedChunks(
            f"The chunks hold {size} bytes, x-amz-decoded-content-length says {announced}."
        )
    trailers = _trailers(rest, chain if "TRAILER" in mode else None)
    return Payload(data=b"".join(pieces), trailers=trailers)


class _Chain:
    """Every signature covers the one before. Mutable: the last one."""

    def __init__(self, signature: Signature, secret: str) -> None:
        self._key = signing_key(secret, signature)
        self._scope = f"{signature.timestamp}\n{signature.credential.scope}"
        self._last = signature.value

    def check_chunk(self, data: memoryview, given: bytes | None) -> None:
        """Refuse a chunk that is not signed as the next one."""
        digest = hashlib.sha256(data).hexdigest()
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{digest}", given)

    def check_trailers(self, text: bytes, given: bytes | None) -> None:
        """Refuse trailers that are not signed as the end."""
        self._check("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(text).hexdigest(), given)

    def _check(self, kind: str, what: str, given: bytes | None) -> None:
        to_sign = f"{kind}\n{self._scope}\n{self._last}\n{what}"
        own = hmac.digest(self._key, to_sign.encode(), "sha256").hex()
        if given is None or not hmac.compare_digest(own.encode(), given):
            raise SignatureRefused(Fault.CHUNK)
        self._last = own


def _chunks(body: bytes | mmap.mmap, chain: _Chain | None, take: Take) -> tuple[int, bytes]:
    """Hand over the data of all chunks; returns their size, and what follows the last one."""
    view, place, total = memoryview(body), 0, 0
    while True:
        end = body.find(b"\r\n", place, place + _HEAD_BYTES_MAX)
        match = _HEAD.fullmatch(body, place, end) if end >= 0 else None
        if match is None:
            raise MalformedChunks(f"There is no chunk at byte {place}.")
        size, place = int(match[1], 16), end + 2
        data = view[place : place + size]
        if len(data) < size:
            raise MalformedChunks(f"The chunk at byte {place} ends before its {size} bytes.")
        if chain is not None:
            chain.check_chunk(data, match[2])
        if size == 0:
            return total, body[place : place + _TRAILERS_BYTES_MAX + 1]
        take(data)
        total += size
        place += size
        if body[place : place + 2] != b"\r\n":
            raise MalformedChunks(f"The chunk before byte {place} is longer than it says.")
        place += 2


def _trailers(rest: bytes, chain: _Chain | None) -> Mapping[str, str]:
    if len(rest) > _TRAILERS_BYTES_MAX:
        raise MalformedChunks("The trailers are too long.")
    found: dict[str, str] = {}
    for line in rest.replace(b"\r\n", b"\n").split(b"\n"):
        if line:
            name, separator, value = line.decode("latin-1").partition(":")
            if not separator or name.strip().lower() in found:
                raise MalformedChunks("A trailer is no header.")
            found[name.strip().lower()] = value.strip()
    given = found.pop(_TRAILER_SIGNATURE, None)
    if chain is not None:
        text = "".join(f"{name}:{value}\n" for name, value in found.items())
        chain.check_trailers(text.encode("latin-1"), given.encode("latin-1") if given else None)
    return found
