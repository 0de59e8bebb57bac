"""Schedules over HTTP: what is kept of them, and what their targets get."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.events.conftest import RECORDER, Queue, client_of

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, Deployer

_NUMBERS = itertools.count(1)
OFF = {"Mode": "OFF"}
ARN = "arn:aws:scheduler:us-east-1:000000000000:schedule"


@pytest.fixture
def scheduler(daemon: DaemonProcess) -> Any:
    return client_of("scheduler", daemon.endpoint_url)


@pytest.fixture
def name() -> str:
    """That nobody else uses."""
    return f"schedule-{next(_NUMBERS)}"


@pytest.fixture
def queue(daemon: DaemonProcess) -> Callable[..., Queue]:
    sqs = client_of("sqs", daemon.endpoint_url)
    return lambda **options: Queue(sqs, f"scheduled-{next(_NUMBERS)}", **options)


def soon() -> str:
    return f"at({datetime.now(UTC) + timedelta(seconds=2):%Y-%m-%dT%H:%M:%S})"


def failure(call: Callable[..., Any], **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        call(**params)
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_rate_begins_at_once_and_a_function_needs_no_policy(
    scheduler: Any, user: Deployer, queue: Callable[..., Queue], name: str, a_name: Any
) -> None:
    out, function = queue(), a_name()
    user.deploy(function, {"app.py": RECORDER}, Environment={"Variables": {"OUT": out.url}})
    arn = user.lambda_.get_function_configuration(FunctionName=function)["FunctionArn"]
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow=OFF,
        Target={"Arn": arn, "RoleArn": ROLE},
    )
    event = out.body()
    assert set(event) == {
        "version",
        "id",
        "detail-type",
        "source",
        "account",
        "time",
        "region",
        "resources",
        "detail",
    }
    assert (event["source"], event["detail-type"]) == ("aws.scheduler", "Scheduled Event")
    assert (event["resources"], event["detail"]) == ([f"{ARN}/default/{name}"], "{}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])


def test_what_happens_once_happens_and_is_deleted(
    scheduler: Any, queue: Callable[..., Queue], name: str
) -> None:
    out = queue(fifo=True)
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression=soon(),
        FlexibleTimeWindow=OFF,
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": out.arn,
            "RoleArn": ROLE,
            "Input": '{"by": "<aws.scheduler.schedule-arn>"}',
            "SqsParameters": {"MessageGroupId": "g"},
        },
    )
    body = out.body()
    assert body["by"] == f"{ARN}/default/{name}"
    assert failure(scheduler.get_schedule, Name=name) == ("ResourceNotFoundException", 404)


def test_buses_and_operations_are_targets(
    scheduler: Any, daemon: DaemonProcess, queue: Callable[..., Queue], name: str
) -> None:
    out, direct = queue(), queue()
    events = client_of("events", daemon.endpoint_url)
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    events.put_rule(Name=name, EventBusName=name, EventPattern='{"source": ["clock"]}')
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "q", "Arn": out.arn}])
    for label, target in (
        (
            "bus",
            {
                "Arn": bus,
                "Input": '{"n": 1}',
                "EventBridgeParameters": {"DetailType": "tick", "Source": "clock"},
            },
        ),
        (
            "api",
            {
                "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
                "Input": json.dumps({"QueueUrl": direct.url, "MessageBody": '"hello"'}),
            },
        ),
    ):
        scheduler.create_schedule(
            Name=f"{name}-{label}",
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow=OFF,
            Target={"RoleArn": ROLE, **target},
        )
    event = out.body()
    assert (event["detail"], event["detail-type"], event["source"]) == ({"n": 1}, "tick", "clock")
    assert direct.body() == "hello"


def test_what_cannot_be_delivered_is_a_dead_letter(
    scheduler: Any, queue: Callable[..., Queue], name: str
) -> None:
    dead = queue()
    gone = "arn:aws:lambda:us-east-1:000000000000:function:nobody-made-it"
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow=OFF,
        Target={
            "Arn": gone,
            "RoleArn": ROLE,
            "Input": "{}",
            "DeadLetterConfig": {"Arn": dead.arn},
        },
    )
    message = dead.message()
    said = {key: each["StringValue"] for key, each in message["MessageAttributes"].items()}
    assert message["Body"] == "{}"
    assert said["ERROR_CODE"] == "RESOURCE_NOT_FOUND"
    assert (said["SCHEDULE_ARN"], said["TARGET_ARN"]) == (f"{ARN}/default/{name}", gone)


def test_a_schedule_is_told_as_it_was_made(
    scheduler: Any, queue: Callable[..., Queue], name: str
) -> None:
    group = f"group-{name}"
    scheduler.create_schedule_group(Name=group, Tags=[{"Key": "a", "Value": "b"}])
    begin = datetime(2090, 1, 1, tzinfo=UTC)
    given = {
        "ScheduleExpression": "cron(0 9 ? * MON-FRI *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "StartDate": begin,
        "EndDate": begin + timedelta(days=9),
        "Description": "d",
        "State": "DISABLED",
        "Target": {"Arn": queue().arn, "RoleArn": ROLE, "Input": "{}"},
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        "ActionAfterCompletion": "NONE",
    }
    arn = scheduler.create_schedule(Name=name, GroupName=group, **given)["ScheduleArn"]
    assert arn == f"{ARN}/{group}/{name}"
    told = scheduler.get_schedule(Name=name, GroupName=group)
    assert {key: told[key] for key in given} == given
    assert failure(scheduler.create_schedule, Name=name, GroupName=group, **given) == (
        "ConflictException",
        409,
    )
    [listed] = scheduler.list_schedules(GroupName=group)["Schedules"]
    assert (listed["Name"], listed["State"]) == (name, "DISABLED")
    scheduler.update_schedule(Name=name, GroupName=group, **{**given, "State": "ENABLED"})
    assert scheduler.get_schedule(Name=name, GroupName=group)["State"] == "ENABLED"
    group_arn = scheduler.get_schedule_group(Name=group)["Arn"]
    scheduler.tag_resource(ResourceArn=group_arn, Tags=[{"Key": "c", "Value": "d"}])
    scheduler.untag_resource(ResourceArn=group_arn, TagKeys=["a"])
    assert scheduler.list_tags_for_resource(ResourceArn=group_arn)["Tags"] == [
        {"Key": "c", "Value": "d"}
    ]
    groups = scheduler.list_schedule_groups(NamePrefix="group-")["ScheduleGroups"]
    assert group in [each["Name"] for each in groups]
    scheduler.delete_schedule_group(Name=group)
    assert failure(scheduler.get_schedule, Name=name, GroupName=group)[1] == 404


def test_schedules_are_listed_in_pages_and_deleted(scheduler: Any, name: str) -> None:
    target = {"Arn": "arn:aws:sqs:us-east-1:000000000000:x", "RoleArn": ROLE, "Input": "{}"}
    for number in range(3):
        scheduler.create_schedule(
            Name=f"{name}-{number}",
            ScheduleExpression="rate(5 minutes)",
            State="DISABLED",
            FlexibleTimeWindow=OFF,
            Target=target,
        )
    pages = scheduler.get_paginator("list_schedules").paginate(
        NamePrefix=f"{name}-", PaginationConfig={"PageSize": 2}
    )
    assert [[each["Name"][-1] for each in page["Schedules"]] for page in pages] == [
        ["0", "1"],
        ["2"],
    ]
    scheduler.delete_schedule(Name=f"{name}-0")
    assert failure(scheduler.delete_schedule, Name=f"{name}-0")[1] == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"ScheduleExpression": "rate(1 minutes)"},
        {"ScheduleExpression": "cron(* * * * * *)"},
        {"ScheduleExpression": "at(2026-13-01T00:00:00)"},
        {"ScheduleExpressionTimezone": "Moon/Crater"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
        {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}},
        {
            "StartDate": datetime(2090, 1, 2, tzinfo=UTC),
            "EndDate": datetime(2090, 1, 1, tzinfo=UTC),
        },
        {"Target": {"Arn": "arn:aws:sqs:us-east-1:000000000000:x.fifo", "RoleArn": ROLE}},
        {"Target": {"Arn": "queue", "RoleArn": ROLE}},
    ],
)
def test_what_makes_no_sense_is_refused(scheduler: Any, name: str, wrong: dict[str, Any]) -> None:
    right = {
        "Name": name,
        "ScheduleExpression": "rate(5 minutes)",
        "FlexibleTimeWindow": OFF,
        "Target": {"Arn": "arn:aws:sqs:us-east-1:000000000000:x", "RoleArn": ROLE},
    }
    assert failure(scheduler.create_schedule, **{**right, **wrong}) == ("ValidationException", 400)
