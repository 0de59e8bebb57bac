"""What is logged goes on to functions and streams; filters are stored, listed and tried out."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.kinesis.conftest import kinesis_client, refused

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

_NUMBERS = itertools.count(1)
DEADLINE_S = 60
SINK = """
import json
def handler(event, context):
    print("GOT " + json.dumps(event))
"""


@pytest.fixture
def group(user: Deployer) -> str:
    """A group with a stream, that nobody else uses."""
    name = f"/subscribed/{next(_NUMBERS)}"
    user.logs.create_log_group(logGroupName=name)
    user.logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


def log(user: Deployer, group: str, *messages: str, stream: str = "s") -> None:
    now_ms = int(time.time() * 1_000)
    user.logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": now_ms, "message": each} for each in messages],
    )


def sink(user: Deployer, name: str, group: str, **permission: Any) -> str:
    """A function that logs what it gets, and may be invoked for the group; returns its ARN."""
    user.deploy(name, SINK)
    user.logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    user.lambda_.add_permission(
        FunctionName=name,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        **{
            "Principal": "logs.amazonaws.com",
            "SourceArn": f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*",
            **permission,
        },
    )
    arn: str = user.lambda_.get_function_configuration(FunctionName=name)["FunctionArn"]
    return arn


def received(user: Deployer, name: str, count: int = 1) -> list[dict[str, Any]]:
    """Return what a sink got, once it got so many events; decoded."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = user.logs.filter_log_events(
            logGroupName=f"/aws/lambda/{name}", filterPattern='"GOT "'
        )["events"]
        if len(found) >= count:
            events = [json.loads(each["message"].removeprefix("GOT ")) for each in found]
            assert all(list(each) == ["awslogs"] for each in events)
            return [opened(base64.b64decode(each["awslogs"]["data"])) for each in events]
        threading.Event().wait(0.1)
    raise AssertionError("the function got too few events")


def opened(data: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(gzip.decompress(data))
    return document


def test_a_function_gets_what_the_pattern_wants(
    user: Deployer, group: str, a_name: Callable[[], str]
) -> None:
    name = a_name()
    arn = sink(user, name, group)
    log(user, group, "ERROR before the subscription")
    user.logs.put_subscription_filter(
        logGroupName=group, filterName="errors", filterPattern="ERROR", destinationArn=arn
    )
    user.logs.create_log_stream(logGroupName=group, logStreamName="other")
    log(user, group, "INFO nothing", "ERROR é")
    log(user, group, "nothing", stream="other")
    (document,) = received(user, name)
    stored = user.logs.filter_log_events(logGroupName=group, filterPattern="é", limit=1)
    (event,) = document.pop("logEvents")
    assert document == {
        "messageType": "DATA_MESSAGE",
        "owner": "000000000000",
        "logGroup": group,
        "logStream": "s",
        "subscriptionFilters": ["errors"],
    }
    (same,) = stored["events"] or [None]
    assert event == {
        "id": same["eventId"],
        "timestamp": same["timestamp"],
        "message": "ERROR é",
    }


def test_what_a_function_logs_goes_on_to_another(user: Deployer, a_name: Callable[[], str]) -> None:
    source, target = a_name(), a_name()
    user.deploy(source, "def handler(event, context):\n    print('order 7 paid')\n")
    user.logs.create_log_group(logGroupName=f"/aws/lambda/{source}")
    arn = sink(user, target, f"/aws/lambda/{source}", Principal="logs.us-east-1.amazonaws.com")
    user.logs.put_subscription_filter(
        logGroupName=f"/aws/lambda/{source}",
        filterName="orders",
        filterPattern="[what=order, number, state=paid || state=sent]",
        destinationArn=arn,
    )
    user.lambda_.invoke(FunctionName=source)
    (document,) = received(user, target)
    (event,) = document["logEvents"]
    assert event["message"] == "order 7 paid\n"
    assert event["extractedFields"] == {"what": "order", "number": "7", "state": "paid"}


def test_a_stream_gets_compressed_records(
    daemon: DaemonProcess, user: Deployer, group: str, a_name: Callable[[], str]
) -> None:
    kinesis, name = kinesis_client(daemon.endpoint_url), a_name()
    kinesis.create_stream(StreamName=name, ShardCount=1)
    arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{name}"
    params = {
        "logGroupName": group,
        "filterName": "all",
        "filterPattern": "",
        "destinationArn": arn,
    }
    code, text = refused(user.logs.put_subscription_filter, **params)
    assert (code, "roleArn" in text) == ("InvalidParameterException", True)
    role = "arn:aws:iam::000000000000:role/r"
    user.logs.put_subscription_filter(**params, roleArn=role)
    log(user, group, "one", "two")
    iterator = kinesis.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    documents: list[dict[str, Any]] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(documents) < 2 and time.monotonic() < deadline:
        answer = kinesis.get_records(ShardIterator=iterator)
        documents += [opened(each["Data"]) for each in answer["Records"]]
        iterator = answer["NextShardIterator"]
        threading.Event().wait(0.05)
    assert [each["messageType"] for each in documents] == ["CONTROL_MESSAGE", "DATA_MESSAGE"]
    assert [each["message"] for each in documents[1]["logEvents"]] == ["one", "two"]
    (described,) = user.logs.describe_subscription_filters(logGroupName=group)[
        "subscriptionFilters"
    ]
    assert described.pop("creationTime") > 0
    assert described == {**params, "roleArn": role, "distribution": "ByLogStream"}


def test_a_function_that_may_not_be_invoked_cannot_be_subscribed(
    user: Deployer, group: str, a_name: Callable[[], str]
) -> None:
    name = a_name()
    arn = sink(user, name, "another-group")
    code, text = refused(
        user.logs.put_subscription_filter,
        logGroupName=group,
        filterName="f",
        filterPattern="",
        destinationArn=arn,
    )
    assert (code, text) == (
        "InvalidParameterException",
        (
            "Could not execute the lambda function. Make sure you have given CloudWatch Logs "
            "permission to execute your function."
        ),
    )


def test_a_group_has_two_subscriptions_and_they_go_with_it(
    user: Deployer, group: str, a_name: Callable[[], str]
) -> None:
    arn = sink(user, a_name(), group)
    params = {"logGroupName": group, "filterPattern": "", "destinationArn": arn}
    for name in ("a", "b", "a"):
        user.logs.put_subscription_filter(filterName=name, **params)
    code, text = refused(user.logs.put_subscription_filter, filterName="c", **params)
    assert (code, text) == ("LimitExceededException", "Resource limit exceeded.")
    pages = user.logs.get_paginator("describe_subscription_filters").paginate(
        logGroupName=group, PaginationConfig={"PageSize": 1}
    )
    assert [each["filterName"] for page in pages for each in page["subscriptionFilters"]] == [
        "a",
        "b",
    ]
    user.logs.delete_subscription_filter(logGroupName=group, filterName="a")
    code, _ = refused(user.logs.delete_subscription_filter, logGroupName=group, filterName="a")
    assert code == "ResourceNotFoundException"
    user.logs.delete_log_group(logGroupName=group)
    user.logs.create_log_group(logGroupName=group)
    found = user.logs.describe_subscription_filters(logGroupName=group)
    assert found["subscriptionFilters"] == []


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"filterPattern": "{ $.a = "}, "Invalid filter pattern"),
        ({"destinationArn": "arn:aws:sqs:us-east-1:000000000000:q"}, "vendor sqs"),
        ({"destinationArn": "nonsense"}, "vendor nonsense"),
    ],
)
def test_subscriptions_that_cannot_be(
    user: Deployer, group: str, params: dict[str, str], text: str
) -> None:
    whole = {
        "logGroupName": group,
        "filterName": "f",
        "filterPattern": "",
        "destinationArn": "arn:aws:lambda:us-east-1:000000000000:function:absent",
        **params,
    }
    code, message = refused(user.logs.put_subscription_filter, **whole)
    assert code == "InvalidParameterException"
    assert text in message


def test_metric_filters_are_stored_listed_and_deleted(user: Deployer, group: str) -> None:
    transformation = {"metricName": "m", "metricNamespace": "n", "metricValue": "$size"}
    params = {
        "logGroupName": group,
        "filterName": "f",
        "filterPattern": "[..., size]",
        "metricTransformations": [transformation],
    }
    user.logs.put_metric_filter(**params)
    (found,) = user.logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    assert found.pop("creationTime") > 0
    assert found == params
    by_metric = user.logs.describe_metric_filters(metricName="m", metricNamespace="n")
    assert group in [each["logGroupName"] for each in by_metric["metricFilters"]]
    (described,) = user.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][:1]
    assert described["metricFilterCount"] == 1
    user.logs.delete_metric_filter(logGroupName=group, filterName="f")
    assert user.logs.describe_metric_filters(logGroupName=group)["metricFilters"] == []
    code, _ = refused(user.logs.delete_metric_filter, logGroupName=group, filterName="f")
    assert code == "ResourceNotFoundException"


def test_a_pattern_can_be_tried_out(user: Deployer) -> None:
    line = '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET / HTTP/1.0" 200 1534'
    matches = user.logs.test_metric_filter(
        filterPattern="[..., size > 1000]", logEventMessages=["no", line]
    )["matches"]
    (match,) = matches
    assert (match["eventNumber"], match["eventMessage"]) == (2, line)
    assert match["extractedValues"]["$size"] == "1534"
    code, _ = refused(user.logs.test_metric_filter, filterPattern="[a", logEventMessages=["x"])
    assert code == "InvalidParameterException"
