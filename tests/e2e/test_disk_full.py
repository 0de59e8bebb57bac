"""On a full disk nothing is accepted that could not be kept; what is there goes on."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from lambdad.testing.crash.disk import FragileDisk
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, RUNTIME, Deployer, zip_of
from lambdad.testing.event_ledger import SOURCE, EventLedger, queue_counts

pytestmark = [pytest.mark.root, pytest.mark.slow]

ENVIRON = {"LAMBDAD_ASYNC_INVOCATION_RETRY_DELAY_S": "0.2"}
CODE = "def handler(event, context):\n    return {NAME!r}\n"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def fill(path: Path) -> None:
    """Leave no block of the file system free."""
    with path.open("wb") as ballast:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    os.write(ballast.fileno(), bytes(size))
            except OSError:
                continue


def refusal(call: Any, **params: Any) -> dict[str, Any] | None:
    """Call; returns the error of a refused call, with its status, or None."""
    try:
        call(**params)
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return {**error.response["Error"], "status": status}
    return None


def new(name: str) -> dict[str, Any]:
    # Larger than what may be left of a block somewhere.
    files = {"app.py": CODE.replace("{NAME!r}", repr(name)), "ballast": os.urandom(200_000)}
    return {
        "FunctionName": name,
        "Runtime": RUNTIME,
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"ZipFile": zip_of(files)},
    }


def check_all_functions(user: Deployer, answered: set[str]) -> None:
    """Those that were answered are there, and no other, and each has its code."""
    there = {function["FunctionName"] for function in user.lambda_.list_functions()["Functions"]}
    assert there == answered | {"steady", "writer"}
    for name in answered:
        assert user.invoke(name).payload == name


def test_a_full_disk_refuses_before_it_accepts_and_recovers(stack: ExitStack) -> None:
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
    root.chmod(0o777)
    disk = stack.enter_context(FragileDisk(root, root / "mnt", mib=192))
    data = disk.path / "data"
    daemon = stack.enter_context(DaemonProcess(data, "--backend", "process", environ=ENVIRON))
    user = Deployer(daemon.endpoint_url)
    ledger = EventLedger(root / "ledger")
    user.deploy("steady", CODE.replace("{NAME!r}", "'steady'"))
    user.deploy("writer", SOURCE, Environment={"Variables": {"LEDGER": str(ledger.path)}})
    assert user.invoke("steady").payload == "steady"

    fill(disk.path / "ballast")
    answered = set()
    for number in range(5):
        error = refusal(user.lambda_.create_function, **new(f"n{number}"))
        if error is None:
            answered.add(f"n{number}")
        else:
            assert (error["Code"], error["status"]) == ("ServiceException", 500)
    assert len(answered) < 5
    event = json.dumps({"n": -1, "s": 0, "x": "x" * 200_000}).encode()
    refused = None
    accepted = 0
    for _ in range(1_000):
        refused = refusal(
            user.lambda_.invoke, FunctionName="writer", InvocationType="Event", Payload=event
        )
        if refused is not None:
            break
        accepted += 1
    assert refused is not None
    assert (refused["Code"], refused["status"]) == ("ServiceException", 500)
    for _ in range(20):
        assert user.invoke("steady").payload == "steady"
    assert daemon.running

    (disk.path / "ballast").unlink()
    for name in {f"n{number}" for number in range(5)} - answered:
        assert refusal(user.lambda_.create_function, **new(name)) is None
    answered = {f"n{number}" for number in range(5)}
    check_all_functions(user, answered)
    with ledger.load(user, ["writer"], threads=2):
        threading.Event().wait(0.5)
    drain(daemon)
    assert ledger.lost() == set()
    assert sum(run.number == -1 for run in ledger.runs()) == accepted
    daemon.kill()
    assert "No space is left" in daemon.stderr
    again = stack.enter_context(DaemonProcess(data, "--backend", "process"))
    check_all_functions(Deployer(again.endpoint_url), answered)


def drain(daemon: DaemonProcess) -> None:
    for _ in range(600):
        counts = queue_counts(daemon.endpoint_url)
        if not counts["waiting"] and not counts["running"]:
            return
        threading.Event().wait(0.1)
    raise AssertionError(counts)
