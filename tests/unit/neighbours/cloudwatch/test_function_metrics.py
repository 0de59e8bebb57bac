"""What the data plane counts is in CloudWatch under AWS's names, dimensions and units."""

from __future__ import annotations

import pytest

from lambdad.dataplane.counting import ConcurrencyLedger
from lambdad.domain.arns import FunctionKey
from lambdad.neighbours.cloudwatch.function_metrics import of_calls, of_counters, of_peaks
from lambdad.neighbours.cloudwatch.model import MetricKey, Point
from lambdad.observability.metrics import Metrics

KEY = FunctionKey(account_id="000000000000", region="us-east-1", name="f")


def shown(points: dict[MetricKey, list[Point]]) -> dict[tuple[str, ...], tuple[float, float]]:
    """Sum and count by name and dimensions."""
    return {
        (key.name, *(value for _, value in key.dimensions)): (
            sum(each.summary.sum for each in found),
            sum(each.summary.count for each in found),
        )
        for key, found in points.items()
    }


def peaks(ledger: ConcurrencyLedger) -> dict[tuple[str, ...], float]:
    return {name: total for name, (total, _) in shown(of_peaks(ledger.peaks(), 60)).items()}


def test_invocations_are_told_apart_by_function_resource_and_version() -> None:
    metrics = Metrics()
    alias = f"{KEY.arn()}:live"
    metrics.calls(alias, "3", 61_000 // 60_000).ended(10.0, failed=False)
    metrics.calls(alias, "3", 61_000 // 60_000).ended(30.0, failed=True)
    metrics.throttled(alias, 61.0)
    metrics.calls(KEY.arn(), "$LATEST", 61_000 // 60_000).ended(5.0, failed=False)
    found = of_calls(metrics.take_calls())
    assert {point.at_s for points in found.values() for point in points} == {60}
    sums = shown(found)
    assert sums["Invocations",] == (3.0, 3.0)
    assert sums["Invocations", "f"] == (3.0, 3.0)
    assert sums["Invocations", "f", "f:live"] == (2.0, 2.0)
    assert sums["Invocations", "3", "f", "f:live"] == (2.0, 2.0)
    assert sums["Invocations", "f", "f"] == (1.0, 1.0)
    assert sums["Errors", "f"] == (1.0, 3.0)
    assert sums["Duration", "f"] == (45.0, 3.0)
    assert sums["Throttles", "f", "f:live"] == (1.0, 3.0)
    assert metrics.take_calls() == {}


def test_percentiles_of_durations_are_right_to_two_hundredths() -> None:
    metrics = Metrics()
    for duration_ms in range(1, 1_001):
        metrics.calls(KEY.arn(), "1", 0 // 60_000).ended(float(duration_ms), failed=False)
    found = of_calls(metrics.take_calls())
    (point,) = next(each for key, each in found.items() if key.name == "Duration")
    assert point.summary.statistic("p50") == pytest.approx(500, rel=0.02)
    assert point.summary.statistic("p99") == pytest.approx(990, rel=0.02)
    assert (point.summary.minimum, point.summary.maximum) == (1.0, 1_000.0)


def test_counters_are_by_function_or_by_mapping() -> None:
    metrics = Metrics()
    metrics.add("IteratorAge", KEY.arn(), 12.0)
    mapping = "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:u"
    metrics.add("PolledEventCount", mapping, 3)
    found = of_counters(metrics.take(), 125)
    assert shown(found) == {
        ("IteratorAge",): (12.0, 1.0),
        ("IteratorAge", "f"): (12.0, 1.0),
        ("PolledEventCount", "u"): (3.0, 1.0),
    }
    units = {key.name: point.unit for key, points in found.items() for point in points}
    assert units == {"IteratorAge": "Milliseconds", "PolledEventCount": "Count"}
    assert metrics.total("IteratorAge") == 12.0


def test_concurrency_is_the_most_that_ran_at_once_since_it_was_asked() -> None:
    ledger = ConcurrencyLedger(10)
    ledger.allot(KEY, "1", 1)
    version = ledger.version(KEY, "1")
    version.acquire()
    version.acquire()
    version.release()
    assert peaks(ledger) == {
        ("ConcurrentExecutions",): 2.0,
        ("ConcurrentExecutions", "f"): 2.0,
        ("UnreservedConcurrentExecutions",): 1.0,
        ("ProvisionedConcurrentExecutions", "f", "f:1"): 1.0,
        ("ProvisionedConcurrencyUtilization", "f", "f:1"): 1.0,
        ("ProvisionedConcurrencyInvocations", "f", "f:1"): 1.0,
        ("ProvisionedConcurrencySpilloverInvocations", "f", "f:1"): 1.0,
    }
    version.release()
    assert peaks(ledger)["ConcurrentExecutions",] == 1.0
    assert ("ConcurrentExecutions",) not in peaks(ledger)
