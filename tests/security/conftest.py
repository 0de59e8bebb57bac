"""A daemon with the native backend, a hostile function on it, and a bystander that must not notice.

The hostile function is the folder `hostile`: one module per kind of attack. A test names the
attack, says what the attacker must get, and is followed by a look at the bystander, at the daemon
and at what it holds.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Answer, Deployer
from lambdad.testing.leaks import Holdings, holdings

HOSTILE = Path(__file__).parent / "hostile"
# What every test leaves the daemon with, however much was thrown at it.
RESIDENT_KIB_MAX = 512 * 1024
# A warm call takes a millisecond; the machine may be busy with what the attack started.
BYSTANDER_S = 2.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker(pytest.mark.root)
        if os.geteuid() != 0:
            item.add_marker(
                pytest.mark.skip(reason="needs root: sandboxes are made of namespaces and cgroups")
            )


@dataclass
class Range:
    """The daemon under attack.

    Mutable: the hostile functions deployed so far.
    """

    daemon: DaemonProcess
    user: Deployer
    deployed: set[str] = field(default_factory=set)

    def deploy(self, name: str, files: Any, **configuration: Any) -> str:
        """Put a function there, once."""
        if name not in self.deployed:
            self.deployed.add(name)
            self.user.deploy(name, files, **configuration)
        return name

    def attacker(self, memory_mb: int = 256, timeout_s: int = 20, name: str = "hostile") -> str:
        """Name a hostile function with these limits."""
        files = {path.name: path.read_bytes() for path in HOSTILE.glob("*.py")}
        return self.deploy(
            f"{name}-{memory_mb}-{timeout_s}", files, MemorySize=memory_mb, Timeout=timeout_s
        )

    def attack(self, what: str, function: str = "", **how: Any) -> Answer:
        """Run one attack: `module.function` of the folder `hostile`, with arguments."""
        return self.user.invoke(function or self.attacker(), {"attack": what, "how": how})

    def result(self, what: str, function: str = "", **how: Any) -> Any:
        """What an attack says that it achieved; it must end without an error."""
        answer = self.attack(what, function, **how)
        assert answer.error is None, answer
        return answer.payload

    def environments(self) -> dict[str, int]:
        """How many there are, by what they do."""
        url = f"{self.daemon.endpoint_url}/_lambdad/health"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own
            counts: dict[str, int] = json.load(answer)["environments"]
        return counts

    def holdings(self) -> Holdings:
        """What the daemon holds of the host."""
        return holdings(self.daemon.data_dir, self.daemon.pid)

    def settle(self, *, idle: bool) -> dict[str, int]:
        """Wait until nothing works or is being taken down, nor is idle unless it may be."""
        for _ in range(20_000):
            counts = self.environments()
            if not counts["busy"] and not counts["closing"] and (idle or not counts["idle"]):
                return counts
        raise AssertionError(counts)

    def bystander_s(self) -> float:
        """Seconds that somebody else's warm function takes to answer."""
        begun = time.monotonic()
        answer = self.user.invoke("bystander", 7)
        assert answer.payload == 7, answer
        return time.monotonic() - begun

    @contextmanager
    def observed(self) -> Iterator[Observation]:
        """Look at the daemon's memory and the bystander's answers while something happens."""
        observation = Observation()
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.02):
                resident = _resident_kib(self.daemon.pid)
                observation.resident_kib = max(observation.resident_kib, resident)
                observation.bystander_s.append(self.bystander_s())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield observation
        finally:
            over.set()
            thread.join()


@dataclass
class Observation:
    """What was seen of the daemon during an attack."""

    resident_kib: int = 0
    bystander_s: list[float] = field(default_factory=list)


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    """A daemon with a bystander; its holdings are looked at once more when it has stopped."""
    data_dir = tmp_path_factory.mktemp("security") / "data"
    with DaemonProcess(data_dir) as daemon:
        user = Deployer(daemon.endpoint_url)
        user.deploy("bystander", "def handler(event, context):\n    return event\n")
        it = Range(daemon, user)
        it.bystander_s()
        yield it
    assert holdings(data_dir) == holdings(data_dir / "nothing")


@pytest.fixture(scope="module", autouse=True)
def nothing_leaks(target: Range) -> Iterator[None]:
    """When the functions of a module are gone, so is all that they had."""
    before = target.holdings()
    yield
    for name in target.deployed:
        target.user.lambda_.delete_function(FunctionName=name)
    target.deployed.clear()
    # The bystander is idle; it was there before.
    for _ in range(20_000):
        counts = target.environments()
        if counts == {"busy": 0, "idle": 1, "closing": 0}:
            break
    after = target.holdings()
    assert after.beyond(before) == {}
    assert after.resident_kib < RESIDENT_KIB_MAX


@pytest.fixture(autouse=True)
def unharmed(target: Range) -> Iterator[None]:
    """After each attack: others are served quickly, and nothing is held but by environments."""
    yield
    assert target.daemon.running
    assert target.bystander_s() < BYSTANDER_S
    environments = target.settle(idle=True)["idle"]
    held = target.holdings()
    assert len(held.loops) <= environments
    assert len(held.links) <= environments


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


Attack = Callable[..., Answer]
