"""Counters under CloudWatch's names, by function, since the daemon started.

Mutable: the counters. Bounded: functions beyond the first :data:`FUNCTIONS_MAX` share one name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FUNCTIONS_MAX = 10_000
OTHERS = "*"


@dataclass(slots=True)
class Statistic:
    """What CloudWatch calls a statistic set; minima are left out."""

    count: int = 0
    sum: float = 0.0
    maximum: float = 0.0


class Metrics:
    """Statistics by metric name and function ARN. Used from one event loop."""

    def __init__(self) -> None:
        self._statistics: dict[str, dict[str, Statistic]] = {}

    def add(self, name: str, function_arn: str, value: float = 1.0) -> None:
        """Count `value` towards a metric of a function."""
        by_function = self._statistics.setdefault(name, {})
        if function_arn not in by_function and len(by_function) >= FUNCTIONS_MAX:
            function_arn = OTHERS
        statistic = by_function.setdefault(function_arn, Statistic())
        statistic.count += 1
        statistic.sum += value
        statistic.maximum = max(statistic.maximum, value)

    def total(self, name: str) -> float:
        """Return the sum of a metric over all functions."""
        return sum(each.sum for each in self._statistics.get(name, {}).values())

    def statistics(self, name: str) -> Mapping[str, Statistic]:
        """Return a metric's statistics by function ARN."""
        return dict(self._statistics.get(name, {}))
