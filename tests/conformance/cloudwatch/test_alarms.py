"""Alarms ring when a metric crosses their line, and tell functions and topics."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.conformance.cloudwatch.test_metrics import cloudwatch_client
from tests.conformance.kinesis.conftest import refused
from tests.conformance.sqs.conftest import sqs_client

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.policies import OPEN

DEADLINE_S = 60
SINK = "import json\ndef handler(event, context):\n    print('GOT ' + json.dumps(event))\n"


def alarm(namespace: str, **params: Any) -> dict[str, Any]:
    return {
        "AlarmName": f"alarm-{namespace}",
        "Namespace": namespace,
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 3.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **params,
    }


def state(cloudwatch: Any, name: str, wanted: str) -> dict[str, Any]:
    """Return the alarm once it is in a state."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        (found,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        if found["StateValue"] == wanted:
            described: dict[str, Any] = found
            return described
        threading.Event().wait(0.05)
    raise AssertionError(f"never {wanted}")


def test_an_alarm_rings_and_invokes_a_function(
    daemon: DaemonProcess, user: Deployer, a_name: Callable[[], str]
) -> None:
    cloudwatch, name = cloudwatch_client(daemon.endpoint_url), a_name()
    user.deploy(name, SINK)
    user.logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    function = user.lambda_.get_function_configuration(FunctionName=name)["FunctionArn"]
    params = alarm(name, AlarmActions=[function], AlarmDescription="too many")
    cloudwatch.put_metric_alarm(**params)
    made = state(cloudwatch, params["AlarmName"], "INSUFFICIENT_DATA")
    user.lambda_.add_permission(
        FunctionName=name,
        StatementId="alarm",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
        SourceArn=made["AlarmArn"],
        SourceAccount="000000000000",
    )
    cloudwatch.put_metric_data(Namespace=name, MetricData=[{"MetricName": "m", "Value": 5.0}])
    rung = state(cloudwatch, params["AlarmName"], "ALARM")
    assert rung["StateReason"] == (
        "Threshold Crossed: 1 out of the last 1 datapoints [5.0] was greater than the threshold "
        "(3.0)."
    )
    event = got(user, name)
    assert list(event) == ["source", "alarmArn", "accountId", "time", "region", "alarmData"]
    assert (event["source"], event["alarmArn"]) == ("aws.cloudwatch", made["AlarmArn"])
    data = event["alarmData"]
    assert data["state"]["value"] == "ALARM"
    assert json.loads(data["state"]["reasonData"])["recentDatapoints"] == [5.0]
    assert data["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert data["configuration"] == {
        "description": "too many",
        "metrics": [
            {
                "id": "m1",
                "metricStat": {
                    "metric": {"namespace": name, "name": "m", "dimensions": {}},
                    "period": 60,
                    "stat": "Sum",
                },
                "returnData": True,
            }
        ],
    }
    history = cloudwatch.describe_alarm_history(AlarmName=params["AlarmName"])
    kinds = [each["HistoryItemType"] for each in history["AlarmHistoryItems"]]
    assert kinds == ["StateUpdate", "ConfigurationUpdate"]


def got(user: Deployer, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = user.logs.filter_log_events(
            logGroupName=f"/aws/lambda/{name}", filterPattern='"GOT "'
        )["events"]
        if found:
            event: dict[str, Any] = json.loads(found[0]["message"].removeprefix("GOT "))
            return event
        threading.Event().wait(0.1)
    raise AssertionError("the function was not invoked")


def test_a_state_that_was_set_is_told_to_a_topic(
    daemon: DaemonProcess, a_name: Callable[[], str]
) -> None:
    import boto3  # noqa: PLC0415 - for this test alone

    name = a_name()
    sqs, cloudwatch = sqs_client(daemon.endpoint_url), cloudwatch_client(daemon.endpoint_url)
    sns = boto3.client(
        "sns",
        endpoint_url=daemon.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="any",
    )
    url = sqs.create_queue(QueueName=name, Attributes=OPEN)["QueueUrl"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{name}",
        Attributes={"RawMessageDelivery": "false"},
    )
    params = alarm(name, AlarmActions=[topic], TreatMissingData="ignore")
    cloudwatch.put_metric_alarm(**params)
    cloudwatch.set_alarm_state(
        AlarmName=params["AlarmName"], StateValue="ALARM", StateReason="by hand"
    )
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    notice = json.loads(message["Body"])
    assert notice["Subject"] == f'ALARM: "{params["AlarmName"]}" in us-east-1'
    document = json.loads(notice["Message"])
    assert (document["NewStateValue"], document["NewStateReason"]) == ("ALARM", "by hand")
    assert document["Trigger"]["Threshold"] == 3.0


def test_alarms_are_changed_tagged_and_deleted(
    daemon: DaemonProcess, a_name: Callable[[], str]
) -> None:
    cloudwatch, name = cloudwatch_client(daemon.endpoint_url), a_name()
    params = alarm(name, TreatMissingData="ignore", Tags=[{"Key": "a", "Value": "1"}])
    cloudwatch.put_metric_alarm(**params)
    cloudwatch.get_waiter("alarm_exists").wait(AlarmNames=[params["AlarmName"]])
    cloudwatch.disable_alarm_actions(AlarmNames=[params["AlarmName"]])
    (made,) = cloudwatch.describe_alarms_for_metric(Namespace=name, MetricName="m")["MetricAlarms"]
    assert (made["ActionsEnabled"], made["Period"], made["Dimensions"]) == (False, 60, [])
    cloudwatch.enable_alarm_actions(AlarmNames=[params["AlarmName"]])
    arn = made["AlarmArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["a"])
    tags = cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert tags == [{"Key": "b", "Value": "2"}]
    cloudwatch.delete_alarms(AlarmNames=[params["AlarmName"]])
    code, _ = refused(cloudwatch.delete_alarms, AlarmNames=[params["AlarmName"]])
    assert code.startswith("ResourceNotFound")
    code, text = refused(cloudwatch.put_metric_alarm, **alarm(name, Period=61))
    assert "Period must be" in text
