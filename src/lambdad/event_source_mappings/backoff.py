"""How long to wait after failures in a row. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Doubles from `first_s` to `max_s`. Mutable: the failures in a row."""

    first_s: float
    max_s: float
    failures: int = 0

    def failed(self) -> float:
        """Count a failure; returns how long to wait, in seconds."""
        self.failures += 1
        doublings = min(self.failures - 1, 30)
        return float(min(self.first_s * 2**doublings, self.max_s))

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0
