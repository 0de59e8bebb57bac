"""A series of measured values and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one measurement.

    Attributes:
        row: of SPECIFICATION.md, or empty for a reference.
        unit: `ms`, `1/s` or `s`.
    """

    row: str
    name: str
    unit: str
    values: Sequence[float]

    def quantile(self, share: float) -> float:
        """Return the smallest value that at least this share of the values does not exceed."""
        ordered = sorted(self.values)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    def line(self) -> str:
        """Return one line for people."""
        figures = "  ".join(
            f"{label} {value:9.2f}"
            for label, value in (
                ("min", min(self.values)),
                ("p50", self.quantile(0.5)),
                ("p99", self.quantile(0.99)),
                ("max", max(self.values)),
            )
        )
        return f"{self.row:4}{self.name:52}{figures} {self.unit:4} n = {len(self.values)}"
