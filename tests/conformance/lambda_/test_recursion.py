"""Functions that invoke themselves. Developer guide, "Recursive loop detection"."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

# With the header that SDKs add, and without the second that the import of one takes 16 times.
SYNCHRONOUS = """
import http.client, json, os, urllib.parse

def handler(event, context):
    if event["left"] == 0:
        return {"ran": 1}
    url = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    caller = http.client.HTTPConnection(url.hostname, url.port)
    caller.request(
        "POST",
        f"/2015-03-31/functions/{context.function_name}/invocations",
        b'{"left": %d}' % (event["left"] - 1),
        {"X-Amzn-Trace-Id": os.environ["_X_AMZN_TRACE_ID"]},
    )
    answer = caller.getresponse()
    body = json.loads(answer.read())
    if answer.status != 200:
        return {"ran": 1, "status": answer.status, "error": answer.headers["x-amzn-ErrorType"]}
    return {**body, "ran": body["ran"] + 1}
"""

ASYNCHRONOUS = """
import boto3, json

CLIENT = boto3.client("lambda")

def handler(event, context):
    print("RAN", event["n"])
    CLIENT.invoke(
        FunctionName=context.function_name,
        InvocationType="Event",
        Payload=json.dumps({"n": event["n"] + 1}),
    )
"""

LISTENER = 'import json\ndef handler(event, context):\n    print("HEARD", json.dumps(event))\n'


def lines(user: Deployer, name: str, word: str) -> list[str]:
    try:
        page = user.logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")
    except user.logs.exceptions.ResourceNotFoundException:
        return []
    found = (event["message"].strip() for event in page["events"])
    return [line.removeprefix(word).strip() for line in found if line.startswith(word)]


def awaited(user: Deployer, name: str, word: str) -> list[str]:
    for _ in asking(pause_s=0.1):
        if found := lines(user, name, word):
            return found
    raise AssertionError(f"{name} never said {word}")


def dropped(daemon: DaemonProcess) -> int:
    with urllib.request.urlopen(f"{daemon.endpoint_url}/_lambdad/queue") as page:  # noqa: S310
        metrics: dict[str, Any] = json.loads(page.read())["metrics"]
    return int(metrics["RecursiveInvocationsDropped"])


def test_the_17th_synchronous_invocation_of_a_chain_is_refused(
    daemon: DaemonProcess, user: Deployer, a_name: Callable[[], str]
) -> None:
    name, before = a_name(), dropped(daemon)
    user.deploy(name, SYNCHRONOUS, Timeout=60)
    assert user.invoke(name, {"left": 19}).payload == {
        "ran": 16,
        "status": 400,
        "error": "RecursiveInvocationException",
    }
    assert dropped(daemon) == before + 1
    user.lambda_.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")
    assert user.invoke(name, {"left": 19}).payload == {"ran": 20}


def test_sdks_carry_the_chain_and_the_17th_event_goes_to_the_destination(
    daemon: DaemonProcess, user: Deployer, a_name: Callable[[], str]
) -> None:
    name, listener, before = a_name(), a_name(), dropped(daemon)
    user.deploy(listener, LISTENER)
    user.deploy(name, ASYNCHRONOUS, Timeout=60, MemorySize=1024)
    arn = user.lambda_.get_function(FunctionName=listener)["Configuration"]["FunctionArn"]
    user.lambda_.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    user.lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    [told] = awaited(user, listener, "HEARD")
    record = json.loads(told)
    assert record["requestPayload"] == {"n": 17}
    assert record["requestContext"]["condition"] == "RecursiveLoop"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert sorted(map(int, lines(user, name, "RAN"))) == list(range(1, 17))
    assert dropped(daemon) == before + 1
