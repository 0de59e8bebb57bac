"""When a schedule is due. Pure.

A rate begins with its start date, or at once. Of the runs that a stopped daemon missed, the last
one is made up for, if its target still takes events so old: Scheduler promises at least once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lambdad.neighbours.delivery.model import AGE_S
from lambdad.neighbours.scheduler.model import ENABLED, Schedule
from lambdad.neighbours.schedules.expressions import Once, Rate

_MOMENT_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a schedule, in epoch seconds.

    Attributes:
        scheduled_s: as its expression has it.
        due_s: later, if it has a flexible window.
    """

    scheduled_s: float
    due_s: float


def next_run(schedule: Schedule, now_s: float) -> Run | None:
    """Return the next run of a schedule, or None when there is none."""
    if schedule.state != ENABLED:
        return None
    anchor_s = _anchor(schedule)
    age_s = (schedule.target.get("RetryPolicy") or {}).get("MaximumEventAgeInSeconds", AGE_S)
    begin_s = anchor_s
    if isinstance(schedule.parsed, Rate | Once):
        begin_s -= _MOMENT_S
    after_s = max(begin_s, now_s - age_s - schedule.window * 60)
    if schedule.fired_ms is not None:
        after_s = max(after_s, schedule.fired_ms / 1_000)
    # Within its window a run is not late.
    missed_s = now_s - schedule.window * 60
    found = schedule.parsed.next_after(after_s, anchor_s)
    while found is not None:
        later = schedule.parsed.next_after(found, anchor_s)
        if later is None or later > missed_s or _ended(schedule, later):
            break
        found = later
    if found is None or _ended(schedule, found):
        return None
    return Run(scheduled_s=found, due_s=found + _delay(schedule, found))


def has_ended(schedule: Schedule, after_s: float) -> bool:
    """Whether nothing comes after a scheduled time."""
    found = schedule.parsed.next_after(after_s, _anchor(schedule))
    return found is None or _ended(schedule, found)


def _anchor(schedule: Schedule) -> float:
    # AWS: a start date means nothing to what happens once.
    begin_ms = None if isinstance(schedule.parsed, Once) else schedule.begin_ms
    return max(schedule.anchor_ms, begin_ms or 0) / 1_000


def _ended(schedule: Schedule, moment_s: float) -> bool:
    once = isinstance(schedule.parsed, Once)
    return not once and schedule.end_ms is not None and moment_s > schedule.end_ms / 1_000


def _delay(schedule: Schedule, scheduled_s: float) -> float:
    """Return seconds within the window: the same for a run after a restart."""
    if not schedule.window:
        return 0.0
    digest = hashlib.sha256(f"{schedule.arn} {scheduled_s}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * schedule.window * 60
