"""How fast a function may be invoked and may grow: numbers and times only, no I/O.

AWS: a function gets up to 1,000 new environments every 10 seconds, and ten synchronous requests a
second for each unit of its concurrency. Both are refilled all the time; what was not used is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

# The time for which the rate of new environments is stated.
_PERIOD_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What holds for every function; 0 lifts a limit.

    Attributes:
        environments: new ones in 10 seconds.
        requests: synchronous ones, in a second, for each unit of concurrency.
    """

    environments: int = 1_000
    requests: int = 10


class TokenBucket:
    """Tokens that come back at a steady rate. Mutable: how many are missing, and since when.

    Rate and capacity come with every call, because a function's concurrency may change.
    """

    __slots__ = ("_at", "_missing")

    def __init__(self) -> None:
        self._missing = 0.0
        self._at = 0.0

    def take(self, now: float, per_s: float, capacity: float) -> bool:
        """Take a token, at `now` monotonic seconds; False when there is none."""
        # Twice as quick as `min` and `max`. The capacity may have become less.
        missing = self._missing if self._missing < capacity else capacity
        missing -= (now - self._at) * per_s
        missing = missing if missing > 0.0 else 0.0
        self._at = now
        if missing + 1.0 > capacity:
            self._missing = missing
            return False
        self._missing = missing + 1.0
        return True


class FunctionRates:
    """The rates of one function. Mutable: its buckets."""

    __slots__ = ("_environments", "_rates", "_requests")

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._requests = TokenBucket()
        self._environments = TokenBucket()

    def request(self, now: float, concurrency: int) -> bool:
        """Count a synchronous request; False when there were too many."""
        per_s = self._rates.requests * concurrency
        return not per_s or self._requests.take(now, per_s, per_s)

    def environment(self, now: float) -> bool:
        """Count a new environment; False when there were too many."""
        number = self._rates.environments
        return not number or self._environments.take(now, number / _PERIOD_S, number)
