"""What a log event weighs, what fits into a page, and what text can be stored. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lambdad.domain.logs import LogEvent, LogQuery

DAY_MS = 86_400_000

# AWS: 26 bytes are counted for each event beside its UTF-8 text (API reference, PutLogEvents).
EVENT_OVERHEAD_BYTES = 26


def storable(message: str) -> str:
    """Return the message with what UTF-8 cannot express (lone surrogates) replaced."""
    if message.isascii():
        return message
    try:
        message.encode()
    except UnicodeEncodeError:
        return message.encode(errors="replace").decode()
    return message


def stored_size(message: str) -> int:
    """Return the bytes an event of this (storable) message counts for."""
    size = len(message) if message.isascii() else len(message.encode())
    return size + EVENT_OVERHEAD_BYTES


def page(events: Iterable[LogEvent], query: LogQuery) -> Sequence[LogEvent]:
    """Return the first events that fit the query; takes no more from `events` than one too many."""
    found: list[LogEvent] = []
    room = query.max_bytes
    for event in events:
        if room is not None:
            room -= stored_size(event.message)
            if room < 0 and found:
                break
        found.append(event)
        if len(found) == query.limit:
            break
    return found
