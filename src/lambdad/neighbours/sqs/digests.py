"""MD5 digests of what a message carries, as clients compute them again. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from struct import pack
from typing import Any

_TEXT, _BINARY = b"\x01", b"\x02"


def body_digest(body: str) -> str:
    """Return the digest of a body."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def attributes_digest(attributes: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the digest of message attributes; None if there are none."""
    if not attributes:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        kind = value["DataType"]
        binary = kind.startswith("Binary")
        data = value["BinaryValue"] if binary else value["StringValue"].encode()
        for part in (name.encode(), kind.encode()):
            digest.update(pack(">I", len(part)) + part)
        digest.update((_BINARY if binary else _TEXT) + pack(">I", len(data)) + data)
    return digest.hexdigest()
