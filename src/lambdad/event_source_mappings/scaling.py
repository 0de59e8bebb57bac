"""How many batches of a queue are worked on at once. Pure.

It begins with five, grows while all are at work, by 300 a minute at most, and shrinks where there
is nothing to do or the function is throttled (AWS developer guide, "Scaling behavior").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

INITIAL = 5
IDLE_MIN = 2
STANDARD_MAX = 1_250
_PER_S = 5.0
_BURST = 5.0
_PROVISIONED_PER_S = 1_000 / 60
# A provisioned poller has up to ten batches in hand.
_PER_POLLER = 10


class Scaling:
    """Counts the workers of one mapping. Mutable: `size`, `busy`, and what growth is left."""

    def __init__(self, settings: Mapping[str, Any], now: float) -> None:
        """`settings` are the mapping's; `now` is monotonic, in seconds."""
        pollers = settings.get("ProvisionedPollerConfig")
        concurrency = (settings.get("ScalingConfig") or {}).get("MaximumConcurrency")
        self._per_s = _PROVISIONED_PER_S if pollers else _PER_S
        if pollers:
            self.minimum = self.initial = int(pollers["MinimumPollers"])
            self.maximum = int(pollers["MaximumPollers"]) * _PER_POLLER
        elif concurrency:
            self.maximum = int(concurrency)
            self.minimum = self.initial = min(INITIAL, self.maximum)
        else:
            self.minimum, self.initial, self.maximum = IDLE_MIN, INITIAL, STANDARD_MAX
        self.size = 0
        self.busy = 0
        self._tokens = _BURST
        self._refilled = now

    def begins(self, now: float) -> bool:
        """A worker has got a batch; whether there should be another worker."""
        self.busy += 1
        self._tokens = min(_BURST, self._tokens + (now - self._refilled) * self._per_s)
        self._refilled = now
        if self.busy < self.size or self.size >= self.maximum or self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def ends(self) -> None:
        """A worker is done with its batch."""
        self.busy -= 1

    @property
    def spare(self) -> bool:
        """Whether a worker that has nothing to do may leave."""
        return self.size > self.minimum
