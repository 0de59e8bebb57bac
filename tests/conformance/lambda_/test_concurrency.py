"""Limits under load, and environments that are there before they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
# Says how it was initialised, when, and for which environment; waits as long as it is told.
SOURCE = """
import os, time
ID, BORN = os.urandom(8).hex(), time.time()
TYPE = os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
def handler(event, context):
    begun = time.time()
    time.sleep((event or {}).get("wait", 0))
    if (event or {}).get("die"):
        os._exit(3)
    return {"id": ID, "born": BORN, "type": TYPE, "begun": begun, "ended": time.time(),
            "version": context.function_version}
"""


@pytest.fixture
def name(user: Deployer, a_name: Callable[[], str]) -> Iterator[str]:
    """A function with a published version 1."""
    name = a_name()
    user.deploy(name, SOURCE, Publish=True)
    yield name
    user.lambda_.delete_function(FunctionName=name)


def invoke(user: Deployer, name: str, qualifier: str = "$LATEST", **event: Any) -> dict[str, Any]:
    answer = user.lambda_.invoke(
        FunctionName=name, Qualifier=qualifier, Payload=json.dumps(event).encode()
    )
    found: dict[str, Any] = json.loads(answer["Payload"].read())
    return found


def provision(user: Deployer, name: str, qualifier: str, number: int) -> None:
    user.lambda_.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=number
    )


def settled(user: Deployer, name: str, qualifier: str) -> dict[str, Any]:
    """The configuration once it is READY or FAILED; each question takes the daemon some time."""
    for _ in asking():
        found: dict[str, Any] = user.lambda_.get_provisioned_concurrency_config(
            FunctionName=name, Qualifier=qualifier
        )
        if found["Status"] != "IN_PROGRESS":
            return found
    raise AssertionError(found)


def logged(user: Deployer, name: str) -> str:
    try:
        events = user.logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    except user.logs.exceptions.ResourceNotFoundException:
        return ""  # nothing has been written yet
    return "".join(event["message"] for event in events)


def most_at_once(answers: list[dict[str, Any]]) -> int:
    moments = sorted(
        [(answer["begun"], 1) for answer in answers] + [(answer["ended"], -1) for answer in answers]
    )
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def test_a_reservation_caps_what_runs_at_once(user: Deployer, name: str) -> None:
    user.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=3)
    refusals: list[dict[str, Any]] = []

    def call(_: int) -> dict[str, Any] | None:
        try:
            return invoke(user, name, wait=0.05)
        except user.lambda_.exceptions.TooManyRequestsException as refused:
            refusals.append(refused.response)
            return None

    with ThreadPoolExecutor(12) as pool:
        answers = [answer for answer in pool.map(call, range(120)) if answer is not None]
    assert len(answers) + len(refusals) == 120
    assert {refusal["Reason"] for refusal in refusals} == {RESERVED}
    wire = refusals[0]["ResponseMetadata"]
    assert (wire["HTTPStatusCode"], wire["HTTPHeaders"]["retry-after"]) == (429, "1")
    assert most_at_once(answers) <= 3
    assert len({answer["id"] for answer in answers}) <= 3


def test_a_function_is_switched_off_and_on_again_at_once(user: Deployer, name: str) -> None:
    invoke(user, name)
    user.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as refused:
        invoke(user, name)
    assert refused.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert refused.value.response["Reason"] == RESERVED
    user.lambda_.delete_function_concurrency(FunctionName=name)
    assert invoke(user, name)["type"] == "on-demand"


def test_environments_are_initialised_ahead_used_first_and_replaced(
    user: Deployer, name: str
) -> None:
    provision(user, name, "1", 2)
    found = settled(user, name, "1")
    assert (found["Status"], found["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 2)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: invoke(user, name, "1", wait=0.3), range(3)))
    kinds = sorted(answer["type"] for answer in answers)
    assert kinds == ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]
    ahead = [answer for answer in answers if answer["type"] == "provisioned-concurrency"]
    assert max(answer["born"] for answer in ahead) < min(answer["begun"] for answer in answers)
    assert invoke(user, name)["type"] == "on-demand"  # $LATEST has none

    first = {answer["id"] for answer in ahead}
    assert invoke(user, name, "1", die=1)["errorType"] == "Runtime.ExitError"
    assert settled(user, name, "1")["Status"] == "READY"
    with ThreadPoolExecutor(2) as pool:
        after = list(pool.map(lambda _: invoke(user, name, "1", wait=0.3), range(2)))
    assert {answer["type"] for answer in after} == {"provisioned-concurrency"}
    assert len({answer["id"] for answer in after} - first) == 1


def test_the_log_reports_every_init_and_no_invocation_does(user: Deployer, name: str) -> None:
    provision(user, name, "1", 1)
    settled(user, name, "1")
    invoke(user, name, "1")
    report = ""
    while "REPORT RequestId" not in report:
        report = logged(user, name)
    lines = report.splitlines()
    [init] = [line for line in lines if line.startswith("INIT_REPORT")]
    assert init.startswith("INIT_REPORT Init Duration: ")
    assert init.endswith(" ms\tPhase: init")
    assert "Init Duration" not in lines[-1]


def test_environments_move_with_their_alias(user: Deployer, name: str) -> None:
    user.lambda_.update_function_configuration(FunctionName=name, MemorySize=128)
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
    user.lambda_.publish_version(FunctionName=name)
    user.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    provision(user, name, "live", 2)
    assert settled(user, name, "live")["Status"] == "READY"
    before = invoke(user, name, "live")
    assert (before["type"], before["version"]) == ("provisioned-concurrency", "1")
    user.lambda_.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert settled(user, name, "live")["Status"] == "READY"
    after = invoke(user, name, "live")
    assert (after["type"], after["version"]) == ("provisioned-concurrency", "2")
    assert invoke(user, name, "1")["type"] == "on-demand"


def test_code_that_cannot_be_initialised_fails_with_a_reason(
    user: Deployer, a_name: Callable[[], str]
) -> None:
    name = a_name()
    user.deploy(name, "raise ValueError('no')\n", Publish=True)
    provision(user, name, "1", 2)
    found = settled(user, name, "1")
    assert (found["Status"], found["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")
    assert found["AllocatedProvisionedConcurrentExecutions"] == 0
    user.lambda_.delete_function(FunctionName=name)


def test_both_are_there_after_a_crash_of_the_daemon(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path / "data").start()
    user = Deployer(daemon.endpoint_url)
    user.deploy("f", SOURCE, Publish=True)
    user.deploy("off", SOURCE)
    user.lambda_.put_function_concurrency(FunctionName="off", ReservedConcurrentExecutions=0)
    provision(user, "f", "1", 2)
    asked = settled(user, "f", "1")
    daemon.kill()
    user.lambda_.close()
    with DaemonProcess(tmp_path / "data") as daemon:
        user = Deployer(daemon.endpoint_url)
        found = settled(user, "f", "1")
        for answer in (asked, found):
            del answer["ResponseMetadata"]
        assert found == asked
        assert invoke(user, "f", "1")["type"] == "provisioned-concurrency"
        with pytest.raises(ClientError, match="Rate Exceeded"):
            invoke(user, "off")
