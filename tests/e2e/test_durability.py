"""What was answered is there after the daemon was killed."""

from __future__ import annotations

import base64
import json
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import botocore.exceptions
import pytest

from lambdad.testing.asking import asking
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
SNAPSTART = {"ApplyOn": "PublishedVersions"}
INIT = """
import os, long
def handler(event, context):
    return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""
# Enough source to be compiled ahead.
CODE = {"long.py": "def f(x):\n    return [x, x + 1]\n" * 400}
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


def test_kill_9_and_stop_leave_nothing_of_all_that_is_made_ahead(
    start: Callable[..., DaemonProcess],
) -> None:
    """Snapshots, kept and just being made, byte code, footings, environments that wait."""
    daemon = start(LAMBDAD_RUNTIMES_FALLBACK="true")
    user = Deployer(daemon.endpoint_url)
    user.deploy("f", {**CODE, "app.py": INIT}, Runtime="python3.12", SnapStart=SNAPSTART)
    assert user.invoke("f").payload == "on-demand"
    use_all(daemon, user, "1")
    publish(user, "2")
    processes = descendants(daemon.pid)
    assert len(processes) >= 5  # launchers; PID 1 and runtime of two environments: frozen
    daemon.kill()
    assert await_exit(processes) == 0
    # Devices go behind the last descriptor, in the kernel's own time.
    groups = {"cgroups": frozenset[str](), "ready": frozenset[str]()}
    assert any(replace(holdings(daemon.data_dir), **groups) == NOTHING for _ in asking())
    assert list((daemon.data_dir / "snapshots").iterdir()) == []
    again = start(LAMBDAD_RUNTIMES_FALLBACK="true")
    user = Deployer(again.endpoint_url)
    assert user.invoke("f").payload == "on-demand"
    # No snapshot survives: this one is made anew while the other is.
    user.lambda_.invoke(FunctionName="f", Qualifier="1")
    use_all(again, user, "3")
    publish(user, "4")
    assert again.stop() == 0
    assert holdings(again.data_dir) == NOTHING
    assert list((again.data_dir / "snapshots").iterdir()) == []
    assert "Traceback" not in again.stderr


def publish(user: Deployer, marker: str) -> str:
    """Publish other code; returns the version, of which a snapshot is being made."""
    package = zip_of({**CODE, "app.py": f"{INIT}\n# {marker}\n"})
    version: str = user.lambda_.update_function_code(
        FunctionName="f", ZipFile=package, Publish=True
    )["Version"]
    return version


def use_all(daemon: DaemonProcess, user: Deployer, marker: str) -> None:
    """Have an environment that was restored, byte code, and all that is made ahead."""
    version = publish(user, marker)
    waiter = user.lambda_.get_waiter("published_version_active")
    waiter.wait(FunctionName="f", Qualifier=version, WaiterConfig={"Delay": 1, "MaxAttempts": 100})
    with urllib.request.urlopen(f"{daemon.endpoint_url}/_lambdad/health", timeout=10) as answer:  # noqa: S310 - our own
        assert json.load(answer)["snapshots"]["kept"] >= 1
    answer = user.lambda_.invoke(FunctionName="f", Qualifier=version, LogType="Tail")
    assert json.load(answer["Payload"]) == "snap-start"
    assert b"\tRestore Duration: " in base64.b64decode(answer["LogResult"])
    assert any(list(daemon.data_dir.rglob("*.made")) for _ in asking())
    assert any(holdings(daemon.data_dir).ready for _ in asking())
