"""What targets get of events that were put, and who gets what cannot be delivered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.conformance.events.conftest import client_of

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.policies import OPEN

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ORDERS = {"source": ["shop"]}


def test_a_function_gets_the_event_document(
    user: Deployer,
    queue: Callable[..., Any],
    recorder: Callable[[Any], str],
    route: Callable[..., str],
    put: Callable[..., Any],
) -> None:
    out = queue()
    function = recorder(out)
    rule_arn = route(ORDERS, function)
    user.lambda_.add_permission(
        FunctionName=function,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule_arn,
    )
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    answer = put({"id": 7, "name": "Ä"}, Resources=["arn:aws:x:::y"], Time=moment)
    assert out.body() == {
        "version": "0",
        "id": answer["EventId"],
        "detail-type": "order",
        "source": "shop",
        "account": "000000000000",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": ["arn:aws:x:::y"],
        "detail": {"id": 7, "name": "Ä"},
    }
    assert ID.fullmatch(answer["EventId"])


def test_what_a_function_may_not_get_becomes_a_dead_letter(
    queue: Callable[..., Any],
    recorder: Callable[[Any], str],
    route: Callable[..., str],
    put: Callable[..., Any],
) -> None:
    out, dead = queue(), queue()
    function = recorder(out)
    rule_arn = route(ORDERS, function, DeadLetterConfig={"Arn": dead.arn})
    event_id = put({})["EventId"]
    letter = dead.message()
    assert json.loads(letter["Body"])["id"] == event_id
    said = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
    message = said.pop("ERROR_MESSAGE")
    assert "does not let events.amazonaws.com" in message
    assert said == {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": function,
        "ERROR_CODE": "NO_PERMISSIONS",
        "RETRY_ATTEMPTS": "0",
    }
    assert out.message(wait_s=0) is None


def test_only_what_matches_is_delivered(
    queue: Callable[..., Any], route: Callable[..., str], put: Callable[..., Any]
) -> None:
    out = queue()
    route({"detail": {"n": [{"numeric": [">", 5]}], "kind": [{"prefix": "a"}]}}, out.arn)
    put({"n": 3, "kind": "ab"})
    put({"n": 9, "kind": "ba"})
    put({"n": 9, "kind": "ab"})
    assert out.body()["detail"] == {"n": 9, "kind": "ab"}
    assert out.message(wait_s=1) is None


def test_a_target_gets_what_its_input_says(
    queue: Callable[..., Any], route: Callable[..., str], put: Callable[..., Any]
) -> None:
    constant, part, made = queue(), queue(), queue()
    route(ORDERS, constant.arn, Input='{"fixed": true}')
    route(ORDERS, part.arn, InputPath="$.detail.items[1]")
    rule_arn = route(
        ORDERS,
        made.arn,
        InputTransformer={
            "InputPathsMap": {"who": "$.detail.who", "all": "$.detail", "no": "$.detail.no"},
            "InputTemplate": '{"text": "<who> said \\"<no>\\"", "all": <all>, "none": <no>, '
            '"rule": <aws.events.rule-arn>}',
        },
    )
    detail = {"who": 'a"b', "items": [1, {"x": 2}]}
    put(detail)
    assert constant.body() == {"fixed": True}
    assert part.body() == {"x": 2}
    assert made.body() == {
        "text": 'a"b said ""',
        "all": detail,
        "none": "",
        "rule": rule_arn,
    }


def test_a_fifo_queue_gets_its_group_and_another_bus_the_event(
    events: Any,
    queue: Callable[..., Any],
    route: Callable[..., str],
    put: Callable[..., Any],
    unused: Callable[[str], str],
) -> None:
    other, ordered = unused("other"), queue(fifo=True)
    other_arn = events.create_event_bus(Name=other)["EventBusArn"]
    events.put_rule(Name="r", EventBusName=other, EventPattern=json.dumps(ORDERS))
    events.put_targets(
        Rule="r",
        EventBusName=other,
        Targets=[{"Id": "q", "Arn": ordered.arn, "SqsParameters": {"MessageGroupId": "g"}}],
    )
    route(ORDERS, other_arn)
    event_id = put({})["EventId"]
    message = ordered.message()
    assert json.loads(message["Body"])["id"] == event_id
    assert message["Attributes"]["MessageGroupId"] == "g"


def test_a_log_group_gets_a_line(
    user: Deployer,
    queue: Callable[..., Any],
    route: Callable[..., str],
    put: Callable[..., Any],
    unused: Callable[[str], str],
) -> None:
    group, out = f"/aws/events/{unused('g')}", queue()
    user.logs.create_log_group(logGroupName=group)
    route(ORDERS, f"arn:aws:logs:us-east-1:000000000000:log-group:{group}")
    event_id = put({"n": 1})["EventId"]
    for _ in range(100):
        lines = user.logs.filter_log_events(logGroupName=group)["events"]
        if lines:
            break
        out.message(wait_s=1)
    assert json.loads(lines[0]["message"])["id"] == event_id


def test_a_queue_that_is_missing_leaves_a_dead_letter(
    queue: Callable[..., Any], route: Callable[..., str], put: Callable[..., Any]
) -> None:
    dead = queue()
    route(ORDERS, dead.arn + "-gone", DeadLetterConfig={"Arn": dead.arn})
    put({})
    letter = dead.message()
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "RESOURCE_NOT_FOUND"


def test_archived_events_come_again(  # noqa: PLR0917
    events: Any,
    bus: str,
    queue: Callable[..., Any],
    route: Callable[..., str],
    put: Callable[..., Any],
    unused: Callable[[str], str],
) -> None:
    out, name = queue(), unused("archive")
    bus_arn = events.describe_event_bus(Name=bus)["Arn"]
    archive = events.create_archive(
        ArchiveName=name,
        EventSourceArn=bus_arn,
        EventPattern='{"detail": {"keep": [true]}}',
        RetentionDays=3,
    )
    put({"keep": True, "n": 1})
    put({"keep": False, "n": 2})
    told = events.describe_archive(ArchiveName=name)
    assert (told["EventCount"], told["RetentionDays"], told["State"]) == (1, 3, "ENABLED")
    route(ORDERS, out.arn)
    now = datetime.now(UTC)
    events.start_replay(
        ReplayName=name,
        EventSourceArn=archive["ArchiveArn"],
        EventStartTime=now.replace(year=2000),
        EventEndTime=now.replace(year=2100),
        Destination={"Arn": bus_arn},
    )
    event = out.body()
    assert (event["detail"], event["replay-name"]) == ({"keep": True, "n": 1}, name)
    while (told := events.describe_replay(ReplayName=name))["State"] != "COMPLETED":
        assert told["State"] in ("STARTING", "RUNNING")
    assert told["EventSourceArn"] == archive["ArchiveArn"]
    assert out.message(wait_s=0) is None
    events.delete_archive(ArchiveName=name)


def test_topics_and_streams_are_targets(  # noqa: PLR0917
    events: Any,
    daemon: DaemonProcess,
    queue: Callable[..., Any],
    route: Callable[..., str],
    put: Callable[..., Any],
    unused: Callable[[str], str],
) -> None:
    out, name = queue(), unused("target")
    sns, kinesis = (client_of(each, daemon.endpoint_url) for each in ("sns", "kinesis"))
    topic = sns.create_topic(Name=name, Attributes=OPEN)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=out.arn)
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    stream = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    route(ORDERS, topic, InputPath="$.detail")
    keyed = {"PartitionKeyPath": "$.detail.customer"}
    route(ORDERS, stream["StreamARN"], KinesisParameters=keyed, InputPath="$.detail")
    put({"customer": "c"})
    assert json.loads(out.body()["Message"]) == {"customer": "c"}
    shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
    place = kinesis.get_shard_iterator(
        StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records: list[Any] = []
    while not records:
        got = kinesis.get_records(ShardIterator=place)
        records, place = got["Records"], got["NextShardIterator"]
        out.message(wait_s=0 if records else 1)
    [record] = records
    assert (record["PartitionKey"], json.loads(record["Data"])) == ("c", {"customer": "c"})
