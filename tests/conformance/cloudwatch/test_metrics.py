"""Metrics: what is put comes back as statistics."""

from __future__ import annotations

import itertools
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.config import Config
from tests.conformance.kinesis.conftest import refused

from lambdad.testing.daemon import DaemonProcess

_NUMBERS = itertools.count(1)
HOUR = timedelta(hours=1)


def cloudwatch_client(endpoint_url: str) -> Any:
    return boto3.client(
        "cloudwatch",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}),
    )


@pytest.fixture
def cloudwatch(daemon: DaemonProcess) -> Any:
    return cloudwatch_client(daemon.endpoint_url)


@pytest.fixture
def namespace() -> str:
    return f"App/{next(_NUMBERS)}"


def minute_ago() -> datetime:
    return (datetime.now(UTC) - timedelta(minutes=3)).replace(second=10, microsecond=0)


def statistics(cloudwatch: Any, namespace: str, **params: Any) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    whole = {
        "Namespace": namespace,
        "MetricName": "m",
        "StartTime": now - HOUR,
        "EndTime": now + HOUR,
        "Period": 60,
        **params,
    }
    found: list[dict[str, Any]] = cloudwatch.get_metric_statistics(**whole)["Datapoints"]
    return found


def test_values_of_a_minute_are_one_point(cloudwatch: Any, namespace: str) -> None:
    at = minute_ago()
    for value in (1.0, 3.0):
        cloudwatch.put_metric_data(
            Namespace=namespace,
            MetricData=[{"MetricName": "m", "Value": value, "Unit": "Seconds", "Timestamp": at}],
        )
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": "m",
                "Timestamp": at,
                "Unit": "Seconds",
                "Values": [10.0],
                "Counts": [2.0],
            }
        ],
    )
    names = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
    (point,) = statistics(cloudwatch, namespace, Statistics=names)
    assert point == {
        "Timestamp": at.replace(second=0),
        "Unit": "Seconds",
        "SampleCount": 4.0,
        "Average": 6.0,
        "Sum": 24.0,
        "Minimum": 1.0,
        "Maximum": 10.0,
    }


def test_percentiles_need_the_values(cloudwatch: Any, namespace: str) -> None:
    at = minute_ago()
    values = [float(value) for value in range(1, 101)]
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[{"MetricName": "m", "Values": values, "Timestamp": at}],
    )
    (point,) = statistics(cloudwatch, namespace, ExtendedStatistics=["p50", "p99"])
    assert point["ExtendedStatistics"] == {"p50": 50.0, "p99": 99.0}
    sums = {"SampleCount": 1.0, "Sum": 5.0, "Minimum": 5.0, "Maximum": 5.0}
    cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[{"MetricName": "m", "StatisticValues": sums, "Timestamp": at}],
    )
    (point,) = statistics(cloudwatch, namespace, ExtendedStatistics=["p50"], Statistics=["Sum"])
    assert (point["Sum"], "ExtendedStatistics" in point) == (5055.0, False)


def test_dimensions_make_another_metric(cloudwatch: Any, namespace: str) -> None:
    dimension = {"Name": "Service", "Value": "a"}
    data = [
        {"MetricName": "m", "Value": 1.0},
        {"MetricName": "m", "Value": 5.0, "Dimensions": [dimension]},
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    listed = cloudwatch.list_metrics(Namespace=namespace)["Metrics"]
    assert [each["Dimensions"] for each in listed] == [[], [dimension]]
    filtered = cloudwatch.list_metrics(Namespace=namespace, Dimensions=[{"Name": "Service"}])
    assert len(filtered["Metrics"]) == 1
    (point,) = statistics(cloudwatch, namespace, Statistics=["Sum"], Dimensions=[dimension])
    assert point["Sum"] == 5.0
    metric = {"Namespace": namespace, "MetricName": "m", "Dimensions": [dimension]}
    now = datetime.now(UTC)
    (result,) = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
        ],
        StartTime=now - HOUR,
        EndTime=now + HOUR,
    )["MetricDataResults"]
    assert (result["Id"], result["Values"], result["StatusCode"]) == ("q", [5.0], "Complete")


def test_the_query_protocol_is_spoken_too(
    daemon: DaemonProcess, cloudwatch: Any, namespace: str
) -> None:
    form = {
        "Action": "PutMetricData",
        "Version": "2010-08-01",
        "Namespace": namespace,
        "MetricData.member.1.MetricName": "m",
        "MetricData.member.1.Value": "4",
    }
    request = urllib.request.Request(  # noqa: S310 - the daemon's address
        daemon.endpoint_url,
        data=urlencode(form).encode(),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/monitoring/"
            "aws4_request, SignedHeaders=host, Signature=0",
        },
    )
    with urllib.request.urlopen(request) as response:  # noqa: S310
        assert b"<PutMetricDataResponse" in response.read()
    (point,) = statistics(cloudwatch, namespace, Statistics=["Sum"])
    assert point["Sum"] == 4.0


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination"),
        ({}, "MissingParameter"),
        ({"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue"),
        ({"Value": 1.0, "Timestamp": datetime(2020, 1, 1, tzinfo=UTC)}, "InvalidParameterValue"),
    ],
)
def test_what_cannot_be_put(cloudwatch: Any, datum: dict[str, Any], code: str) -> None:
    found, _ = refused(
        cloudwatch.put_metric_data, Namespace="n", MetricData=[{"MetricName": "m", **datum}]
    )
    assert found == code
