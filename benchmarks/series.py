"""A series of measured values and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEADING = f"{'':4}{'':64}{'p50':>10}{'p95':>10}{'p99':>10}{'max':>10}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one measurement.

    Attributes:
        row: of SPECIFICATION.md, or empty for a reference.
        unit: `ms`, `us`, `1/s`, `MiB`, `GiB` or `x`, a ratio.
        curve: what grows along a curve that this is a point of, at `x`; else empty.
    """

    row: str
    name: str
    unit: str
    values: Sequence[float]
    curve: str = ""
    x: float = 0.0

    def quantile(self, share: float) -> float:
        """Return the smallest value that at least this share of the values does not exceed."""
        ordered = sorted(self.values)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    def line(self) -> str:
        """Return one line for people."""
        if len(self.values) == 1:
            figures = f"{self.values[0]:10.2f}{'':30}"
        else:
            figures = "".join(f"{self.quantile(share):10.2f}" for share in (0.5, 0.95, 0.99, 1))
        return f"{self.row:4}{self.name:64}{figures} {self.unit:4} n = {len(self.values)}"

    def document(self) -> dict[str, object]:
        """Return what is written as JSON."""
        return {
            "row": self.row,
            "name": self.name,
            "unit": self.unit,
            "p50": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "p99": self.quantile(0.99),
            "n": len(self.values),
            "curve": self.curve,
            "x": self.x,
            "values": list(self.values),
        }
