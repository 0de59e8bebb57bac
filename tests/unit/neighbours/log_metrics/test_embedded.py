"""Metrics in log events: by the embedded metric format, and by metric filters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdad.domain.logs import LogEvent, LogGroupKey
from lambdad.neighbours.log_metrics.embedded import Owner, points_of
from lambdad.neighbours.log_metrics.filtered import MetricFilter

OWNER = Owner("000000000000", "us-east-1")
GROUP = LogGroupKey(account_id="000000000000", region="us-east-1", name="g")


def embedded(directive: dict[str, Any], **members: Any) -> str:
    metadata = {"Timestamp": 1_700_000_065_000, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": metadata, **members})


def found(message: str) -> list[tuple[str, dict[str, str], int, str, float, float]]:
    return [
        (
            f"{key.namespace}/{key.name}",
            dict(key.dimensions),
            point.at_s,
            point.unit,
            point.summary.count,
            point.summary.sum,
        )
        for key, point in points_of(message, OWNER, 60)
    ]


DIRECTIVE = {
    "Namespace": "shop",
    "Dimensions": [["kind"], ["kind", "region"], []],
    "Metrics": [{"Name": "orders", "Unit": "Count"}, {"Name": "ms", "StorageResolution": 1}],
}


def test_each_metric_is_there_once_for_each_set_of_dimensions() -> None:
    message = embedded(DIRECTIVE, kind="a", region="eu", orders=2, ms=[1, 2.5])
    minute, second = 1_700_000_065 // 60 * 60, 1_700_000_065
    by = ({"kind": "a"}, {"kind": "a", "region": "eu"}, {})
    assert found(message) == [
        *[("shop/orders", each, minute, "Count", 1.0, 2.0) for each in by],
        *[("shop/ms", each, second, "None", 2.0, 3.5) for each in by],
    ]


def test_what_stands_before_the_document_is_no_part_of_it() -> None:
    message = "2026-01-01T00:00:00Z\tid\tINFO\t" + embedded(
        {"Namespace": "n", "Metrics": [{"Name": "m"}]}, m=1
    )
    assert [each[0] for each in found(message)] == ["n/m"]


@pytest.mark.parametrize(
    "message",
    [
        '{"_aws": 1}',
        '{"_aws": {"CloudWatchMetrics": 1}}',
        '{"_aws"',
        embedded({"Namespace": "", "Metrics": [{"Name": "m"}]}, m=1),
        embedded({"Namespace": "AWS/Lambda", "Metrics": [{"Name": "m"}]}, m=1),
        embedded({"Namespace": "n", "Metrics": [{"Name": "m"}, 1, {}]}, m="1"),
        embedded({"Namespace": "n", "Metrics": [{"Name": "m"}]}, m=True),
        embedded({"Namespace": "n", "Dimensions": [["k"]], "Metrics": [{"Name": "m"}]}, m=1),
        embedded({"Namespace": "n", "Dimensions": "k", "Metrics": [{"Name": "m"}]}, m=1),
        '{"_aws": ' * 2_000,
    ],
)
def test_what_does_not_follow_the_format_gives_no_metric(message: str) -> None:
    assert found(message) == []


def counted(pattern: str, transformation: dict[str, Any], *messages: str) -> list[Any]:
    document = {
        "filterPattern": pattern,
        "metricTransformations": [
            {"metricName": "m", "metricNamespace": "n", "metricValue": "1", **transformation}
        ],
    }
    events = [
        LogEvent(stream="s", timestamp_ms=61_000, message=each, ingestion_ms=61_000)
        for each in messages
    ]
    points = MetricFilter(GROUP, document).points(events)
    return [(dict(key.dimensions), point.at_s, point.summary.sum) for key, point in points]


def test_a_filter_counts_what_matches() -> None:
    assert counted("ERROR", {}, "ERROR 1", "fine", "ERROR 2") == [({}, 60, 1.0), ({}, 60, 1.0)]


def test_a_filter_publishes_a_field_by_dimensions() -> None:
    transformation = {"metricValue": "$.size", "dimensions": {"who": "$.user"}}
    messages = ('{"size": 5, "user": "a"}', '{"size": "x", "user": "a"}', '{"size": 7}')
    assert counted("{ $.size = * }", transformation, *messages) == [({"who": "a"}, 60, 5.0)]
    spaced = {"metricValue": "$bytes"}
    assert counted("[ip, bytes]", spaced, "1.1.1.1 12") == [({}, 60, 12.0)]


def test_a_default_is_published_where_nothing_matches() -> None:
    assert counted("ERROR", {"defaultValue": 0}, "fine", "fine") == [({}, 60, 0.0)]
