"""The end of one invocation's log, for callers that ask for it."""

from __future__ import annotations

from lambdad.domain import limits


class LogTail:
    """Keeps the last bytes of the text it is given. Mutable: those bytes."""

    def __init__(self, limit: int = limits.LOG_TAIL_BYTES) -> None:
        self._limit = limit
        self._data = bytearray()

    def add(self, text: str) -> None:
        """Append text; costs no more than the limit, however long the text is."""
        self._data += text[-self._limit :].encode("utf-8", "replace")
        if len(self._data) > 8 * self._limit:
            # More than the limit stays, so that content() sees a first character that was cut.
            del self._data[: -2 * self._limit]

    def clear(self) -> None:
        """Forget everything: the next invocation begins."""
        self._data.clear()

    def content(self) -> bytes:
        """Return the last bytes as UTF-8, beginning with a whole character."""
        end = bytes(self._data[-self._limit :])
        if len(self._data) <= self._limit:
            return end
        start = 0
        while start < min(3, len(end)) and end[start] & 0xC0 == 0x80:
            start += 1
        return end[start:]
