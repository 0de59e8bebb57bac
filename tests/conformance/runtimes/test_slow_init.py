"""The limit of the init phase, on a daemon whose limit is one second."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

SLOW = """
import time
print("loading", flush=True)
time.sleep(1.5)
def handler(event, context):
    return context.get_remaining_time_in_millis()
"""


@pytest.fixture(scope="module")
def workshop(
    tmp_path_factory: pytest.TempPathFactory, workshop_of: Callable[[Deployer], Any]
) -> Iterator[Any]:
    data = tmp_path_factory.mktemp("slow-init") / "data"
    with DaemonProcess(data, environ={"LAMBDAD_DATAPLANE_INIT_TIMEOUT_S": "1"}) as daemon:
        yield workshop_of(Deployer(daemon.endpoint_url))


def is_init_timeout(event: str) -> bool:
    return bool(
        re.fullmatch(
            r"INIT_REPORT Init Duration: 1\d\d\d\.\d\d ms\tPhase: init\tStatus: timeout\n", event
        )
    )


def test_what_is_not_ready_in_time_initialises_again_within_the_invocation(
    workshop: Any,
) -> None:
    """The second init counts as duration and has the time that the function has."""
    function = workshop("patient", "python3.12", {"app.py": SLOW}, Timeout=5)
    answer, lines = function()
    assert answer.error is None
    assert 3_000 < answer.payload < 3_500
    figures = lines.expect_report(cold=False)
    assert 1_500 < figures["duration"] < 2_500
    events = function.events(lines.request_id)
    assert [event for event in events if not event.startswith(("INIT_START", "REPORT"))] == [
        "loading\n",
        next(filter(is_init_timeout, events)),
        f"START RequestId: {lines.request_id} Version: $LATEST\n",
        "loading\n",
        f"END RequestId: {lines.request_id}\n",
    ]
    function()[1].expect_report(cold=False)


def test_the_timeout_of_the_function_ends_the_second_init(workshop: Any) -> None:
    function = workshop("hasty", "python3.12", {"app.py": SLOW}, Timeout=1)
    answer, lines = function()
    assert answer.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {lines.request_id} Error: Task timed out after 1.00 seconds",
    }
    assert 1_000 <= lines.expect_report("Status: timeout")["duration"] < 1_250


def test_a_bootstrap_that_never_asks_for_an_event_times_out(workshop: Any) -> None:
    script = "#!/bin/sh\nexec sleep 60\n"
    function = workshop(
        "mute",
        "provided.al2023",
        {"bootstrap": script},
        executable=("bootstrap",),
        Timeout=1,
    )
    answer, lines = function()
    assert answer.payload["errorType"] == "Sandbox.Timedout"
    lines.expect_report("Status: timeout")
    assert any(map(is_init_timeout, function.events(lines.request_id)))
