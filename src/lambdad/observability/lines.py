"""Turns bytes that a guest writes into log events.

The guest is hostile: whatever comes, memory stays bounded, nothing is raised and every event is
valid text of at most 256 KiB. Who wrote the bytes, and where events go, is not known here.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from lambdad.domain import limits
from lambdad.observability.levels import credible

_HEADER = struct.Struct(">IIQ")
_MAGIC_TEXT = 0xA55A0003
_MAGIC_JSON = 0xA55A0002
_LEVELS = {
    0x00: None,
    0x04: "TRACE",
    0x08: "DEBUG",
    0x0C: "INFO",
    0x10: "WARN",
    0x14: "ERROR",
    0x18: "FATAL",
}
_KINDS = {
    magic | bits: (magic == _MAGIC_JSON, level)
    for magic in (_MAGIC_TEXT, _MAGIC_JSON)
    for bits, level in _LEVELS.items()
}
# What a frame begins with: a known magic number and a length below 8 MiB (more than a function may
# answer; a longer one is a lie). No UTF-8 text holds these bytes. One pattern finds them, so that
# a flood of false headers costs little.
_BEGINNING = re.compile(
    b"\xa5\x5a\x00[" + bytes(sorted(kind & 0xFF for kind in _KINDS)) + b"]\x00[\x00-\x7f]"
)
_A_BEGINNING = b"\xa5\x5a\x00\x03\x00\x00"


def split_event(text: str, limit: int = limits.LOG_EVENT_BYTES_MAX) -> Iterator[str]:
    """Yield the text in pieces of at most `limit` bytes of UTF-8; never an empty piece."""
    if len(text) * 4 <= limit or (text.isascii() and len(text) <= limit):
        if text:
            yield text
        return
    data = text.encode("utf-8", "replace")
    start = 0
    while start < len(data):
        end = min(start + limit, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield data[start:end].decode("utf-8")
        start = end


class LineSplitter:
    """Cuts a stream at its newlines. Mutable: the beginning of a line that has not ended yet."""

    def __init__(self, limit: int = limits.LOG_EVENT_BYTES_MAX) -> None:
        """`limit` is the most bytes of UTF-8 that an event may have; at least 4."""
        self._limit = limit
        self._partial = bytearray()

    @property
    def unfinished(self) -> bool:
        """Whether a line has not ended."""
        return bool(self._partial)

    def feed(self, data: bytes) -> list[str]:
        """Return the events that `data` completes, each with its newline if it has one."""
        end = data.rfind(b"\n") + 1
        if not end:
            return self._keep(data)
        if self._partial:
            self._partial += data[:end]
            whole, self._partial = bytes(self._partial), bytearray()
        else:
            whole = data[:end]
        # Newlines are never part of another character, so decoding first gives the same lines.
        lines = whole.decode("utf-8", "replace").split("\n")
        lines.pop()
        short = self._limit // 4
        events: list[str] = []
        for line in lines:
            if len(line) < short:
                events.append(line + "\n")
            else:
                events.extend(split_event(line + "\n", self._limit))
        return events + self._keep(data[end:])

    def flush(self) -> list[str]:
        """Return what is left as events, although its line has not ended."""
        if not self._partial:
            return []
        rest, self._partial = bytes(self._partial), bytearray()
        return list(split_event(rest.decode("utf-8", "replace"), self._limit))

    def _keep(self, data: bytes) -> list[str]:
        partial = self._partial
        partial += data
        events: list[str] = []
        while len(partial) > self._limit:
            cut = _character_boundary(partial, self._limit)
            events.extend(split_event(partial[:cut].decode("utf-8", "replace"), self._limit))
            del partial[:cut]
        return events


@dataclass(slots=True, kw_only=True)
class Frame:
    """A log record that a runtime framed, or text found between frames. Nobody changes one.

    Attributes:
        timestamp_us: epoch microseconds as the guest says, None for unframed text.
        level: as the guest says, None when it says none.
        is_json: whether the guest calls the text a JSON object; nobody has looked.
    """

    text: str
    timestamp_us: int | None = None
    level: str | None = None
    is_json: bool = False

    def happened_ms(self, now_ms: int) -> int:
        """Epoch milliseconds of the record; the present unless the guest's word is credible."""
        return credible(None if self.timestamp_us is None else self.timestamp_us // 1000, now_ms)


@dataclass(slots=True, kw_only=True)
class _Open:
    """The frame being read. Mutable: how many bytes of its payload are still to come."""

    missing: int
    timestamp_us: int
    level: str | None
    is_json: bool

    def frames(self, payload: bytes | bytearray, limit: int) -> list[Frame]:
        return [
            Frame(text=text, timestamp_us=self.timestamp_us, level=self.level, is_json=self.is_json)
            for text in split_event(payload.decode("utf-8", "replace"), limit)
        ]


class FrameReader:
    """Reads the framed log pipe; bytes that are no frame are taken for lines of text.

    Mutable: bytes not yet understood, the frame being read, the line being read between frames.
    """

    def __init__(self, limit: int = limits.LOG_EVENT_BYTES_MAX) -> None:
        """`limit` is the most bytes of UTF-8 that an event may have; at least 4."""
        self._limit = limit
        self._buffer = bytearray()
        self._open: _Open | None = None
        self._text = LineSplitter(limit)

    def feed(self, data: bytes) -> list[Frame]:
        """Return the records that `data` completes."""
        frames: list[Frame] = []
        if self._open is None and not self._buffer and not self._text.unfinished:
            data = data[self._take_whole(data, frames) :]
        self._buffer += data
        while self._buffer:
            before = len(self._buffer)
            if self._open is None:
                frames += self._find()
            else:
                frames += self._read_payload(self._open)
            if len(self._buffer) == before:
                break
        return frames

    def _take_whole(self, data: bytes, frames: list[Frame]) -> int:
        """Read short frames that are there as a whole, as nearly all are; returns where they end.

        As :meth:`_find` and :meth:`_read_payload` would, without their copies.
        """
        position, end, longest = 0, len(data), self._limit // 4
        while end - position >= _HEADER.size and _BEGINNING.match(data, position):
            magic, length, timestamp_us = _HEADER.unpack_from(data, position)
            start = position + _HEADER.size
            if length > longest or start + length > end:
                break
            position = start + length
            is_json, level = _KINDS[magic]
            if length:
                text = data[start:position].decode("utf-8", "replace")
                frames.append(
                    Frame(text=text, timestamp_us=timestamp_us, level=level, is_json=is_json)
                )
        return position

    def flush(self) -> list[Frame]:
        """Return what is left as records; a frame that was cut off ends here."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        cut, self._open = self._open, None
        if cut is not None:
            return cut.frames(rest, self._limit)
        return self._as_text(rest) + [Frame(text=text) for text in self._text.flush()]

    def _find(self) -> list[Frame]:
        """Go to the beginning of a frame; what lies before it is text."""
        buffer = self._buffer
        found = _BEGINNING.search(buffer)
        if found is None:
            return self._skip(len(buffer) - _possible_beginning(buffer))
        if found.start() > 0:
            return self._skip(found.start())
        if len(buffer) < _HEADER.size:
            return []
        magic, length, timestamp_us = _HEADER.unpack_from(buffer)
        is_json, level = _KINDS[magic]
        del buffer[: _HEADER.size]
        self._open = _Open(missing=length, timestamp_us=timestamp_us, is_json=is_json, level=level)
        return self._end_text() + self._read_payload(self._open)

    def _read_payload(self, frame: _Open) -> list[Frame]:
        """Take what is there of the payload; long ones in pieces, so that nothing piles up."""
        buffer = self._buffer
        if len(buffer) >= frame.missing:
            size = frame.missing
            self._open = None
        elif len(buffer) > self._limit:
            size = _character_boundary(buffer, len(buffer))
        else:
            return []
        frame.missing -= size
        payload = buffer[:size]
        del buffer[:size]
        return frame.frames(payload, self._limit)

    def _skip(self, size: int) -> list[Frame]:
        text = bytes(self._buffer[:size])
        del self._buffer[:size]
        return self._as_text(text)

    def _end_text(self) -> list[Frame]:
        return [Frame(text=text) for text in self._text.flush()]

    def _as_text(self, data: bytes) -> list[Frame]:
        return [Frame(text=text) for text in self._text.feed(data)] if data else []


def _possible_beginning(data: bytes | bytearray) -> int:
    """Return how many bytes at the end may be the beginning of a frame's beginning."""
    position = data.rfind(0xA5, max(0, len(data) - len(_A_BEGINNING) + 1))
    if position < 0:
        return 0
    # The longest beginning that the missing bytes could still complete.
    rest = bytes(data[position:])
    completed = rest + _A_BEGINNING[len(rest) :]
    return len(rest) if _BEGINNING.match(completed) else 0


def _character_boundary(data: bytes | bytearray, end: int) -> int:
    """Return the last position up to `end` that does not cut a UTF-8 character."""
    for back in range(1, min(3, end - 1) + 1):
        byte = data[end - back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return end - back if needed > back else end
    return end
