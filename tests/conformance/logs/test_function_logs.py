"""CloudWatch Logs of functions, as boto3 and the tools on top of it read them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.asking import asking
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

GROUP = "/aws/lambda/talker"
SOURCE = """
import json
def handler(event, context):
    for n in range(event["lines"]):
        print("line %03d of %s" % (n, event["name"]))
    if event["name"] == "json":
        print(json.dumps({"level": "ERROR", "code": 500, "who": {"name": "é"}}))
"""


def every(user: Deployer, **query: Any) -> list[str]:
    pages = user.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, **query)
    return [event["message"] for page in pages for event in page["events"]]


def await_report(user: Deployer, count: int) -> list[str]:
    """The log is written in batches behind the answers."""
    messages: list[str] = []
    for _ in asking():
        try:
            messages = every(user)
        except user.logs.exceptions.ResourceNotFoundException:
            continue
        if sum(message.startswith("REPORT") for message in messages) == count:
            return messages
    raise AssertionError(messages)


@pytest.fixture(scope="module")
def talker(user: Deployer) -> Iterator[dict[str, Any]]:
    """Two invocations in one environment: 30 lines, then 3 and one of JSON."""
    before_ms = int(time.time_ns() // 1_000_000)
    user.deploy("talker", SOURCE)
    user.invoke("talker", {"lines": 30, "name": "first"})
    user.invoke("talker", {"lines": 3, "name": "json"})
    messages = await_report(user, 2)
    yield {"messages": messages, "before_ms": before_ms}
    user.lambda_.delete_function(FunctionName="talker")
    user.logs.delete_log_group(logGroupName=GROUP)


def test_the_events_are_those_of_aws_in_their_order(talker: dict[str, Any]) -> None:
    messages = talker["messages"]
    assert messages[0].startswith("INIT_START Runtime Version: python:3.")
    assert messages[1].startswith("START RequestId: ")
    assert messages[2:32] == [f"line {n:03} of first\n" for n in range(30)]
    assert messages[32].startswith("END RequestId: ")
    assert re.fullmatch(r"REPORT RequestId: .*\tInit Duration: \d+\.\d\d ms\t\n", messages[33])
    assert messages[34].startswith("START RequestId: ")
    assert messages[35:38] == [f"line {n:03} of json\n" for n in range(3)]
    assert "Init Duration" not in messages[-1]


def test_groups_and_streams_are_described(user: Deployer, talker: dict[str, Any]) -> None:
    groups = user.logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    [group] = [group for group in groups if group["logGroupName"] == GROUP]
    assert group["arn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}:*"
    assert group["logGroupArn"] == f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}"
    assert "retentionInDays" not in group
    assert group["storedBytes"] >= 0
    assert group["creationTime"] >= talker["before_ms"] - 1
    [stream] = user.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])
    assert stream["arn"].endswith(f":log-group:{GROUP}:log-stream:{stream['logStreamName']}")
    assert talker["before_ms"] <= stream["firstEventTimestamp"] <= stream["lastEventTimestamp"]
    assert stream["uploadSequenceToken"]


def test_a_stream_is_read_page_by_page_in_both_directions(
    user: Deployer, talker: dict[str, Any]
) -> None:
    [stream] = user.logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    query = {"logGroupName": GROUP, "logStreamName": stream["logStreamName"], "limit": 7}
    seen: list[str] = []
    page = user.logs.get_log_events(**query, startFromHead=True)
    while page["events"]:
        seen += [event["message"] for event in page["events"]]
        token = page["nextForwardToken"]
        page = user.logs.get_log_events(**query, nextToken=token)
    assert seen == talker["messages"]
    # AWS: at the end the same token comes again.
    assert page["nextForwardToken"] == token
    last = user.logs.get_log_events(**query)
    assert [event["message"] for event in last["events"]] == talker["messages"][-7:]
    earlier = user.logs.get_log_events(**query, nextToken=last["nextBackwardToken"])
    assert [event["message"] for event in earlier["events"]] == talker["messages"][-14:-7]


FILTERS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "a word": ("first", lambda message: "first" in message),
    "two words": ("line json", lambda message: "line" in message and "json" in message),
    "a phrase": ('"line 001"', lambda message: "line 001" in message),
    "not": ("line -first", lambda message: "line" in message and "first" not in message),
    "either": ("?START ?REPORT", lambda message: "START" in message or "REPORT" in message),
    "JSON": ("{ $.code >= 500 }", lambda message: message.startswith("{")),
    "nested JSON": ('{ $.who.name = "é" }', lambda message: message.startswith("{")),
    "other JSON": ("{ $.code = 404 }", lambda message: False),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters_choose_as_aws_does(user: Deployer, talker: dict[str, Any], name: str) -> None:
    pattern, wanted = FILTERS[name]
    chosen = every(user, filterPattern=pattern)
    assert chosen == [message for message in talker["messages"] if wanted(message)]


def test_pages_of_a_filter_are_small_and_complete(user: Deployer, talker: dict[str, Any]) -> None:
    pages = user.logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, PaginationConfig={"PageSize": 5}
    )
    sizes, messages = [], []
    for page in pages:
        sizes.append(len(page["events"]))
        messages += [event["message"] for event in page["events"]]
    assert messages == talker["messages"]
    assert max(sizes) <= 5


def test_times_limit_what_is_found(user: Deployer, talker: dict[str, Any]) -> None:
    events = user.logs.filter_log_events(logGroupName=GROUP)["events"]
    middle = events[len(events) // 2]["timestamp"]
    later = user.logs.filter_log_events(logGroupName=GROUP, startTime=middle)["events"]
    assert [e["eventId"] for e in later] == [
        e["eventId"] for e in events if e["timestamp"] >= middle
    ]
    assert every(user, endTime=talker["before_ms"] - 1_000) == []
    assert every(user, logStreamNamePrefix="1999/") == []
    assert {e["ingestionTime"] >= e["timestamp"] - 1 for e in events} == {True}


def test_a_group_of_its_own_is_used_when_configured(user: Deployer) -> None:
    user.deploy(
        "elsewhere", SOURCE, LoggingConfig={"LogFormat": "Text", "LogGroup": "/mine/shared"}
    )
    user.invoke("elsewhere", {"lines": 1, "name": "there"})
    for _ in asking():
        try:
            events = user.logs.filter_log_events(logGroupName="/mine/shared")["events"]
        except user.logs.exceptions.ResourceNotFoundException:
            continue
        if any(event["message"].startswith("REPORT") for event in events):
            break
    assert "line 000 of there\n" in [event["message"] for event in events]
    # AWS: the function's name is in the stream's, because others may write to the group too.
    assert re.fullmatch(
        r"\d{4}/\d\d/\d\d/elsewhere\[\$LATEST\][0-9a-f]{32}", events[0]["logStreamName"]
    )
    user.lambda_.delete_function(FunctionName="elsewhere")
    user.logs.delete_log_group(logGroupName="/mine/shared")


def test_what_users_write_themselves_is_kept_beside(lonely: Deployer) -> None:
    logs = lonely.logs
    logs.create_log_group(logGroupName="mine", tags={"a": "b"})
    logs.create_log_stream(logGroupName="mine", logStreamName="s")
    now_ms = int(time.time_ns() // 1_000_000)
    events = [{"timestamp": now_ms + n, "message": f"m{n} é"} for n in range(3)]
    logs.put_log_events(logGroupName="mine", logStreamName="s", logEvents=events)
    read = logs.get_log_events(logGroupName="mine", logStreamName="s", startFromHead=True)
    assert [{k: e[k] for k in ("timestamp", "message")} for e in read["events"]] == events
    logs.put_retention_policy(logGroupName="mine", retentionInDays=7)
    [group] = logs.describe_log_groups()["logGroups"]
    assert (group["logGroupName"], group["retentionInDays"]) == ("mine", 7)
    logs.delete_retention_policy(logGroupName="mine")
    assert "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]
    assert logs.list_tags_log_group(logGroupName="mine")["tags"] == {"a": "b"}
    logs.delete_log_stream(logGroupName="mine", logStreamName="s")
    assert logs.describe_log_streams(logGroupName="mine")["logStreams"] == []
    logs.delete_log_group(logGroupName="mine")
    assert logs.describe_log_groups()["logGroups"] == []


ABSENT = "The specified log group does not exist."
REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "absent group": (
        "filter_log_events",
        {"logGroupName": "absent"},
        "ResourceNotFoundException",
        ABSENT,
    ),
    "streams of an absent group": (
        "describe_log_streams",
        {"logGroupName": "absent"},
        "ResourceNotFoundException",
        ABSENT,
    ),
    "absent group deleted": (
        "delete_log_group",
        {"logGroupName": "absent"},
        "ResourceNotFoundException",
        ABSENT,
    ),
    "absent stream": (
        "get_log_events",
        {"logGroupName": GROUP, "logStreamName": "absent"},
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    ),
    "there already": (
        "create_log_group",
        {"logGroupName": GROUP},
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    ),
    "bad pattern": (
        "filter_log_events",
        {"logGroupName": GROUP, "filterPattern": "{ $.a = "},
        "InvalidParameterException",
        "Invalid filter pattern",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_there_is_refused_in_the_words_of_aws(
    user: Deployer, talker: dict[str, Any], case: str
) -> None:
    assert talker
    operation, params, code, message = REFUSED[case]
    with pytest.raises(ClientError) as refused:
        getattr(user.logs, operation)(**params)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    error = refused.value.response["Error"]
    assert error["Code"] == code
    assert error["Message"].startswith(message)


def test_logs_outlive_their_function_and_stay_in_their_account(
    user: Deployer, lonely: Deployer
) -> None:
    lonely.deploy("mortal", SOURCE)
    lonely.invoke("mortal", {"lines": 1, "name": "last words"})
    lonely.lambda_.delete_function(FunctionName="mortal")
    messages: list[str] = []
    for _ in asking():
        if lonely.logs.describe_log_groups()["logGroups"]:
            events = lonely.logs.filter_log_events(logGroupName="/aws/lambda/mortal")["events"]
            messages = [event["message"] for event in events]
        if messages and messages[-1].startswith("REPORT"):
            break
    assert "line 000 of last words\n" in messages
    with pytest.raises(user.logs.exceptions.ResourceNotFoundException):
        user.logs.filter_log_events(logGroupName="/aws/lambda/mortal")
