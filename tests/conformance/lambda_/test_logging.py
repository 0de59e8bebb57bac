"""Logging configurations in effect, read back through CloudWatch Logs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

PROGRAM = """
import json, logging
def handler(event, context):
    print("plain")
    print(json.dumps({"level": "debug", "message": "printed debug"}))
    print(json.dumps({"level": "error", "message": "printed error"}))
    logging.getLogger().debug("logged debug")
    logging.getLogger().info("logged info")
    logging.getLogger().error("logged error")
    if event == "fail":
        raise ValueError("no")
"""


@pytest.fixture
def events_of(lonely: Deployer) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    def events(group: str) -> list[dict[str, Any]]:
        """All events, once nothing was added for longer than the daemon takes to write."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            pages = lonely.logs.get_paginator("filter_log_events")
            try:
                now = [e for page in pages.paginate(logGroupName=group) for e in page["events"]]
            except lonely.logs.exceptions.ResourceNotFoundException:
                continue
            if len(now) > len(found):
                found, deadline = now, time.monotonic() + 1
        return found

    yield events
    lonely.lambda_.delete_function(FunctionName="hello")


def texts_of(events: list[dict[str, Any]]) -> list[str]:
    """What the function said, in whatever form."""
    texts = []
    for event in events:
        try:
            record = json.loads(event["message"])
        except ValueError:
            texts.append(event["message"].strip())
            continue
        if "type" not in record:
            texts.append(record.get("message") or record["errorMessage"])
    return texts


def types_of(events: list[dict[str, Any]]) -> list[str]:
    records = [json.loads(e["message"]) for e in events if e["message"].startswith('{"time"')]
    return [record["type"] for record in records]


def test_json_is_chosen_by_level(
    lonely: Deployer, events_of: Callable[[str], list[dict[str, Any]]]
) -> None:
    config = {"LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "DEBUG"}
    lonely.deploy("hello", PROGRAM, LoggingConfig=config)
    answer = lonely.invoke("hello")
    assert (answer.error, answer.log.split(" ")[0]) == (None, "START")
    events = events_of("/aws/lambda/hello")
    # What is printed and what is logged come through different pipes.
    assert sorted(texts_of(events)) == ["logged error", "printed error"]
    assert types_of(events) == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]


def test_the_levels_of_aws_are_info(
    lonely: Deployer, events_of: Callable[[str], list[dict[str, Any]]]
) -> None:
    lonely.deploy("hello", PROGRAM, LoggingConfig={"LogFormat": "JSON"})
    got = lonely.lambda_.get_function_configuration(FunctionName="hello")["LoggingConfig"]
    assert got == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
        "LogGroup": "/aws/lambda/hello",
    }
    assert lonely.invoke("hello", "fail").error == "Unhandled"
    events = events_of("/aws/lambda/hello")
    texts = {"plain", "printed error", "logged info", "logged error"}
    assert texts < set(texts_of(events))
    assert not {"printed debug", "logged debug"} & set(texts_of(events))
    assert types_of(events) == [
        "platform.initStart",
        "platform.start",
        "platform.runtimeDone",
        "platform.report",
    ]
    report = json.loads(events[-1]["message"])["record"]
    # As in the Runtime API: what is no type of AWS is unknown to the platform.
    assert (report["status"], report["errorType"]) == ("failure", "Function.Unknown")
    assert set(report["metrics"]) == {
        "durationMs",
        "billedDurationMs",
        "memorySizeMB",
        "maxMemoryUsedMB",
        "initDurationMs",
    }


def test_a_log_group_of_ones_own_has_streams_with_the_functions_name(
    lonely: Deployer, events_of: Callable[[str], list[dict[str, Any]]]
) -> None:
    lonely.deploy("hello", PROGRAM, LoggingConfig={"LogFormat": "Text", "LogGroup": "shared"})
    lonely.invoke("hello")
    events = events_of("shared")
    [stream] = {event["logStreamName"] for event in events}
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/hello\[\$LATEST\][0-9a-f]{32}", stream)
    assert events[-1]["message"].startswith("REPORT ")
