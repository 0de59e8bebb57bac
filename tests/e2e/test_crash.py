"""Nothing accepted is lost, and nothing that was done is done again, however often it is killed.

`TEST_KILLS` says how often; `make crash` runs the long form.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.asking import linger
from lambdad.testing.crash.ledger import ControlLedger
from lambdad.testing.crash.script import SCRIPT
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.event_ledger import SOURCE, EventLedger, queue_counts

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("TEST_KILLS", "4"))
CONCURRENCY = 130
FUNCTIONS = ["one", "two", "three"]

ACCESS_POINT = (
    "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
)
MOUNTED = "/mnt/ledger"

Start = Callable[..., DaemonProcess]


@dataclass(frozen=True, slots=True)
class Site:
    """Where daemons are started one after the other, and where their functions write."""

    start: Start
    backend: str
    ledger: EventLedger

    def begin(self) -> DaemonProcess:
        return self.start(
            "--backend",
            self.backend,
            "--config",
            str(self.ledger.path.parent / "lambdad.toml"),
            LAMBDAD_ASYNC_INVOCATION_RETRY_DELAY_S="0.2",
            LAMBDAD_DATAPLANE_CONCURRENCY=str(CONCURRENCY),
        )

    def deploy(self, user: Deployer, names: list[str]) -> None:
        """Put the functions there that write to the ledger, by the way this backend has."""
        mounts: dict[str, Any] = {}
        path = str(self.ledger.path)
        if self.backend == "native":
            mounts["FileSystemConfigs"] = [{"Arn": ACCESS_POINT, "LocalMountPath": MOUNTED}]
            path = f"{MOUNTED}/ledger"
        for name in names:
            user.deploy(name, SOURCE, Environment={"Variables": {"LEDGER": path}}, **mounts)
            # So many environments at once as this host carries.
            user.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=4)


def drained(daemon: DaemonProcess, limit_s: float) -> dict[str, int]:
    """Wait until nothing waits or runs; returns the last counts."""
    for _ in range(int(limit_s / 0.2)):
        counts = queue_counts(daemon.endpoint_url)
        if not counts["waiting"] and not counts["running"]:
            return counts
        time.sleep(0.2)
    raise AssertionError(f"the queue does not drain: {counts}")


@pytest.fixture(params=["process", pytest.param("native", marks=pytest.mark.root)])
def site(request: pytest.FixtureRequest, start: Start) -> Iterator[Site]:
    """The ledger is where functions of any user can write; their `/tmp` is another."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        root = Path(directory)
        root.chmod(0o777)
        (root / "lambdad.toml").write_text(f'[filesystems]\n"{ACCESS_POINT}" = "{root}"\n')
        yield Site(start, request.param, EventLedger(root / "ledger"))


@pytest.mark.timeout(120 + 10 * KILLS)
def test_what_was_answered_survives_kill_9_and_the_rest_happened_wholly_or_not_at_all(
    site: Site,
) -> None:
    """Every mutating operation, synchronous invocations and events, all at the same time."""
    control, ledger = ControlLedger.of(3), site.ledger
    daemon = site.begin()
    user = Deployer(daemon.endpoint_url)
    site.deploy(user, FUNCTIONS)
    for kill in range(KILLS):
        if kill % 10 == 9:
            sys.stderr.write(f"\n{kill + 1} of {KILLS} kills, {len(ledger.accepted)} events so far")
        with ExitStack() as loads:
            loads.enter_context(control.load(user))
            loads.enter_context(ledger.load(user, FUNCTIONS, threads=3))
            least = 6 * (kill + 1)
            # The kill comes at any instant, but not before anything was accepted.
            linger(
                random.uniform(0.1, 1.5),  # noqa: S311
                lambda: len(ledger.accepted) >= least,  # noqa: B023 - now
            )
            daemon.kill()
            ledger.killed(daemon.data_dir)
        daemon = site.begin()
        user = Deployer(daemon.endpoint_url)
        control.check(user)
    report(control, ledger, KILLS)
    counts = drained(daemon, 60 + 2 * KILLS)
    assert counts["set_aside"] == 0
    assert len(ledger.accepted) > 5 * KILLS
    assert ledger.lost() == set()
    assert ledger.wrong() == []
    assert ledger.repeated() == set()
    assert ledger.in_hand.total() <= CONCURRENCY * KILLS
    if KILLS >= 20:
        assert {step.operation for step in SCRIPT} == set(control.answered())


def report(control: ControlLedger, ledger: EventLedger, kills: int) -> None:
    """Say how much the run has seen: `make crash` shows it."""
    doubts = ", ".join(f"{name} {times}" for name, times in control.in_doubt().most_common())
    sys.stderr.write(
        f"\n{kills} kills; {control.answered().total()} changes answered, "
        f"{len(ledger.accepted)} events accepted, {len(ledger.runs())} runs, "
        f"{ledger.in_hand.total()} events in hand at a kill; "
        f"under way at a kill: {doubts}\n"
    )


@pytest.mark.parametrize("site", ["process"], indirect=True)
def test_events_in_hand_at_a_stop_run_again_or_finish(site: Site) -> None:
    ledger, daemon = site.ledger, site.begin()
    user = Deployer(daemon.endpoint_url)
    site.deploy(user, ["one"])
    with ledger.load(user, ["one"], threads=4):
        linger(1, lambda: len(ledger.accepted) > 20)
        assert daemon.stop() == 0
        ledger.killed(daemon.data_dir)
    assert "Traceback" not in daemon.stderr
    drained(site.begin(), 60)
    assert len(ledger.accepted) > 20
    assert ledger.lost() == set()
    assert ledger.repeated() == set(), "a stop lets what runs finish"
