"""How much memory the host has left for environments, without asking it each time.

Asking costs a quarter of a millisecond after a pause, as much as the rest of admitting an
environment. So the figure of the last two seconds is used, less what was admitted since, as long
as the need is small beside it; near the edge the host is asked.
"""

from __future__ import annotations

from collections.abc import Callable

from lambdad.domain.clock import Clock

_RECENT_S = 2.0
_SMALL_SHARE = 8


class HostRoom:
    """Mutable: the last figure, when it was taken, and what was admitted since."""

    def __init__(self, available: Callable[[], int], clock: Clock) -> None:
        """`available`: bytes that the host has left for environments at this moment."""
        self._available = available
        self._clock = clock
        self._seen: int | None = None
        self._seen_at = 0.0

    def left(self, need: int) -> int:
        """Bytes that are left, current if `need` bytes are a large part of them."""
        recent = self._clock.monotonic() - self._seen_at < _RECENT_S
        if self._seen is None or not recent or need * _SMALL_SHARE > self._seen:
            return self.look()
        return self._seen

    def look(self) -> int:
        """Ask the host; returns bytes."""
        self._seen = self._available()
        self._seen_at = self._clock.monotonic()
        return self._seen

    def admitted(self, size: int) -> None:
        """Count what will be used soon and is not yet."""
        if self._seen is not None:
            self._seen -= size
