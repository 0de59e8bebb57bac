"""Metrics: putting them, listing them, and statistics of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.cloudwatch import rows
from lambdad.neighbours.cloudwatch.errors import (
    InvalidNextToken,
    InvalidParameterCombinationException,
    InvalidParameterValueException,
    MissingRequiredParameterException,
)
from lambdad.neighbours.cloudwatch.model import (
    MetricKey,
    Point,
    Summary,
    across_units,
    by_period,
    dimensions_of,
    is_statistic,
    summary_of,
)
from lambdad.neighbours.cloudwatch.service import CLOUDWATCH, Context, moment, seconds

_PAGE = 500
_DATAPOINTS_MAX = 1_440
_AHEAD_S, _AGE_S = 2 * 3_600, 14 * 86_400
_ACTIVE_S = 3 * 3_600


@CLOUDWATCH.operation("PutMetricData")
async def put_metric_data(context: Context, params: Params) -> Result:
    """Add values to metrics; durable when this returns."""
    namespace = params["Namespace"]
    if namespace.startswith("AWS/"):
        raise InvalidParameterValueException("The value AWS/ for parameter Namespace is invalid.")
    if not params.get("MetricData"):
        raise MissingRequiredParameterException("The parameter MetricData is required.")
    now_s = context.services.now_ms() // 1_000
    found: dict[MetricKey, list[Point]] = {}
    for number, datum in enumerate(params["MetricData"], 1):
        key = MetricKey(
            account_id=context.account_id,
            region=context.region,
            namespace=namespace,
            name=datum["MetricName"],
            dimensions=dimensions_of(datum.get("Dimensions")),
        )
        at_s = seconds(datum["Timestamp"]) if datum.get("Timestamp") else now_s
        if not now_s - _AGE_S <= at_s <= now_s + _AHEAD_S:
            raise InvalidParameterValueException(
                f"The parameter MetricData.member.{number}.Timestamp must specify a time no more "
                "than two weeks in the past, and no more than two hours in the future."
            )
        step = 1 if datum.get("StorageResolution") == 1 else 60
        point = Point(at_s // step * step, datum.get("Unit") or "None", _summary(datum, number))
        found.setdefault(key, []).append(point)
    await context.services.put(found)
    return {}


def _summary(datum: Mapping[str, Any], number: int) -> Summary:
    place = f"MetricData.member.{number}"
    value, several, statistics = (
        datum.get(name) for name in ("Value", "Values", "StatisticValues")
    )
    if sum(each is not None for each in (value, several, statistics)) > 1:
        raise InvalidParameterCombinationException(
            f"The parameters {place}.Value, Values and StatisticValues are mutually exclusive."
        )
    if statistics is not None:
        return Summary(
            count=statistics["SampleCount"],
            sum=statistics["Sum"],
            minimum=statistics["Minimum"],
            maximum=statistics["Maximum"],
            spread=None,
        )
    values = [value] if value is not None else several
    if not values:
        raise MissingRequiredParameterException(f"The parameter {place}.Value is required.")
    counts = datum.get("Counts") or [1.0] * len(values)
    if len(counts) != len(values):
        raise InvalidParameterValueException(
            f"The parameters {place}.Values and {place}.Counts must be of the same size."
        )
    return summary_of(values, counts)


@CLOUDWATCH.operation("ListMetrics")
async def list_metrics(context: Context, params: Params) -> Result:
    """Return metrics by filters; a token is the id of the last one before."""
    token = params.get("NextToken") or "0"
    if re.fullmatch(r"\d{1,18}", token) is None:
        raise InvalidParameterValueException("The token is not valid.")
    job = partial(
        rows.metrics, account_id=context.account_id, region=context.region, after=int(token)
    )
    oldest = 0
    if params.get("RecentlyActive"):
        oldest = context.services.now_ms() // 1_000 - _ACTIVE_S
    wanted = params.get("Dimensions") or ()
    found = [
        (number, key)
        for number, key, last_s in await context.services.db.read(job)
        if last_s >= oldest
        and params.get("Namespace") in (None, key.namespace)
        and params.get("MetricName") in (None, key.name)
        and all(_has(key, each) for each in wanted)
    ]
    more = len(found) > _PAGE
    return {
        "Metrics": [_described(key) for _, key in found[:_PAGE]],
        "NextToken": str(found[_PAGE - 1][0]) if more else None,
    }


def _has(key: MetricKey, wanted: Mapping[str, Any]) -> bool:
    return any(
        name == wanted["Name"] and wanted.get("Value") in (None, value)
        for name, value in key.dimensions
    )


def _described(key: MetricKey) -> Mapping[str, Any]:
    return {
        "Namespace": key.namespace,
        "MetricName": key.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in key.dimensions],
    }


@CLOUDWATCH.operation("GetMetricStatistics")
async def get_metric_statistics(context: Context, params: Params) -> Result:
    """Return statistics of a metric, period by period."""
    period_s = params["Period"]
    start_s, end_s = seconds(params["StartTime"]), seconds(params["EndTime"])
    _check_range(start_s, end_s, period_s)
    plain, extended = params.get("Statistics") or (), params.get("ExtendedStatistics") or ()
    if not plain and not extended:
        raise MissingRequiredParameterException(
            "Must specify either Statistics or ExtendedStatistics."
        )
    for each in extended:
        _check_statistic(each)
    if (end_s - start_s) / period_s > _DATAPOINTS_MAX:
        raise InvalidParameterCombinationException(
            f"You have requested up to {(end_s - start_s) // period_s} datapoints, which exceeds "
            f"the limit of {_DATAPOINTS_MAX:,}. You may reduce the datapoints requested by "
            "increasing Period, or decreasing the time range."
        )
    key = _metric(context, params)
    start_s = start_s // period_s * period_s if period_s < 86_400 else start_s // 60 * 60
    points = await context.services.points(key, start_s, end_s)
    datapoints = []
    for (begin, unit), summary in sorted(
        by_period(points, start_s, period_s, params.get("Unit")).items()
    ):
        further = {name: summary.statistic(name) for name in extended}
        datapoints.append(
            {
                "Timestamp": moment(begin * 1_000),
                "Unit": unit,
                **{name: summary.statistic(name) for name in plain},
                "ExtendedStatistics": {
                    name: value for name, value in further.items() if value is not None
                }
                or None,
            }
        )
    return {"Label": key.name, "Datapoints": datapoints}


def _metric(context: Context, named: Mapping[str, Any]) -> MetricKey:
    return MetricKey(
        account_id=context.account_id,
        region=context.region,
        namespace=named["Namespace"],
        name=named["MetricName"],
        dimensions=dimensions_of(named.get("Dimensions")),
    )


def _check_statistic(name: str) -> None:
    if not is_statistic(name):
        raise InvalidParameterValueException(
            f"The value {name} for parameter Statistic is not supported."
        )


def _check_range(start_s: int, end_s: int, period_s: int) -> None:
    if start_s >= end_s:
        raise InvalidParameterValueException(
            "The parameter StartTime must be less than the parameter EndTime."
        )
    if period_s not in (1, 5, 10, 20, 30) and (period_s < 60 or period_s % 60):
        raise InvalidParameterValueException(
            "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60."
        )


@CLOUDWATCH.operation("GetMetricData")
async def get_metric_data(context: Context, params: Params) -> Result:
    """Return statistics of several metrics; expressions are refused."""
    if params.get("NextToken"):
        raise InvalidNextToken("The token is not valid.")
    start_s, end_s = seconds(params["StartTime"]), seconds(params["EndTime"])
    newest_first = params.get("ScanBy") != "TimestampAscending"
    results: list[Mapping[str, Any]] = []
    for query in params["MetricDataQueries"]:
        stat = query.get("MetricStat")
        if stat is None:
            raise InvalidParameterValueException(
                f"The query {query['Id']} has an expression; lambdad serves MetricStat only."
            )
        values = await _series(context, stat, (start_s, end_s))
        if query.get("ReturnData") is False:
            continue
        ordered = sorted(values, reverse=newest_first)
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or stat["Metric"].get("MetricName"),
                "Timestamps": [moment(begin * 1_000) for begin, _ in ordered],
                "Values": [value for _, value in ordered],
                "StatusCode": "Complete",
            }
        )
    return {"MetricDataResults": results, "Messages": []}


async def _series(
    context: Context, stat: Mapping[str, Any], between: tuple[int, int]
) -> Sequence[tuple[int, float]]:
    period_s, (start_s, end_s) = stat["Period"], between
    _check_statistic(stat["Stat"])
    _check_range(start_s, end_s, period_s)
    start_s = start_s // period_s * period_s
    points = await context.services.points(_metric(context, stat["Metric"]), start_s, end_s)
    unit = stat.get("Unit")
    chosen = [each for each in points if unit is None or each.unit == unit]
    found = across_units(chosen, start_s, period_s)
    values = ((begin, summary.statistic(stat["Stat"])) for begin, summary in found.items())
    return [(begin, value) for begin, value in values if value is not None]
