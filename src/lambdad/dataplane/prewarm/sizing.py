"""How many environments of a kind are kept ready: follows what was started lately.

Pure: demand in, number out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

K = TypeVar("K")

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


def next_kind(ready: Mapping[K, int], targets: Mapping[K, int]) -> K | None:
    """Return the first kind of which fewer are ready than there should be, if any."""
    return next((kind for kind, target in targets.items() if ready.get(kind, 0) < target), None)


def surplus_kind(ready: Mapping[K, int], targets: Mapping[K, int]) -> K | None:
    """Return the kind of which most are ready beyond what there should be, if any.

    A wave leaves them behind; when there is no room left, they make way for other kinds.
    """
    beyond = {kind: count - targets.get(kind, 0) for kind, count in ready.items()}
    most = max(beyond, key=lambda kind: beyond[kind], default=None)
    return most if most is not None and beyond[most] > 0 else None
