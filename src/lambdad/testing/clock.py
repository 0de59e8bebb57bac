"""A clock that goes only when told."""

from __future__ import annotations

from datetime import UTC, datetime


class FakeClock:
    """A `lambdad.domain.clock.Clock` under the test's control."""

    def __init__(self, *, epoch_s: float = 1_764_000_000.0) -> None:
        self._epoch_s = epoch_s
        self._elapsed_s = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed_s += seconds

    def set_to(self, epoch_s: float) -> None:
        """Be at another moment; no time passes."""
        self._epoch_s = epoch_s - self._elapsed_s

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._elapsed_s

    def time(self) -> float:
        """Epoch seconds."""
        return self._epoch_s + self._elapsed_s

    def now(self) -> datetime:
        """Aware UTC datetime."""
        return datetime.fromtimestamp(self.time(), UTC)
