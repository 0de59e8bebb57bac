"""How several events of a stream are kept in one row, and taken out of it. Pure.

A row costs the same with one event as with hundreds: an entry in each index. Their times lie close
together, so that a reader who wants events from a certain time on begins with the rows of no more
than that before it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from lambdad.domain.logs import LogSegment

# From the earliest to the latest event of a row: what a byte can hold.
SPAN_MS = 255
# So much at most is read for the sake of a single event, unless that is longer itself.
_TEXT_MAX = 128 * 1024
_EVENTS_MAX = 2_000
# What `parts` has of each event.
PART_BYTES = 5

# (timestamp_ms, id, message, ingestion_ms, stream name, parts)
Row = tuple[int, int, str, int, str, bytes | None]
# (timestamp_ms, id, message)
Event = tuple[int, int, str]


def pieces(segment: LogSegment) -> Iterator[LogSegment]:
    """Cut a segment into what a row may hold."""
    times, messages = segment.times_ms, segment.messages
    if (
        len(times) <= _EVENTS_MAX
        and max(times) - min(times) <= SPAN_MS
        and sum(map(len, messages)) <= _TEXT_MAX
    ):
        yield segment
        return
    for start, end in pairwise([*_starts(times, messages), len(times)]):
        yield LogSegment(segment.stream, times[start:end], messages[start:end])


def _starts(times: Sequence[int], messages: Sequence[str]) -> Iterator[int]:
    """Yield the indices of the first events of rows."""
    start, size = -1, 0
    first = last = 0
    for index, (at, message) in enumerate(zip(times, messages, strict=True)):
        first, last, size = min(first, at), max(last, at), size + len(message)
        whole = last - first <= SPAN_MS and size <= _TEXT_MAX and index - start < _EVENTS_MAX
        if start < 0 or not whole:
            yield index
            start, size = index, len(message)
            first = last = at


def pack(times: Sequence[int], messages: Sequence[str]) -> bytes | None:
    """Return `parts` of a row that has these events."""
    if len(times) == 1:
        return None
    first = min(times)
    offsets = bytes([at - first for at in times])
    return offsets + struct.pack(f"<{len(messages)}I", *map(len, messages))


def last_ms(row: Row) -> int:
    """Return when the latest event of a row happened."""
    timestamp_ms, parts = row[0], row[5]
    return timestamp_ms if parts is None else timestamp_ms + max(parts[: len(parts) // PART_BYTES])


def unpack(row: Row) -> Sequence[Event]:
    """Return the events of a row, in the order of their identifiers."""
    first_ms, last_id, text, _, _, parts = row
    if parts is None:
        return [(first_ms, last_id, text)]
    count = len(parts) // PART_BYTES
    ends = accumulate(struct.unpack_from(f"<{count}I", parts, count), initial=0)
    return [
        (first_ms + offset, last_id - count + number, text[start:end])
        for number, (offset, (start, end)) in enumerate(
            zip(parts[:count], pairwise(ends), strict=True), start=1
        )
    ]
