"""Buses, rules, targets, permissions and tags: what is kept of them and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.events.conftest import client_of

from lambdad.testing.daemon import DaemonProcess

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
PATTERN = '{"source": ["shop"]}'


def failure(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**params)
    error = raised.value.response["Error"]
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error["Code"], error["Message"]


def test_a_bus_is_told_as_it_was_made_until_it_is_deleted(
    events: Any, unused: Callable[[str], str]
) -> None:
    name = unused("bus")
    arn = f"arn:aws:events:us-east-1:000000000000:event-bus/{name}"
    made = events.create_event_bus(Name=name, Description="d", Tags=[{"Key": "a", "Value": "b"}])
    assert (made["EventBusArn"], made["Description"]) == (arn, "d")
    assert failure(events.create_event_bus, Name=name) == (
        "ResourceAlreadyExistsException",
        f"Event bus {name} already exists.",
    )
    told = events.describe_event_bus(Name=arn)
    assert (told["Name"], told["Arn"], told["Description"]) == (name, arn, "d")
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    names = [each["Name"] for each in events.list_event_buses()["EventBuses"]]
    assert {"default", name} <= set(names)
    events.put_rule(Name="r", EventBusName=name, EventPattern=PATTERN)
    events.delete_event_bus(Name=name)
    events.delete_event_bus(Name=name)
    assert failure(events.describe_event_bus, Name=name) == (
        "ResourceNotFoundException",
        f"Event bus {name} does not exist.",
    )
    assert failure(events.delete_event_bus, Name="default")[1] == "Cannot delete event bus default."


def test_accounts_do_not_see_each_other(daemon: DaemonProcess, events: Any, bus: str) -> None:
    other = client_of("events", daemon.endpoint_url, account="111122223333")
    assert [each["Name"] for each in other.list_event_buses()["EventBuses"]] == ["default"]
    assert failure(other.describe_event_bus, Name=bus)[0] == "ResourceNotFoundException"
    events.put_rule(Name="seen", EventPattern=PATTERN)
    assert other.list_rules(NamePrefix="seen")["Rules"] == []


def test_a_rule_keeps_its_targets_and_tags_when_it_is_put_again(events: Any, bus: str) -> None:
    at = {"EventBusName": bus}
    arn = f"arn:aws:events:us-east-1:000000000000:rule/{bus}/r"
    tags = [{"Key": "a", "Value": "b"}]
    made = events.put_rule(Name="r", EventPattern=PATTERN, Description="d", Tags=tags, **at)
    assert made["RuleArn"] == arn
    target = {"Id": "t", "Arn": QUEUE, "InputPath": "$.detail"}
    events.put_targets(Rule="r", Targets=[target], **at)
    events.put_rule(Name="r", EventPattern='{"source": ["x"]}', State="DISABLED", **at)
    told = events.describe_rule(Name="r", **at)
    told.pop("ResponseMetadata")
    assert told == {
        "Name": "r",
        "Arn": arn,
        "EventPattern": '{"source": ["x"]}',
        "State": "DISABLED",
        "EventBusName": bus,
        "CreatedBy": "000000000000",
    }
    assert events.list_targets_by_rule(Rule="r", **at)["Targets"] == [target]
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags
    events.tag_resource(ResourceARN=arn, Tags=[{"Key": "c", "Value": "d"}])
    events.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    events.enable_rule(Name="r", **at)
    assert events.describe_rule(Name="r", **at)["State"] == "ENABLED"
    events.disable_rule(Name="r", **at)
    assert events.list_rules(NamePrefix="r", **at)["Rules"][0]["State"] == "DISABLED"


def test_a_rule_with_targets_is_not_deleted(events: Any, bus: str) -> None:
    at = {"EventBusName": bus}
    events.put_rule(Name="r", EventPattern=PATTERN, **at)
    events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": QUEUE}], **at)
    assert events.list_rule_names_by_target(TargetArn=QUEUE, **at)["RuleNames"] == ["r"]
    assert failure(events.delete_rule, Name="r", **at) == (
        "ValidationException",
        "Rule can't be deleted since it has targets.",
    )
    removed = events.remove_targets(Rule="r", Ids=["t", "unknown"], **at)
    assert removed["FailedEntryCount"] == 0
    events.delete_rule(Name="r", **at)
    events.delete_rule(Name="r", **at)
    assert failure(events.describe_rule, Name="r", **at) == (
        "ResourceNotFoundException",
        f"Rule r does not exist on EventBus {bus}.",
    )


def test_rules_come_in_pages(events: Any, bus: str) -> None:
    for number in range(5):
        events.put_rule(Name=f"r{number}", EventBusName=bus, EventPattern=PATTERN)
    pages = events.get_paginator("list_rules").paginate(
        EventBusName=bus, PaginationConfig={"PageSize": 2}
    )
    names = [[each["Name"] for each in page["Rules"]] for page in pages]
    assert names == [["r0", "r1"], ["r2", "r3"], ["r4"]]
    wrong = failure(events.list_rules, EventBusName=bus, NextToken="%")
    assert wrong == ("ValidationException", "Parameter NextToken is not valid.")


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        (
            {},
            "ValidationException",
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ),
        (
            {"EventPattern": '{"source": "shop"}'},
            "InvalidEventPatternException",
            'Event pattern is not valid. Reason: "source" must be an object or an array',
        ),
        (
            {"ScheduleExpression": "rate(1 minutes)", "EventBusName": "default"},
            "ValidationException",
            "Parameter ScheduleExpression is not valid.",
        ),
        (
            {"ScheduleExpression": "rate(1 hour)"},
            "ValidationException",
            "ScheduleExpression is supported only on the default event bus.",
        ),
        (
            {"EventPattern": PATTERN, "EventBusName": "nowhere"},
            "ResourceNotFoundException",
            "Event bus nowhere does not exist.",
        ),
    ],
)
def test_what_is_no_rule_is_refused(
    events: Any, bus: str, params: dict[str, Any], code: str, text: str
) -> None:
    given = {"Name": "r", "EventBusName": bus, **params}
    assert failure(events.put_rule, **given) == (code, text)


def test_what_is_no_target_is_refused(events: Any, bus: str) -> None:
    events.put_rule(Name="r", EventBusName=bus, EventPattern=PATTERN)

    def put(*targets: dict[str, Any]) -> tuple[str, str]:
        return failure(events.put_targets, Rule="r", EventBusName=bus, Targets=list(targets))

    several = [{"Id": str(n), "Arn": QUEUE} for n in range(6)]
    assert put(*several)[0] == "LimitExceededException"
    two = {"Id": "t", "Arn": QUEUE, "Input": "{}", "InputPath": "$.a"}
    assert put(two)[1].startswith("Only one of Input, InputPath, or InputTransformer")
    assert put({"Id": "t", "Arn": QUEUE, "Input": "{"})[1].startswith("JSON syntax error in input")
    assert put({"Id": "t", "Arn": QUEUE, "InputPath": "a b"})[0] == "ValidationException"
    fifo = put({"Id": "t", "Arn": f"{QUEUE}.fifo"})
    assert fifo[1] == "Parameter(s) SqsParameters must be specified for target: t."
    transformer = {"InputPathsMap": {"a": "$.a"}, "InputTemplate": '"<b>"'}
    assert "placeholder <b>" in put({"Id": "t", "Arn": QUEUE, "InputTransformer": transformer})[1]
    answer = events.put_targets(Rule="r", EventBusName=bus, Targets=[{"Id": "t", "Arn": "queue"}])
    assert answer["FailedEntryCount"] == 1
    assert answer["FailedEntries"][0]["TargetId"] == "t"


def test_entries_are_refused_one_by_one(events: Any) -> None:
    right = {"Source": "shop", "DetailType": "order", "Detail": "{}"}
    answer = events.put_events(
        Entries=[
            right,
            {key: value for key, value in right.items() if key != "Source"},
            {**right, "Detail": "["},
            {**right, "Detail": "[]"},
            {**right, "Source": "aws.s3"},
            {**right, "EventBusName": "nowhere"},
        ]
    )
    assert answer["FailedEntryCount"] == 4
    assert "EventId" in answer["Entries"][0]
    assert "EventId" in answer["Entries"][5]
    assert [each.get("ErrorCode") for each in answer["Entries"][1:5]] == [
        "InvalidArgument",
        "MalformedDetail",
        "MalformedDetail",
        "NotAuthorizedForSourceException",
    ]
    assert answer["Entries"][1]["ErrorMessage"] == (
        "Parameter Source is not valid. Reason: Source is a required argument."
    )


def test_too_much_at_once_is_refused_whole(events: Any) -> None:
    right = {"Source": "shop", "DetailType": "order", "Detail": "{}"}
    assert failure(events.put_events, Entries=[right] * 11)[0] == "ValidationException"
    large = json.dumps({"x": "x" * 1_048_576})
    assert failure(events.put_events, Entries=[{**right, "Detail": large}]) == (
        "ValidationException",
        "Total size of the entries in the request is over the limit.",
    )


def test_patterns_can_be_tried(events: Any) -> None:
    event = {
        "id": "1",
        "account": "0",
        "source": "shop",
        "time": "2026-01-01T00:00:00Z",
        "region": "r",
        "resources": [],
        "detail-type": "order",
        "detail": {"ip": "10.0.0.7"},
    }

    def test(pattern: Any, told: Any = event) -> bool:
        answer = events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(told))
        return bool(answer["Result"])

    assert test({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}})
    assert not test({"detail": {"ip": [{"cidr": "10.0.1.0/24"}]}})
    wrong = failure(events.test_event_pattern, EventPattern="[]", Event=json.dumps(event))
    assert wrong == (
        "InvalidEventPatternException",
        "Event pattern is not valid. Reason: Filter is not an object",
    )
    wrong = failure(events.test_event_pattern, EventPattern=PATTERN, Event="{}")
    assert wrong == ("ValidationException", "Parameter Event is not valid.")


def test_statements_come_and_go(events: Any, bus: str) -> None:
    at = {"EventBusName": bus}
    arn = f"arn:aws:events:us-east-1:000000000000:event-bus/{bus}"
    given = {"Action": "events:PutEvents", "Principal": "111122223333", "StatementId": "s"}
    events.put_permission(**at, **given)
    told = json.loads(events.describe_event_bus(Name=bus)["Policy"])
    assert told == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "s",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "events:PutEvents",
                "Resource": arn,
            }
        ],
    }
    assert failure(events.remove_permission, StatementId="x", **at)[0] == (
        "ResourceNotFoundException"
    )
    events.remove_permission(StatementId="s", **at)
    assert "Policy" not in events.describe_event_bus(Name=bus)


def test_archives_and_replays_are_refused_with_reasons(
    events: Any, bus: str, unused: Callable[[str], str]
) -> None:
    name = unused("archive")
    arn = f"arn:aws:events:us-east-1:000000000000:event-bus/{bus}"
    made = events.create_archive(ArchiveName=name, EventSourceArn=arn)
    again = failure(events.create_archive, ArchiveName=name, EventSourceArn=arn)
    assert again == ("ResourceAlreadyExistsException", f"Archive {name} already exists.")
    events.update_archive(ArchiveName=name, RetentionDays=1)
    [listed] = events.list_archives(NamePrefix=name)["Archives"]
    assert (listed["RetentionDays"], listed["EventCount"]) == (1, 0)
    times = {
        "EventStartTime": datetime(2026, 1, 1, tzinfo=UTC),
        "EventEndTime": datetime(2026, 1, 2, tzinfo=UTC),
    }
    default = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    wrong = failure(
        events.start_replay,
        ReplayName=name,
        EventSourceArn=made["ArchiveArn"],
        Destination={"Arn": default},
        **times,
    )
    assert "Cross event bus replay is not permitted" in wrong[1]
    events.start_replay(
        ReplayName=name,
        EventSourceArn=made["ArchiveArn"],
        Destination={"Arn": arn},
        **times,
    )
    assert events.list_replays(NamePrefix=name)["Replays"][0]["ReplayName"] == name
    while events.describe_replay(ReplayName=name)["State"] != "COMPLETED":
        continue
    assert failure(events.cancel_replay, ReplayName=name)[0] == "IllegalStatusException"
    events.delete_archive(ArchiveName=name)
    gone = failure(events.describe_archive, ArchiveName=name)
    assert gone == ("ResourceNotFoundException", f"Archive {name} does not exist.")
