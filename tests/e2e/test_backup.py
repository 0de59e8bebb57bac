"""A backup taken under load is one moment of the daemon, and a daemon runs on it."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lambdad.testing.crash.ledger import ControlLedger
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer, zip_of
from lambdad.testing.event_ledger import queue_counts

pytestmark = pytest.mark.slow

Start = Callable[..., DaemonProcess]


STEADY = """
def handler(event, context):
    if event == "fail":
        raise ValueError(event)
    return "steady"
"""


def lambdad(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lambdad", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
    )


def code_of(text: str) -> str:
    return f"def handler(event, context):\n    return {text!r}\n"


def test_a_backup_under_load_holds_what_was_answered_before_it_and_runs(
    start: Start, tmp_path: Path
) -> None:
    daemon = start("--backend", "process", LAMBDAD_DATAPLANE_CONCURRENCY="130")
    user = Deployer(daemon.endpoint_url)
    user.deploy("steady", STEADY)
    # It fails, and waits a minute for its next try: through the backup, and beyond.
    user.lambda_.invoke(FunctionName="steady", InvocationType="Event", Payload=b'"fail"')
    ledger = ControlLedger.of(2)
    with ledger.load(user):
        while ledger.answered().total() < 60:
            threading.Event().wait(0.05)
        done = lambdad("backup", tmp_path / "copy", "--data-dir", daemon.data_dir)
        progress = ledger.answered().total()
    assert done.returncode == 0, done.stderr
    assert "1 queued events" in done.stdout
    assert "lambdad.db: " in done.stderr
    assert progress > 60, "the load went on meanwhile"
    assert daemon.stop() == 0
    done = lambdad("restore", tmp_path / "copy", "--data-dir", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    done = lambdad(
        "restore", tmp_path / "copy", "--data-dir", tmp_path / "none", "--without-events"
    )
    assert "0 queued events" in done.stdout

    restored = start("--backend", "process", data="again")
    user = Deployer(restored.endpoint_url)
    counts = queue_counts(restored.endpoint_url)
    assert counts["waiting"] + counts["running"] == 1
    assert user.invoke("steady").payload == "steady"
    for function in user.lambda_.list_functions()["Functions"]:
        called = user.lambda_.invoke(FunctionName=function["FunctionName"])
        assert "FunctionError" not in called, called["Payload"].read()


def test_a_quiet_daemon_is_restored_exactly(start: Start, tmp_path: Path) -> None:
    daemon = start("--backend", "process", LAMBDAD_DATAPLANE_CONCURRENCY="130")
    user = Deployer(daemon.endpoint_url)
    ledger = ControlLedger.of(1)
    with ledger.load(user):
        while ledger.answered().total() < 26:
            threading.Event().wait(0.01)
    before = copy.deepcopy(ledger)
    assert lambdad("backup", tmp_path / "copy", "--data-dir", daemon.data_dir).returncode == 0
    with ledger.load(user):
        while ledger.answered().total() < 60:
            threading.Event().wait(0.01)
    daemon.kill()
    assert lambdad("restore", tmp_path / "copy", "--data-dir", tmp_path / "b").returncode == 0
    restored = start("--backend", "process", data="b", LAMBDAD_DATAPLANE_CONCURRENCY="130")
    before.check(Deployer(restored.endpoint_url))
    key = "code-location.key"
    assert (tmp_path / "b" / key).read_bytes() == (daemon.data_dir / key).read_bytes()


def test_nothing_is_overwritten_and_damage_is_found(start: Start, tmp_path: Path) -> None:
    daemon = start("--backend", "process")
    user = Deployer(daemon.endpoint_url)
    user.deploy("f", {"app.py": code_of("f"), "data.db": b"a database of the function's own"})
    assert lambdad("backup", tmp_path / "copy", "--data-dir", daemon.data_dir).returncode == 0

    again = lambdad("backup", tmp_path / "copy", "--data-dir", daemon.data_dir)
    assert (again.returncode, "nothing is overwritten" in again.stderr) == (2, True)
    onto = lambdad("restore", tmp_path / "copy", "--data-dir", daemon.data_dir)
    assert (onto.returncode, "nothing is overwritten" in onto.stderr) == (2, True)
    nothing = lambdad("backup", tmp_path / "other", "--data-dir", tmp_path)
    assert (nothing.returncode, "no data directory" in nothing.stderr) == (2, True)
    no_backup = lambdad("restore", daemon.data_dir, "--data-dir", tmp_path / "x")
    assert (no_backup.returncode, "no backup" in no_backup.stderr) == (2, True)

    (archive,) = (tmp_path / "copy" / "code").glob("*/package.zip")
    archive.write_bytes(zip_of({"app.py": code_of("g")}))
    damaged = lambdad("restore", tmp_path / "copy", "--data-dir", tmp_path / "x")
    assert (damaged.returncode, "is damaged" in damaged.stderr) == (2, True)
    assert not (tmp_path / "x").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "data"]
