"""Metrics, what was put of them, and statistics of it. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Different values of a point whose frequencies are kept.
_SPREAD_MAX = 500
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricKey:
    """The identity of a metric; `dimensions` are sorted."""

    account_id: str
    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @property
    def dimensions_text(self) -> str:
        """As it is stored."""
        return json.dumps(self.dimensions)


def dimensions_of(entries: Iterable[Mapping[str, Any]] | None) -> tuple[tuple[str, str], ...]:
    """Return dimensions of the service model, sorted."""
    return tuple(sorted((each["Name"], each["Value"]) for each in entries or ()))


@dataclass(slots=True, kw_only=True)
class Summary:
    """What is known of some values.

    Attributes:
        spread: how often each value came; None where that is not known.
    """

    count: float = 0.0
    sum: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    spread: dict[float, float] | None = field(default_factory=dict)

    def add(self, other: Summary) -> None:
        """Take other values in, too."""
        self.count += other.count
        self.sum += other.sum
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        if self.spread is None or other.spread is None:
            self.spread = None
            return
        for value, count in other.spread.items():
            self.spread[value] = self.spread.get(value, 0.0) + count

    def stored_spread(self) -> str | None:
        """Return the spread as text, if it is small enough to be kept."""
        if self.spread is None or len(self.spread) > _SPREAD_MAX:
            return None
        return json.dumps(sorted(self.spread.items()))

    def statistic(self, name: str) -> float | None:
        """Return a statistic, `Sum` or `p99`; None where it is not known."""
        if name == "SampleCount":
            return self.count
        if name == "Average":
            return self.sum / self.count if self.count else None
        if name == "Sum":
            return self.sum
        if name == "Minimum":
            return self.minimum
        if name == "Maximum":
            return self.maximum
        return self._percentile(float(name[1:]))

    def _percentile(self, percent: float) -> float | None:
        if not self.spread:
            return None
        wanted = self.count * percent / 100
        seen = 0.0
        for value, count in sorted(self.spread.items()):
            seen += count
            if seen >= wanted:
                return value
        return self.maximum


def summary_of(values: Sequence[float], counts: Sequence[float]) -> Summary:
    """Summarise values, each as often as its count says."""
    spread: dict[float, float] = {}
    for value, count in zip(values, counts, strict=True):
        spread[value] = spread.get(value, 0.0) + count
    return Summary(
        count=sum(counts),
        sum=sum(value * count for value, count in zip(values, counts, strict=True)),
        minimum=min(values),
        maximum=max(values),
        spread=spread,
    )


def is_statistic(name: str) -> bool:
    """Whether this is a statistic that is served."""
    return name in _PLAIN or _PERCENTILE.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Point:
    """What was put of a metric within a minute or second."""

    at_s: int
    unit: str
    summary: Summary


def by_period(
    points: Iterable[Point], start_s: int, period_s: int, unit: str | None = None
) -> dict[tuple[int, str], Summary]:
    """Summarise points by the begin of their period and their unit."""
    found: dict[tuple[int, str], Summary] = {}
    for point in points:
        if unit is None or point.unit == unit:
            begin = start_s + (point.at_s - start_s) // period_s * period_s
            found.setdefault((begin, point.unit), Summary()).add(point.summary)
    return found


def across_units(points: Iterable[Point], start_s: int, period_s: int) -> dict[int, Summary]:
    """Summarise points by the begin of their period, whatever their unit."""
    merged: dict[int, Summary] = {}
    for (begin, _), summary in by_period(points, start_s, period_s).items():
        merged.setdefault(begin, Summary()).add(summary)
    return merged
