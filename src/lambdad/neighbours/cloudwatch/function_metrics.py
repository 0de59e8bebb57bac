"""What the data plane counted, as the metrics of the namespace AWS/Lambda. Pure.

Names and dimensions are those of "Types of metrics for Lambda functions" (Lambda developer guide).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lambdad.dataplane.counting import Peak
from lambdad.domain.arns import FunctionKey
from lambdad.neighbours.cloudwatch.model import MetricKey, Point, Summary
from lambdad.observability.metrics import Calls, CallsKey, Statistic, duration_of

NAMESPACE = "AWS/Lambda"
COUNT, MILLISECONDS = "Count", "Milliseconds"
_TIMES = frozenset(
    {
        "AsyncEventAge",
        "ApproximateAgeOfOldestMessage",
        "Duration",
        "IteratorAge",
        "UrlRequestLatency",
    }
)

Dimensions = tuple[tuple[str, str], ...]
Points = dict[MetricKey, list[Point]]


def of_calls(taken: Mapping[CallsKey, Calls]) -> Points:
    """Return the metrics of invocations, at the minutes when these began."""
    found: Points = {}
    for key, calls in taken.items():
        parts = key.arn.split(":")
        if len(parts) < 7:
            continue
        owner, at_s = (parts[4], parts[3]), key.minute * 60
        for dimensions in _of_call(parts, key.version):
            for name, unit, summary in _summaries(calls):
                _put(found, owner, name, dimensions, Point(at_s, unit, summary))
    return found


def _of_call(parts: list[str], version: str) -> Iterable[Dimensions]:
    """Yield by what invocations of a name are told apart."""
    name, qualifier = parts[6], parts[7] if len(parts) > 7 else None
    resource = name if qualifier is None else f"{name}:{qualifier}"
    yield ()
    yield (("FunctionName", name),)
    yield (("FunctionName", name), ("Resource", resource))
    if version and qualifier is not None and not qualifier.isdigit() and qualifier != version:
        yield (("ExecutedVersion", version), ("FunctionName", name), ("Resource", resource))


def _summaries(calls: Calls) -> Iterable[tuple[str, str, Summary]]:
    if calls.count:
        yield "Invocations", COUNT, _times(calls.count, of=calls.count)
        yield "Errors", COUNT, _times(calls.failed, of=calls.count)
        durations = summary_of_statistic(calls.durations)
        durations.spread = {duration_of(step): float(n) for step, n in calls.spread.items()}
        yield "Duration", MILLISECONDS, durations
    yield "Throttles", COUNT, _times(calls.throttled, of=calls.count + calls.throttled)


def _times(number: int, *, of: int) -> Summary:
    """How often something happened: 1 each time it did, 0 each time it did not."""
    spread = {value: float(count) for value, count in ((0.0, of - number), (1.0, number)) if count}
    return Summary(
        count=float(of),
        sum=float(number),
        minimum=0.0 if of > number else 1.0,
        maximum=1.0 if number else 0.0,
        spread=spread,
    )


def summary_of_statistic(statistic: Statistic) -> Summary:
    """Return what is known of values whose frequencies nobody kept."""
    values = {statistic.maximum: 1.0} if statistic.count == 1 else None
    return Summary(
        count=float(statistic.count),
        sum=statistic.sum,
        minimum=statistic.minimum,
        maximum=statistic.maximum,
        spread=values,
    )


def of_counters(taken: Mapping[tuple[str, str], Statistic], now_s: int) -> Points:
    """Return the metrics that were counted by the ARN of a function or a mapping."""
    found: Points = {}
    for (name, arn), statistic in taken.items():
        parts = arn.split(":")
        if len(parts) < 7:
            continue
        mapping = parts[5] == "event-source-mapping"
        by = ("EventSourceMappingUUID", parts[6]) if mapping else ("FunctionName", parts[6])
        unit = MILLISECONDS if name in _TIMES else COUNT
        for dimensions in ((by,),) if mapping else ((), (by,)):
            point = Point(_minute(now_s), unit, summary_of_statistic(statistic))
            _put(found, (parts[4], parts[3]), name, dimensions, point)
    return found


def of_peaks(peaks: Iterable[Peak], now_s: int) -> Points:
    """Return the metrics of concurrency."""
    found: Points = {}
    at_s = _minute(now_s)
    for peak in peaks:
        owner = (peak.account_id, peak.region)
        for name, dimensions, value in _of_peak(peak):
            if value is not None:
                point = Point(at_s, COUNT, _once(value))
                _put(found, owner, name, dimensions, point)
    return found


def _of_peak(peak: Peak) -> Iterable[tuple[str, Dimensions, float | None]]:
    if peak.function is None:
        yield "ConcurrentExecutions", (), peak.most
        yield "UnreservedConcurrentExecutions", (), peak.unreserved
        return
    if peak.version is None:
        yield "ConcurrentExecutions", (("FunctionName", peak.function.name),), peak.most
        return
    dimensions = _of_version(peak.function, peak.version)
    yield "ProvisionedConcurrentExecutions", dimensions, peak.most
    yield "ProvisionedConcurrencyUtilization", dimensions, peak.most / (peak.allotted or 1)
    yield "ProvisionedConcurrencyInvocations", dimensions, peak.within or None
    yield "ProvisionedConcurrencySpilloverInvocations", dimensions, peak.beyond or None


def _of_version(function: FunctionKey, version: str) -> Dimensions:
    return (("FunctionName", function.name), ("Resource", f"{function.name}:{version}"))


def _once(value: float) -> Summary:
    return Summary(
        count=1.0, sum=float(value), minimum=value, maximum=value, spread={float(value): 1.0}
    )


def _minute(now_s: int) -> int:
    return now_s // 60 * 60


def _put(
    found: Points, owner: tuple[str, str], name: str, dimensions: Dimensions, point: Point
) -> None:
    account_id, region = owner
    key = MetricKey(
        account_id=account_id, region=region, namespace=NAMESPACE, name=name, dimensions=dimensions
    )
    found.setdefault(key, []).append(point)
