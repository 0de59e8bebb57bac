"""What an invocation used, in the figures that are billed.

Decides how durations are rounded; who keeps the records, and prices, are none of its business.
"""

from __future__ import annotations

from dataclasses import dataclass

GRANULARITY_MS = 1
# AWS billed in these steps until December 2020.
LEGACY_GRANULARITY_MS = 100


def billed_duration_ms(
    duration_ms: float, init_duration_ms: float | None = None, *, granularity_ms: int = 1
) -> int:
    """Round what a REPORT line shows up to whole steps; at least one step.

    AWS: the init phase has been billed for all functions since August 2025. The two durations
    count as they are shown, to a hundredth of a millisecond, so that a reader of the line
    computes the same sum and noise of floating point is never billed.
    """
    hundredths = round(duration_ms * 100)
    if init_duration_ms is not None:
        hundredths += round(init_duration_ms * 100)
    steps = -(-hundredths // (granularity_ms * 100))
    return (steps if steps > 1 else 1) * granularity_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """The restore phase of an environment made from a snapshot; durations in milliseconds.

    Attributes:
        billed_ms: of what the function wanted done after it, rounded up.
    """

    duration_ms: float
    billed_ms: int


def billed_restore_ms(hooks_ms: float) -> int:
    """Round what hooks took after a restore up to whole milliseconds; none took nothing."""
    return -(-round(hooks_ms * 100) // 100)


@dataclass(slots=True, kw_only=True)
class UsageRecord:
    """What one invocation used. Nobody changes one; to say so would double what one costs.

    Attributes:
        version: that ran, `$LATEST` or a number.
        timestamp_ms: when the invocation began, epoch milliseconds.
        duration_ms: of the invoke phase.
        init_duration_ms: of the init phase, None when the environment was warm.
        billed_duration_ms: rounded sum of the two.
        restore: of an environment made from a snapshot, None when it was not; billed apart.
        memory_size_mb: configured, MiB.
        max_memory_used_mb: peak of the environment, MiB.
    """

    version: str
    request_id: str
    timestamp_ms: int
    duration_ms: float
    init_duration_ms: float | None = None
    billed_duration_ms: int
    memory_size_mb: int
    max_memory_used_mb: int
    restore: Restore | None = None

    @property
    def gb_seconds(self) -> float:
        """Configured memory times billed time."""
        billed_ms = self.billed_duration_ms + (self.restore.billed_ms if self.restore else 0)
        return self.memory_size_mb / 1024 * billed_ms / 1000


def peak_memory_mb(peak_bytes: int, memory_size_mb: int) -> int:
    """Return the peak in whole MiB, rounded up, never above the configured size and never 0.

    Where no process could be started there is nothing to measure; AWS prints its own few MiB.
    """
    return max(1, min(-(-peak_bytes // (1024 * 1024)), memory_size_mb))
