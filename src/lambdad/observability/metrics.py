"""Counters under CloudWatch's names, by function, since the daemon started and since last taken.

Mutable: the counters. Bounded: functions beyond the first :data:`FUNCTIONS_MAX` share one name.
Who counts does so behind answers: a number is kept each time; the rest is done for many at once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from lambdad.domain.clock import Clock, SystemClock
from lambdad.observability.activity import Activity

FUNCTIONS_MAX = 10_000
OTHERS = "*"

# Durations are told apart to two hundredths of themselves, for percentiles.
_STEPS = 50.0
_LEAST_MS = 0.01
# Durations of which nothing is worked out.
_FRESH_MAX = 1_000


@dataclass(slots=True)
class Statistic:
    """What CloudWatch calls a statistic set."""

    count: int = 0
    sum: float = 0.0
    minimum: float = math.inf
    maximum: float = 0.0

    def add(self, *values: float) -> None:
        """Take values in, at least one."""
        self.count += len(values)
        self.sum += sum(values)
        self.minimum = min(self.minimum, *values)
        self.maximum = max(self.maximum, *values)


@dataclass(slots=True)
class Calls:
    """Invocations of one function, by one name and version, that began in one minute.

    Attributes:
        failed: those of them that failed.
        throttled: refused, in none of the others.
        durations: in milliseconds; valid after :meth:`settle`, as is the next.
        spread: how many took how long, by steps; see :func:`duration_of`.
        taken: whether somebody has taken the figures, so that others are to be counted elsewhere.
    """

    failed: int = 0
    throttled: int = 0
    taken: bool = False
    durations: Statistic = field(default_factory=Statistic)
    spread: dict[int, int] = field(default_factory=dict)
    _fresh: list[float] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there were; valid after :meth:`settle`."""
        return self.durations.count

    def ended(self, duration_ms: float, *, failed: bool) -> None:
        """Count one; what there is to work out is left for later, when it is done for many."""
        if failed:
            self.failed += 1
        fresh = self._fresh
        fresh.append(duration_ms)
        if len(fresh) >= _FRESH_MAX:
            self.settle()

    def settle(self) -> None:
        """Work out the figures."""
        fresh, self._fresh = self._fresh, []
        if fresh:
            self.durations.add(*fresh)
            for step, number in Counter(map(_step_of, fresh)).items():
                self.spread[step] = self.spread.get(step, 0) + number


@dataclass(frozen=True, slots=True)
class CallsKey:
    """Whose `Calls`: the ARN as the caller qualified it, the version that ran, epoch minutes."""

    arn: str
    version: str
    minute: int


class Metrics:
    """Statistics by metric name and function ARN. Used from one event loop.

    Attributes:
        activity: what came to functions last, one by one.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.activity = Activity(self.clock)
        self._statistics: dict[str, dict[str, Statistic]] = {}
        self._fresh: dict[tuple[str, str], Statistic] = {}
        self._calls: dict[tuple[str, str, int], Calls] = {}

    def add(self, name: str, function_arn: str, value: float = 1.0) -> None:
        """Count `value` towards a metric of a function."""
        by_function = self._statistics.setdefault(name, {})
        if function_arn not in by_function and len(by_function) >= FUNCTIONS_MAX:
            function_arn = OTHERS
        by_function.setdefault(function_arn, Statistic()).add(value)
        self._fresh.setdefault((name, function_arn), Statistic()).add(value)

    def calls(self, arn: str, version: str, minute: int) -> Calls:
        """Return where invocations are counted that began in a minute, until `Calls.taken`."""
        key = (arn, version, minute)
        calls = self._calls.get(key)
        if calls is None:
            if len(self._calls) >= FUNCTIONS_MAX:
                key = (OTHERS, "", minute)
            calls = self._calls.setdefault(key, Calls())
        return calls

    def throttled(self, arn: str, at_s: float) -> None:
        """Count an invocation that there was no room for."""
        self.calls(arn, "", int(at_s) // 60).throttled += 1

    def total(self, name: str) -> float:
        """Return the sum of a metric over all functions."""
        return sum(each.sum for each in self._statistics.get(name, {}).values())

    def statistics(self, name: str) -> Mapping[str, Statistic]:
        """Return a metric's statistics by function ARN."""
        return dict(self._statistics.get(name, {}))

    def take(self) -> Mapping[tuple[str, str], Statistic]:
        """Return what was added since the last time, by metric and ARN."""
        fresh, self._fresh = self._fresh, {}
        return fresh

    def take_calls(self) -> Mapping[CallsKey, Calls]:
        """Return the invocations that ended since the last time."""
        calls, self._calls = self._calls, {}
        for each in calls.values():
            each.settle()
            each.taken = True
        return {CallsKey(*key): each for key, each in calls.items()}


def _step_of(duration_ms: float) -> int:
    """Return the step of `Calls.spread` that a duration falls into."""
    return int(_STEPS * math.log(duration_ms if duration_ms > _LEAST_MS else _LEAST_MS))


def duration_of(step: int) -> float:
    """Return the milliseconds that a step of `Calls.spread` stands for."""
    return math.exp((step + 0.5) / _STEPS)
