"""`rate(…)`, `cron(…)` and `at(…)`: when a schedule is due next. Pure.

AWS: a time that clocks skip in spring is skipped, one that they repeat in autumn comes once. Rates
count elapsed time from an anchor and know no clocks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from lambdad.neighbours.schedules.cron import Cron, InvalidExpression

_RATE = re.compile(r"rate\((\d{1,9}) (minutes?|hours?|days?)\)", re.ASCII)
_CRON = re.compile(r"cron\(([^()]*)\)")
_AT = re.compile(r"at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)", re.ASCII)
_SECONDS = {"minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Every so many seconds."""

    seconds: int

    def next_after(self, epoch_s: float, anchor_s: float) -> float | None:
        """Return the first time after `epoch_s`, counted from the anchor."""
        passed = max(0, int((epoch_s - anchor_s) // self.seconds) + 1)
        return anchor_s + passed * self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Clockwork:
    """By a clock on a wall of some zone."""

    cron: Cron
    zone: tzinfo = UTC

    def next_after(self, epoch_s: float, anchor_s: float) -> float | None:
        """Return the first time after `epoch_s`, or None if there is none."""
        # Where clocks go back, an earlier reading may still be a later time.
        local = datetime.fromtimestamp(epoch_s, self.zone).replace(tzinfo=None)
        for found in self.cron.after(local - timedelta(hours=3)):
            moment = on_wall(found, self.zone)
            if moment is not None and moment > epoch_s:
                return moment
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """One time, in epoch seconds; None if the zone's clocks skip it."""

    moment_s: float | None

    def next_after(self, epoch_s: float, anchor_s: float) -> float | None:
        """Return the time, if it is still to come."""
        return self.moment_s if self.moment_s is not None and self.moment_s > epoch_s else None


Expression = Rate | Clockwork | Once


def parse(text: str, zone: tzinfo = UTC, *, once: bool = False) -> Expression:
    """Read an expression; `at` is one where `once` says so.

    Raises:
        InvalidExpression: it is none.
    """
    if rate := _RATE.fullmatch(text):
        count, unit = int(rate[1]), rate[2]
        if count < 1 or (count == 1) == unit.endswith("s"):
            raise InvalidExpression("a rate is 1 minute, or 2 and more minutes")
        return Rate(seconds=count * _SECONDS[unit.rstrip("s")])
    if cron := _CRON.fullmatch(text):
        return Clockwork(cron=Cron.parse(cron[1]), zone=zone)
    at = _AT.fullmatch(text) if once else None
    if at is None:
        raise InvalidExpression(f"{text} is no schedule expression")
    try:
        moment = datetime.fromisoformat(at[1])
    except ValueError as error:
        raise InvalidExpression(str(error)) from error
    return Once(moment_s=on_wall(moment, zone))


def on_wall(moment: datetime, zone: tzinfo) -> float | None:
    """Return when a zone's clocks show a time first; None if they skip it."""
    aware = moment.replace(tzinfo=zone)
    epoch_s = aware.timestamp()
    shown = datetime.fromtimestamp(epoch_s, zone).replace(tzinfo=None)
    return epoch_s if shown == moment else None


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name in the IANA database.

    Raises:
        InvalidExpression: there is none of that name.
    """
    if name == "UTC":
        return UTC
    if name not in available_timezones():
        raise InvalidExpression(f"{name} is no time zone")
    return ZoneInfo(name)
