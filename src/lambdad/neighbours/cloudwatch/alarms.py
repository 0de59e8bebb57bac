"""What an alarm is, and when it rings. Pure.

An alarm looks at its last periods, the one that goes on included as soon as it has data. Mutable:
`Alarm`, on the event loop alone and after the database has changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lambdad.neighbours.cloudwatch.model import MetricKey, Summary, dimensions_of

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
ACTIONS = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT: "InsufficientDataActions"}
COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (
        lambda value, line: value >= line,
        "greater than or equal to",
    ),
    "GreaterThanThreshold": (lambda value, line: value > line, "greater than"),
    "LessThanThreshold": (lambda value, line: value < line, "less than"),
    "LessThanOrEqualToThreshold": (lambda value, line: value <= line, "less than or equal to"),
}


@dataclass(slots=True, eq=False, kw_only=True)
class Alarm:
    """An alarm on one metric.

    Attributes:
        settings: members of PutMetricAlarm.
        state: `value`, `reason`, `data`, `updated_ms`, `transitioned_ms`, `configured_ms`.
    """

    account_id: str
    region: str
    name: str
    settings: dict[str, Any]
    state: dict[str, Any]
    tags: dict[str, str]

    @property
    def key(self) -> tuple[str, str, str]:
        """Account, region, name."""
        return (self.account_id, self.region, self.name)

    @property
    def arn(self) -> str:
        """`arn:aws:cloudwatch:region:account:alarm:name`."""
        return f"arn:aws:cloudwatch:{self.region}:{self.account_id}:alarm:{self.name}"

    @property
    def metric(self) -> MetricKey:
        """What it looks at."""
        return MetricKey(
            account_id=self.account_id,
            region=self.region,
            namespace=self.settings["Namespace"],
            name=self.settings["MetricName"],
            dimensions=dimensions_of(self.settings.get("Dimensions")),
        )

    @property
    def period_s(self) -> int:
        """Seconds of a period."""
        return int(self.settings["Period"])

    @property
    def periods(self) -> int:
        """How many periods it looks at."""
        return int(self.settings["EvaluationPeriods"])

    @property
    def statistic(self) -> str:
        """Which statistic of a period it compares."""
        return str(self.settings.get("Statistic") or self.settings["ExtendedStatistic"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What an alarm's state ought to be; `data` is JSON for machines."""

    value: str
    reason: str
    data: str


def begins(alarm: Alarm, now_s: float) -> list[int]:
    """Return when the periods begin that are looked at, and one before them; oldest first."""
    current = int(now_s) // alarm.period_s * alarm.period_s
    return [current - index * alarm.period_s for index in range(alarm.periods, -1, -1)]


def judge(alarm: Alarm, found: Mapping[int, Summary], now_s: float) -> Judgement | None:
    """Say what the state ought to be; None where missing data leaves it as it is."""
    all_begins = begins(alarm, now_s)
    # The current period counts once it has data.
    looked_at = all_begins[1:] if all_begins[-1] in found else all_begins[:-1]
    values = [_value(alarm, found.get(begin)) for begin in looked_at]
    known = [value for value in values if value is not None]
    missing = alarm.settings.get("TreatMissingData") or "missing"
    if not known and missing in ("missing", "ignore"):
        if missing == "ignore":
            return None
        return Judgement(
            value=INSUFFICIENT,
            reason=f"Insufficient Data: {len(values)} datapoints were unknown.",
            data=_data(alarm, looked_at, values, now_s),
        )
    compare, words = COMPARISONS[alarm.settings["ComparisonOperator"]]
    threshold = float(alarm.settings["Threshold"])
    breaching = sum(
        (missing == "breaching") if value is None else compare(value, threshold) for value in values
    )
    needed = int(alarm.settings.get("DatapointsToAlarm") or alarm.periods)
    rings = breaching >= min(needed, len(known) if missing in ("missing", "ignore") else needed)
    count = breaching if rings else len(values) - breaching
    listed = ", ".join(str(value) for value in known)
    reason = (
        f"Threshold Crossed: {count} out of the last {len(values)} datapoints [{listed}] "
        f"{'was' if count == 1 else 'were'} {'' if rings else 'not '}{words} the threshold "
        f"({threshold})."
    )
    return Judgement(
        value=ALARM if rings else OK, reason=reason, data=_data(alarm, looked_at, values, now_s)
    )


def _value(alarm: Alarm, summary: Summary | None) -> float | None:
    return None if summary is None else summary.statistic(alarm.statistic)


def _data(
    alarm: Alarm, looked_at: Sequence[int], values: Sequence[float | None], now_s: float
) -> str:
    document = {
        "version": "1.0",
        "queryDate": stamp(now_s * 1_000),
        "startDate": stamp(looked_at[0] * 1_000),
        "statistic": alarm.statistic,
        "period": alarm.period_s,
        "recentDatapoints": [value for value in values if value is not None],
        "threshold": float(alarm.settings["Threshold"]),
    }
    return json.dumps(document)


def stamp(time_ms: float) -> str:
    """Return a time as CloudWatch's documents have it: `2024-07-16T13:14:42.817+0000`."""
    moment = datetime.fromtimestamp(time_ms / 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1_000:03d}+0000"
