"""Environments that are initialised ahead are taken down like all others."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.leaks import holdings

pytestmark = [pytest.mark.root, pytest.mark.slow]

SOURCE = "def handler(event, context):\n    return event\n"
NUMBER = 20


def provision(user: Deployer, name: str, number: int) -> None:
    user.lambda_.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=number
    )


def await_status(user: Deployer, name: str, status: str) -> None:
    """Each question takes the daemon some time."""
    found = ""
    for _ in asking():
        found = user.lambda_.get_provisioned_concurrency_config(FunctionName=name, Qualifier="1")[
            "Status"
        ]
        if found == status:
            return
    raise AssertionError(found)


def await_quiet(daemon: DaemonProcess) -> None:
    environments: dict[str, int] = {}
    for _ in asking():
        with urllib.request.urlopen(f"{daemon.endpoint_url}/_lambdad/health") as answer:  # noqa: S310
            environments = json.load(answer)["environments"]
        if not any(environments.values()):
            return
    raise AssertionError(environments)


def test_nothing_stays_of_a_deleted_function(
    start: Callable[..., DaemonProcess],
) -> None:
    # What is made ahead for functions to come would look like a leak.
    daemon = start(LAMBDAD_PREWARM_MOST="0", LAMBDAD_SANDBOX_PREPARED="0")
    user = Deployer(daemon.endpoint_url)
    user.deploy("warm-up", SOURCE, Publish=True)
    provision(user, "warm-up", 1)
    await_status(user, "warm-up", "READY")
    user.lambda_.delete_function(FunctionName="warm-up")
    await_quiet(daemon)
    before = holdings(daemon.data_dir, daemon.pid)
    user.deploy("f", SOURCE, Publish=True)
    provision(user, "f", NUMBER)
    await_status(user, "f", "READY")
    assert holdings(daemon.data_dir, daemon.pid).beyond(before)
    user.lambda_.delete_function(FunctionName="f")
    await_quiet(daemon)
    after = holdings(daemon.data_dir, daemon.pid)
    assert after.beyond(before) == {}
    # The interpreter that environments are forked from may have come up meanwhile.
    assert after.descriptors <= before.descriptors + 4


def test_nothing_stays_of_a_daemon_that_stops_while_it_initialises(
    start: Callable[..., DaemonProcess],
) -> None:
    daemon = start()
    before = holdings(daemon.data_dir, None)
    user = Deployer(daemon.endpoint_url)
    user.deploy("slow", f"import time\ntime.sleep(30)\n{SOURCE}", Publish=True)
    user.deploy("f", SOURCE, Publish=True)
    provision(user, "f", NUMBER)
    provision(user, "slow", NUMBER)
    await_status(user, "f", "READY")
    user.lambda_.close()
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr
    assert holdings(daemon.data_dir, None).beyond(before) == {}
