"""Every trigger and poller shows on the operator's pages."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest
from tests.conformance.event_source_mappings.conftest import World

from lambdad.testing.daemon import DaemonProcess

pytestmark = [pytest.mark.root, pytest.mark.slow]
DEADLINE_S = 60
FAILS = "def handler(event, context):\n    raise ValueError('no')\n"


def page(daemon: DaemonProcess, path: str) -> Any:
    with urllib.request.urlopen(f"{daemon.endpoint_url}/_lambdad/{path}") as answer:  # noqa: S310
        return json.load(answer)


def events(daemon: DaemonProcess, function: str, count: int) -> list[Any]:
    """Wait for so many events of a function, as --follow does."""
    deadline, after, found = time.monotonic() + DEADLINE_S, 0, []
    while len(found) < count and time.monotonic() < deadline:
        answer = page(daemon, f"events?function={function}&after={after}&wait=5")
        found += answer["events"]
        after = answer["next"]
    return found


def test_a_poller_shows_batch_result_and_lag(world: World, daemon: DaemonProcess) -> None:
    url, arn = world.queue()
    function = world.function()
    for number in range(3):
        world.sqs.send_message(QueueUrl=url, MessageBody=str(number))
    mapping = world.map(function, arn, MaximumBatchingWindowInSeconds=1)
    shown = events(daemon, function, 1)
    assert {(each["source"], each["arn"], each["result"]) for each in shown} == {("sqs", arn, "ok")}
    assert shown[0]["age_ms"] > 0
    (source,) = (each for each in page(daemon, "sources")["sources"] if each["uuid"] == mapping)
    assert (source["state"], source["waiting"]) == ("Enabled", 0)
    assert source["last"]["result"] == "ok"


def test_a_pushed_event_shows_when_it_is_accepted_and_when_it_fails(
    world: World, daemon: DaemonProcess
) -> None:
    function = world.function(FAILS)
    world.lambda_.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    arn = world.lambda_.get_function_configuration(FunctionName=function)["FunctionArn"]
    world.user.logs.create_log_group(logGroupName="/esm/activity")
    world.user.logs.create_log_stream(logGroupName="/esm/activity", logStreamName="s")
    world.lambda_.add_permission(
        FunctionName=function,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
    )
    world.user.logs.put_subscription_filter(
        logGroupName="/esm/activity", filterName="f", filterPattern="", destinationArn=arn
    )
    world.user.logs.put_log_events(
        logGroupName="/esm/activity",
        logStreamName="s",
        logEvents=[{"timestamp": int(time.time() * 1_000), "message": "m"}],
    )
    queued, tried = events(daemon, function, 2)
    assert (queued["source"], queued["result"]) == ("logs", "queued")
    assert (tried["source"], tried["result"], tried["detail"]) == ("logs", "error", "no")
    assert queued["request_id"] == tried["request_id"]
