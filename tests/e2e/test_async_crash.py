"""Nothing accepted is lost, and nothing that was done is done again, however often it is killed.

`TEST_KILLS` says how often; `make crash` runs the long form.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.event_ledger import SOURCE, EventLedger, queue_counts

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("TEST_KILLS", "8"))
FUNCTIONS = ["one", "two", "three"]

# Between the end of a function and its record on the disk, on a loaded host.
MARGIN_S = 1.0

Start = Callable[..., DaemonProcess]


def begin(start: Start) -> DaemonProcess:
    return start(
        "--backend",
        "process",
        LAMBDAD_ASYNC_INVOCATION_RETRY_DELAY_S="0.2",
        LAMBDAD_DATAPLANE_CONCURRENCY="12",
    )


def drained(daemon: DaemonProcess, limit_s: float) -> dict[str, int]:
    """Wait until nothing waits or runs; returns the last counts."""
    for _ in range(int(limit_s / 0.2)):
        counts = queue_counts(daemon.endpoint_url)
        if not counts["waiting"] and not counts["running"]:
            return counts
        time.sleep(0.2)
    raise AssertionError(f"the queue does not drain: {counts}")


@pytest.fixture
def ledger() -> Iterator[EventLedger]:
    """Where functions of any user can write; their `/tmp` is another."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o777)
        yield EventLedger(Path(directory) / "ledger")


@pytest.mark.timeout(120 + 10 * KILLS)
def test_accepted_events_survive_kill_9_and_finished_ones_are_not_repeated(
    start: Start, ledger: EventLedger
) -> None:
    daemon = begin(start)
    for name in FUNCTIONS:
        Deployer(daemon.endpoint_url).deploy(
            name, SOURCE, Environment={"Variables": {"LEDGER": str(ledger.path)}}
        )
    for _ in range(KILLS):
        with ledger.load(Deployer(daemon.endpoint_url), FUNCTIONS, threads=4):
            time.sleep(random.uniform(0.1, 1.5))  # noqa: S311 - the kill comes at any instant
            daemon.kill()
            ledger.killed()
        daemon = begin(start)
    counts = drained(daemon, 60 + 2 * KILLS)
    assert counts["set_aside"] == 0
    assert len(ledger.accepted) > 20 * KILLS
    assert ledger.lost() == set()
    assert ledger.wrong() == []
    assert ledger.repeated(MARGIN_S) == set()


def test_events_in_hand_at_a_stop_run_again_or_finish(start: Start, ledger: EventLedger) -> None:
    daemon = begin(start)
    Deployer(daemon.endpoint_url).deploy(
        "one", SOURCE, Environment={"Variables": {"LEDGER": str(ledger.path)}}
    )
    with ledger.load(Deployer(daemon.endpoint_url), ["one"], threads=4):
        time.sleep(1)
        assert daemon.stop() == 0
        ledger.killed()
    assert "Traceback" not in daemon.stderr
    drained(begin(start), 60)
    assert len(ledger.accepted) > 20
    assert ledger.lost() == set()
    assert ledger.repeated(0) == set(), "a stop lets what runs finish"
