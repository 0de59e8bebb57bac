"""How many environments of a kind are kept ready: follows what was started lately.

Pure: demand in, number out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

# Cold starts within so long count as one wave, which may come again.
_WAVE_S = 10.0
# A kind that nobody has asked for any more in this time needs none.
_FORGOTTEN_S = 900.0


@dataclass(slots=True)
class Demand:
    """When environments of one kind were asked for, in seconds of a monotonic clock.

    Attributes:
        starts: the last ones, oldest first.
        known_since: when the kind was last heard of, by a deployment or a start.
    """

    starts: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    known_since: float = 0.0

    def started(self, now: float) -> None:
        """An environment was asked for."""
        self.starts.append(now)
        self.known_since = now


def wanted(demand: Demand, now: float, *, least: int, most: int) -> int:
    """Return how many to keep ready.

    As many as the last wave needed, within the bounds; none for a kind that is out of use.
    """
    if now - demand.known_since > _FORGOTTEN_S:
        return 0
    wave = sum(1 for start in demand.starts if now - start <= _WAVE_S)
    return min(most, max(least, wave))
