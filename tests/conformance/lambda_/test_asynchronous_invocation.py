"""InvocationType=Event against a real daemon, with real functions. Developer guide, "Asynchronous
invocation"."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

SPEAKER = 'import json\ndef handler(event, context):\n    print("HEARD", json.dumps(event))\n'
FAILING = (
    "def handler(event, context):\n"
    '    print("TRIED", context.aws_request_id)\n'
    '    raise ValueError("no")\n'
)
QUEUE = "arn:aws:sqs:us-east-1:000000000000:nobody-serves-it"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that retries after a tenth of a second where AWS waits a minute."""
    daemon = DaemonProcess(
        tmp_path_factory.mktemp("async") / "data",
        environ={"LAMBDAD_ASYNC_INVOCATION_RETRY_DELAY_S": "0.1"},
    )
    with daemon:
        yield daemon
    assert "Traceback" not in daemon.stderr, daemon.stderr


@pytest.fixture(scope="module")
def caller(impatient: DaemonProcess) -> Deployer:
    return Deployer(impatient.endpoint_url)


def said(user: Deployer, name: str, word: str, count: int = 1) -> list[str]:
    """Wait until a function's log has so many lines that begin with a word."""
    lines: list[str] = []
    for _ in asking(pause_s=0.1):
        try:
            page = user.logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")
        except user.logs.exceptions.ResourceNotFoundException:
            page = {"events": []}
        found = (event["message"].strip() for event in page["events"])
        lines = [line.removeprefix(word).strip() for line in found if line.startswith(word)]
        if len(lines) >= count:
            return lines
    raise AssertionError(f"{name} said {lines}")


def queue(daemon: DaemonProcess, query: str = "") -> dict[str, Any]:
    with urllib.request.urlopen(f"{daemon.endpoint_url}/_lambdad/queue?{query}") as page:  # noqa: S310
        document: dict[str, Any] = json.loads(page.read())
    return document


def send(user: Deployer, name: str, event: Any, **parameters: Any) -> str:
    answer = user.lambda_.invoke(
        FunctionName=name,
        InvocationType="Event",
        Payload=json.dumps(event).encode(),
        **parameters,
    )
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    return str(answer["ResponseMetadata"]["RequestId"])


def test_an_event_is_carried_out(caller: Deployer, a_name: Callable[[], str]) -> None:
    name = a_name()
    caller.deploy(name, SPEAKER)
    send(caller, name, {"hello": "Grüße"})
    assert json.loads(said(caller, name, "HEARD")[0]) == {"hello": "Grüße"}


def test_invoke_async_is_carried_out(caller: Deployer, a_name: Callable[[], str]) -> None:
    name = a_name()
    caller.deploy(name, SPEAKER)
    assert caller.lambda_.invoke_async(FunctionName=name, InvokeArgs=b"[1]")["Status"] == 202
    assert said(caller, name, "HEARD") == ["[1]"]


def test_a_failing_function_is_tried_three_times_under_one_request_id(
    caller: Deployer, impatient: DaemonProcess, a_name: Callable[[], str]
) -> None:
    name = a_name()
    caller.deploy(name, FAILING)
    request_id = send(caller, name, {})
    assert said(caller, name, "TRIED", 3) == [request_id] * 3


def test_a_failure_is_reported_to_another_function(
    caller: Deployer, a_name: Callable[[], str]
) -> None:
    failing, listener = a_name(), a_name()
    caller.deploy(failing, FAILING)
    caller.deploy(listener, SPEAKER)
    arn = caller.lambda_.get_function(FunctionName=listener)["Configuration"]["FunctionArn"]
    caller.lambda_.put_function_event_invoke_config(
        FunctionName=failing,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    request_id = send(caller, failing, {"n": 1})
    record = json.loads(said(caller, listener, "HEARD")[0])
    assert record["requestContext"]["requestId"] == request_id
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestPayload"] == {"n": 1}
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "no"


def test_a_success_of_a_version_is_reported_as_that_versions(
    caller: Deployer, a_name: Callable[[], str]
) -> None:
    name, listener = a_name(), a_name()
    caller.deploy(name, "def handler(event, context):\n    return [event]\n")
    caller.deploy(listener, SPEAKER)
    version = caller.lambda_.publish_version(FunctionName=name)["Version"]
    arn = caller.lambda_.get_function(FunctionName=listener)["Configuration"]["FunctionArn"]
    caller.lambda_.put_function_event_invoke_config(
        FunctionName=name,
        Qualifier=version,
        DestinationConfig={"OnSuccess": {"Destination": arn}},
    )
    send(caller, name, 7, Qualifier=version)
    record = json.loads(said(caller, listener, "HEARD")[0])
    assert record["requestContext"]["functionArn"].endswith(f":{name}:{version}")
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": version}
    assert record["responsePayload"] == [7]


def test_without_reserved_concurrency_the_destination_hears_at_once(
    caller: Deployer, a_name: Callable[[], str]
) -> None:
    name, listener = a_name(), a_name()
    caller.deploy(name, SPEAKER)
    caller.deploy(listener, SPEAKER)
    arn = caller.lambda_.get_function(FunctionName=listener)["Configuration"]["FunctionArn"]
    caller.lambda_.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    caller.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    send(caller, name, {})
    record = json.loads(said(caller, listener, "HEARD")[0])
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responsePayload" not in record


def test_more_events_than_concurrency_are_all_carried_out(
    caller: Deployer, impatient: DaemonProcess, a_name: Callable[[], str]
) -> None:
    name = a_name()
    caller.deploy(name, SPEAKER)
    caller.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    for number in range(40):
        send(caller, name, number)
    heard = said(caller, name, "HEARD", 40)
    assert sorted(map(int, heard)) == list(range(40))


def test_what_no_target_takes_stays_in_the_queue_and_is_counted(
    caller: Deployer, impatient: DaemonProcess, a_name: Callable[[], str]
) -> None:
    name = a_name()
    caller.deploy(name, FAILING, DeadLetterConfig={"TargetArn": QUEUE})
    caller.lambda_.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    request_id = send(caller, name, {"n": 1})
    said(caller, name, "TRIED")
    for _ in asking(pause_s=0.1):
        events = queue(impatient, f"function={name}")["events"]
        if events and events[0]["tries"]:
            break
    [event] = events
    assert (event["kind"], event["target"], event["request_id"]) == ("delivery", QUEUE, request_id)
    assert event["message"]
    assert queue(impatient)["metrics"]["DeadLetterErrors"] >= 1
