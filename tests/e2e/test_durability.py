"""What was answered is there after the daemon was killed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import botocore.exceptions
import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, RUNTIME, Deployer, zip_of
from lambdad.testing.leaks import Holdings, await_exit, descendants, holdings

pytestmark = [pytest.mark.root, pytest.mark.slow]

NOTHING = Holdings(
    processes=frozenset(),
    mounts=frozenset(),
    cgroups=frozenset(),
    loops=frozenset(),
    links=frozenset(),
)
SOURCE = "def handler(event, context):\n    return {NAME!r}\n"


def test_every_answered_create_survives_kill_9(start: Callable[..., DaemonProcess]) -> None:
    """500 creates run while the daemon is killed: what answered is there, with its code."""
    daemon = start()
    user = Deployer(daemon.endpoint_url)
    answered: set[str] = set()
    enough = threading.Event()

    def create(number: int) -> None:
        name = f"f{number}"
        package = zip_of({"app.py": SOURCE.replace("{NAME!r}", repr(name))})
        try:
            user.lambda_.create_function(
                FunctionName=name,
                Runtime=RUNTIME,
                Handler="app.handler",
                Role=ROLE,
                Code={"ZipFile": package},
            )
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            return
        answered.add(name)
        if len(answered) == 200:
            enough.set()

    with ThreadPoolExecutor(16) as pool:
        for number in range(500):
            pool.submit(create, number)
        assert enough.wait(120)
        daemon.kill()
    again = start()
    user = Deployer(again.endpoint_url)
    pages = user.lambda_.get_paginator("list_functions").paginate()
    there = {function["FunctionName"] for page in pages for function in page["Functions"]}
    assert 200 <= len(answered) < 500
    assert answered <= there
    for name in sorted(answered)[::20]:
        assert user.invoke(name).payload == name
    # What was there but not answered is whole as well.
    for name in there - answered:
        assert user.invoke(name).payload == name


def test_kill_9_leaves_no_process_and_the_next_start_sweeps_the_rest(
    start: Callable[..., DaemonProcess],
) -> None:
    daemon = start()
    user = Deployer(daemon.endpoint_url)
    user.deploy("f", "def handler(event, context):\n    return 1\n")
    assert user.invoke("f").payload == 1
    processes = descendants(daemon.pid)
    assert len(processes) >= 3  # the launcher, the sandbox's init, the runtime: frozen
    daemon.kill()
    assert await_exit(processes) == 0
    again = start()
    assert Deployer(again.endpoint_url).invoke("f").payload == 1
    assert again.stop() == 0
    assert holdings(again.data_dir) == NOTHING
