"""What functions do is in CloudWatch, and rings alarms."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.cloudwatch.test_alarms import SINK, alarm, got, state
from tests.conformance.cloudwatch.test_metrics import cloudwatch_client

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]
DEADLINE_S = 60
APP = """
import json, time

def handler(event, context):
    if event == "fail":
        raise ValueError("no")
    if event == "embedded":
        metrics = [{"Name": "orders", "Unit": "Count"}]
        directive = {"Namespace": context.function_name, "Metrics": metrics}
        directive["Dimensions"] = [["kind"]]
        metadata = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
        print(json.dumps({"_aws": metadata, "kind": "a", "orders": 3}))
"""


def total(cloudwatch: Any, namespace: str, name: str, wanted: float, **dimensions: str) -> None:
    """Wait until the sum of a metric is so much; it never is more."""
    deadline, found = time.monotonic() + DEADLINE_S, -1.0
    while time.monotonic() < deadline:
        now = datetime.now(UTC)
        answer = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": each, "Value": value} for each, value in dimensions.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(minutes=1),
            Period=3_600 * 2,
            Statistics=["Sum"],
        )
        found = sum(each["Sum"] for each in answer["Datapoints"])
        if found == wanted:
            return
        assert found < wanted
        threading.Event().wait(0.2)
    raise AssertionError(f"{name} is {found} and should be {wanted}")


def test_an_alarm_on_errors_invokes_a_function(
    daemon: DaemonProcess, user: Deployer, a_name: Callable[[], str]
) -> None:
    cloudwatch, name, sink = cloudwatch_client(daemon.endpoint_url), a_name(), a_name()
    user.deploy(name, APP)
    user.deploy(sink, SINK)
    user.logs.create_log_group(logGroupName=f"/aws/lambda/{sink}")
    user.lambda_.add_permission(
        FunctionName=sink,
        StatementId="alarm",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
    )
    arn = user.lambda_.get_function_configuration(FunctionName=sink)["FunctionArn"]
    params = alarm(
        "AWS/Lambda",
        AlarmName=f"alarm-of-{name}",
        MetricName="Errors",
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        Threshold=2.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[arn],
    )
    cloudwatch.put_metric_alarm(**params)
    for event in ("ok", "fail", "fail", "fail", "fail"):
        user.invoke(name, event)
    rung = state(cloudwatch, params["AlarmName"], "ALARM")
    assert "greater than or equal to the threshold (2.0)" in rung["StateReason"]
    assert got(user, sink)["alarmData"]["alarmName"] == params["AlarmName"]
    for metric, wanted in (("Invocations", 5.0), ("Errors", 4.0)):
        total(cloudwatch, "AWS/Lambda", metric, wanted, FunctionName=name)
        total(cloudwatch, "AWS/Lambda", metric, wanted, FunctionName=name, Resource=name)
    total(cloudwatch, "AWS/Lambda", "Throttles", 0.0, FunctionName=name)


def test_throttles_are_counted(
    daemon: DaemonProcess, user: Deployer, a_name: Callable[[], str]
) -> None:
    cloudwatch, name = cloudwatch_client(daemon.endpoint_url), a_name()
    user.deploy(name, APP)
    user.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="Rate Exceeded"):
        user.invoke(name)
    total(cloudwatch, "AWS/Lambda", "Throttles", 1.0, FunctionName=name)


def test_functions_and_filters_make_metrics_of_logs(
    daemon: DaemonProcess, user: Deployer, a_name: Callable[[], str]
) -> None:
    cloudwatch, name = cloudwatch_client(daemon.endpoint_url), a_name()
    user.deploy(name, APP)
    group = f"/aws/lambda/{name}"
    user.logs.create_log_group(logGroupName=group)
    user.logs.put_metric_filter(
        logGroupName=group,
        filterName="failures",
        filterPattern="ValueError",
        metricTransformations=[
            {"metricName": "failures", "metricNamespace": name, "metricValue": "2"}
        ],
    )
    for event in ("embedded", "fail", "embedded"):
        user.invoke(name, event)
    total(cloudwatch, name, "orders", 6.0, kind="a")
    total(cloudwatch, name, "failures", 2.0)
    listed = cloudwatch.list_metrics(Namespace=name)["Metrics"]
    assert json.dumps(listed, sort_keys=True).count('"MetricName"') == 2
