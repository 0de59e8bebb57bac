"""When an alarm rings, with data and without; and what is kept of values."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.neighbours.cloudwatch.alarms import Alarm, begins, judge
from lambdad.neighbours.cloudwatch.model import Point, Summary, across_units, summary_of

NOW_S = 1_764_000_030.0
MINUTE = int(NOW_S) // 60 * 60


def alarm(**settings: Any) -> Alarm:
    return Alarm(
        account_id="000000000000",
        region="us-east-1",
        name="a",
        settings={
            "Namespace": "n",
            "MetricName": "m",
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 3,
            "Threshold": 10.0,
            "ComparisonOperator": "GreaterThanThreshold",
            **settings,
        },
        state={"value": "OK"},
        tags={},
    )


def found(*values: float | None) -> dict[int, Summary]:
    """What the last periods have, the one that goes on last."""
    first = MINUTE - 60 * (len(values) - 1)
    return {
        first + 60 * index: summary_of([value], [1.0])
        for index, value in enumerate(values)
        if value is not None
    }


@pytest.mark.parametrize(
    ("values", "settings", "state"),
    [
        ((11, 11, 11), {}, "ALARM"),
        ((11, 9, 11), {}, "OK"),
        ((11, 9, 11), {"DatapointsToAlarm": 2}, "ALARM"),
        ((10, 10, 10), {"ComparisonOperator": "GreaterThanOrEqualToThreshold"}, "ALARM"),
        ((9, 9, 9), {"ComparisonOperator": "LessThanThreshold"}, "ALARM"),
        ((11, 11, 11, None), {}, "ALARM"),  # the period that goes on has no data yet
        ((None, 11, None), {}, "ALARM"),
        ((None, 9, None), {}, "OK"),
        ((None, None, None), {}, "INSUFFICIENT_DATA"),
        ((None, None, None), {"TreatMissingData": "ignore"}, None),
        ((None, None, None), {"TreatMissingData": "breaching"}, "ALARM"),
        ((None, None, None), {"TreatMissingData": "notBreaching"}, "OK"),
        ((None, 11, None), {"TreatMissingData": "notBreaching"}, "OK"),
    ],
)
def test_an_alarm_judges_its_last_periods(
    values: tuple[float | None, ...], settings: dict[str, Any], state: str | None
) -> None:
    judgement = judge(alarm(**settings), found(*values), NOW_S)
    assert (None if judgement is None else judgement.value) == state


def test_the_period_that_goes_on_is_the_last_one() -> None:
    assert begins(alarm(), NOW_S) == [MINUTE - 180, MINUTE - 120, MINUTE - 60, MINUTE]


_VALUES = st.lists(st.integers(-1_000, 1_000).map(float), min_size=1, max_size=30)


@given(st.lists(_VALUES, min_size=1, max_size=5), st.sampled_from([0, 50, 90, 99.9, 100]))
def test_summaries_know_what_the_values_say(batches: list[list[float]], percent: float) -> None:
    points = [Point(7, "None", summary_of(values, [1.0] * len(values))) for values in batches]
    (total,) = across_units(points, 0, 60).values()
    values = sorted(value for batch in batches for value in batch)
    assert (total.count, total.sum) == (len(values), sum(values))
    assert (total.minimum, total.maximum) == (values[0], values[-1])
    rank = max(1, math.ceil(len(values) * percent / 100))
    assert total.statistic(f"p{percent}") == values[rank - 1]
