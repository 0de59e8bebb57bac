"""AWS's event stream framing: messages with headers and two checksums, one after the other.

Decides how bytes are laid out; what the events are is the operation's business.
"""

from __future__ import annotations

import struct
from binascii import crc32
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct("!II")
_CHECKSUM = struct.Struct("!I")
_STRING = 7
_OVERHEAD_BYTES = _PRELUDE.size + 2 * _CHECKSUM.size


def encode_message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one message; all headers are strings.

    Raises:
        ValueError: a header's name is longer than 255 bytes or its value than 65,535.
    """
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = _PRELUDE.pack(_OVERHEAD_BYTES + len(encoded) + len(payload), len(encoded))
    head = prelude + _CHECKSUM.pack(crc32(prelude)) + encoded
    return head + payload + _CHECKSUM.pack(crc32(payload, crc32(head)))


def encode_event(kind: str, payload: bytes, *, content_type: str) -> bytes:
    """Return an event message, `kind` as the member of the event stream shape is named."""
    headers = {
        ":message-type": "event",
        ":event-type": kind,
        ":content-type": content_type,
    }
    return encode_message(headers, payload)


def encode_exception(kind: str, payload: bytes) -> bytes:
    """Return the message that ends a stream with a modelled exception; `payload` is JSON."""
    headers = {
        ":message-type": "exception",
        ":exception-type": kind,
        ":content-type": "application/json",
    }
    return encode_message(headers, payload)


def _header(name: str, value: str) -> bytes:
    encoded_name, encoded_value = name.encode(), value.encode()
    if not 0 < len(encoded_name) <= 255 or len(encoded_value) > 65_535:
        raise ValueError(f"a header of an event stream is too long: {name!r}")
    return b"".join(
        (
            bytes((len(encoded_name),)),
            encoded_name,
            bytes((_STRING,)),
            len(encoded_value).to_bytes(2, "big"),
            encoded_value,
        )
    )
