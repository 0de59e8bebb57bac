"""What a log event weighs, and what text can be stored. Pure."""

from __future__ import annotations

DAY_MS = 86_400_000

# AWS: 26 bytes are counted for each event beside its UTF-8 text (API reference, PutLogEvents).
EVENT_OVERHEAD_BYTES = 26


def storable(message: str) -> str:
    """Return the message with what UTF-8 cannot express (lone surrogates) replaced."""
    try:
        message.encode()
    except UnicodeEncodeError:
        return message.encode(errors="replace").decode()
    return message


def stored_size(message: str) -> int:
    """Return the bytes an event of this (storable) message counts for."""
    return len(message.encode()) + EVENT_OVERHEAD_BYTES
