"""What was answered survives a power cut: it was flushed before.

`TEST_CUTS` says how often the power is cut; `make crash` runs the long form.
"""

from __future__ import annotations

import os
import random
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lambdad.testing.asking import linger
from lambdad.testing.crash.disk import FragileDisk
from lambdad.testing.crash.ledger import ControlLedger
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.event_ledger import SOURCE, EventLedger, queue_counts

pytestmark = [pytest.mark.root, pytest.mark.slow]

CUTS = int(os.environ.get("TEST_CUTS", "2"))
CARELESS = Path(__file__).with_name("careless_daemon.py")
ENVIRON = {
    "LAMBDAD_ASYNC_INVOCATION_RETRY_DELAY_S": "0.2",
    "LAMBDAD_DATAPLANE_CONCURRENCY": "130",
}


class Machine:
    """A daemon on a disk that forgets, its clients, and the functions' ledger on another disk."""

    def __init__(self, disk: FragileDisk, ledger: Path, program: tuple[str, ...]) -> None:
        self._disk = disk
        self._program = program
        self.control = ControlLedger.of(3)
        self.events = EventLedger(ledger)
        self.start()
        self.user.deploy("f", SOURCE, Environment={"Variables": {"LEDGER": str(ledger)}})
        self.user.lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=4)

    def start(self) -> None:
        self.daemon = DaemonProcess(
            self._disk.path / "data",
            "--backend",
            "process",
            environ=ENVIRON,
            program=self._program,
        ).start()
        self.user = Deployer(self.daemon.endpoint_url)

    def work_and_lose_power(self) -> None:
        """Run the load for a while and cut the power, whatever goes on."""
        with ExitStack() as loads:
            loads.enter_context(self.control.load(self.user))
            loads.enter_context(self.events.load(self.user, ["f"], threads=3))
            answered, accepted = self._answered(), len(self.events.accepted)
            linger(
                random.uniform(0.3, 1.5),  # noqa: S311 - at any instant
                lambda: (
                    self.control.answered().total() > answered + 5
                    and len(self.events.accepted) > accepted + 5
                ),
            )
            self.daemon.freeze()
            self._disk.cut()
            self.daemon.kill()
        self._disk.replace()

    def _answered(self) -> int:
        # Copies, because others write.
        return sum(sum(dict(each.answered).values()) for each in self.control.clients)

    def lost_events(self) -> set[int]:
        """Accepted events that were not carried out when the queue is empty."""
        for _ in range(300):
            counts = queue_counts(self.daemon.endpoint_url)
            if not counts["waiting"] and not counts["running"]:
                break
            threading.Event().wait(0.2)
        return self.events.lost()

    def close(self) -> None:
        if self.daemon.running:
            self.daemon.kill()
        print(self.daemon.stderr[-4_000:])  # noqa: T201 - shown when a test fails


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def machine(stack: ExitStack, program: tuple[str, ...] = ("-m", "lambdad")) -> Machine:
    root = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
    root.chmod(0o777)
    disk = stack.enter_context(FragileDisk(root, root / "mnt"))
    made = Machine(disk, root / "ledger", program)
    stack.callback(made.close)
    return made


@pytest.mark.timeout(120 + 20 * CUTS)
def test_what_was_answered_survives_power_cuts(stack: ExitStack) -> None:
    tested = machine(stack)
    for _ in range(CUTS):
        tested.work_and_lose_power()
        tested.start()
        tested.control.check(tested.user)
    assert tested.control.answered().total() > 5 * CUTS
    assert len(tested.events.accepted) > 5 * CUTS
    assert tested.lost_events() == set()


@pytest.mark.parametrize("flaw", ["database_not_flushed", "files_not_flushed"])
def test_a_daemon_that_does_not_flush_is_found_out(stack: ExitStack, flaw: str) -> None:
    """The same test, and lambdad with one flaw: it has to lose something."""
    tested = machine(stack, (str(CARELESS), flaw))
    losses = []
    for _ in range(5):
        tested.work_and_lose_power()
        try:
            tested.start()
            tested.control.check(tested.user)
            assert tested.lost_events() == set()
        except (AssertionError, RuntimeError) as error:
            losses.append(error)
            break
    assert losses, "nothing was lost: this test cannot find a loss"
