"""How many requests pass a front door: token buckets, as API Gateway has them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from lambdad.domain.clock import Clock

_BUCKETS_MAX = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_s: float


class Throttle:
    """Buckets by whatever has a limit of its own. Mutable: how full each is.

    The one that was not used for longest is forgotten, which only fills it up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[Hashable, _Bucket] = {}

    def take(self, key: Hashable, *, rate: float, burst: float) -> bool:
        """Take a token if there is one; `rate` flow in per second, `burst` are there at most."""
        now = self._clock.monotonic()
        bucket = self._buckets.pop(key, None)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS_MAX:
                del self._buckets[next(iter(self._buckets))]
            bucket = _Bucket(tokens=burst, filled_s=now)
        self._buckets[key] = bucket
        bucket.tokens = min(burst, bucket.tokens + (now - bucket.filled_s) * rate)
        bucket.filled_s = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
