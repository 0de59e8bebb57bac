"""A daemon to shoot at: deploys hostile functions, runs attacks, watches the damage."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from lambdad.domain.clock import SystemClock
from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import RUNTIME, Answer, Deployer
from lambdad.testing.leaks import Holdings, holdings

BYSTANDER = "def handler(event, context):\n    return event\n"


class Origin(StrEnum):
    """How the environments of functions on a range come about."""

    MADE = "made on demand"
    ASSIGNED = "assigned"
    RESTORED = "restored"

    @property
    def runtime(self) -> str:
        """What functions run on: AWS has no SnapStart for every Python."""
        return "python3.12" if self is Origin.RESTORED else RUNTIME


@dataclass
class Range:
    """A daemon under attack, with a function `bystander` that must not notice.

    Mutable: the functions deployed so far, but for the bystander.

    Attributes:
        hostile: folder with the code of the hostile function: `app.handler` and its modules.
        origin: of all environments but the bystander's.
    """

    daemon: DaemonProcess
    user: Deployer
    hostile: Path
    origin: Origin = Origin.MADE
    deployed: set[str] = field(default_factory=set)
    _versions: dict[str, str] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def deploy(self, name: str, files: Any, **configuration: Any) -> str:
        """Put a function there, once; returns what it is invoked as."""
        restored = self.origin is Origin.RESTORED
        if name not in self.deployed:
            self.deployed.add(name)
            configuration.setdefault("Runtime", self.origin.runtime)
            if restored:
                configuration["SnapStart"] = {"ApplyOn": "PublishedVersions"}
            self.user.deploy(name, files, **configuration)
            if restored:
                self._versions[name] = self._publish(name)
            if self.origin is Origin.ASSIGNED:
                self._await_ready(configuration["Runtime"])
        return self._versions.get(name, name)

    def forget(self) -> None:
        """Delete the functions, but for the bystander."""
        for name in self.deployed:
            self.user.lambda_.delete_function(FunctionName=name)
        self.deployed.clear()
        self._versions.clear()

    def _publish(self, name: str) -> str:
        arn: str = self.user.lambda_.publish_version(FunctionName=name)["FunctionArn"]
        waiter = self.user.lambda_.get_waiter("published_version_active")
        waiter.wait(FunctionName=arn, WaiterConfig={"Delay": 0.05, "MaxAttempts": 1200})
        version = self.user.lambda_.get_function_configuration(FunctionName=arn)
        assert version["SnapStart"]["OptimizationStatus"] == "On", version
        return arn

    def _await_ready(self, runtime: str) -> None:
        assert any(self._health("prewarmed").get(runtime) for _ in asking()), runtime

    def attacker(self, memory_mb: int = 256, timeout_s: int = 20, name: str = "hostile") -> str:
        """Name a hostile function with these limits."""
        files = {path.name: path.read_bytes() for path in self.hostile.glob("*.py")}
        return self.deploy(
            f"{name}-{memory_mb}-{timeout_s}", files, MemorySize=memory_mb, Timeout=timeout_s
        )

    def attack(self, what: str, function: str = "", **how: Any) -> Answer:
        """Run one attack: `module.function` of the folder `hostile`, with arguments."""
        answer = self.user.invoke(function or self.attacker(), {"attack": what, "how": how})
        assert self.origin is not Origin.RESTORED or "\tInit Duration" not in answer.log, answer
        return answer

    def result(self, what: str, function: str = "", **how: Any) -> Any:
        """What an attack says that it achieved; it must end without an error."""
        answer = self.attack(what, function, **how)
        assert answer.error is None, answer
        return answer.payload

    def environments(self) -> dict[str, int]:
        """How many there are that were given their function, by what they do."""
        return self._health("environments")

    def waiting(self) -> int:
        """How many there are that wait for a function."""
        return sum(self._health("prewarmed").values())

    def _health(self, part: str) -> dict[str, int]:
        url = f"{self.daemon.endpoint_url}/_lambdad/health"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own
            counts: dict[str, int] = json.load(answer)[part]
        return counts

    def holdings(self) -> Holdings:
        """What the daemon holds of the host."""
        return holdings(self.daemon.data_dir, self.daemon.pid)

    def settle(self, *, idle: int | None = None) -> int:
        """Wait until no environment works or is being made or taken down.

        Returns how many are idle; waits until these are `idle` if that is given.
        """
        counts = self.environments()
        for _ in asking():
            if idle in (None, counts["idle"]) and sum(counts.values()) == counts["idle"]:
                return counts["idle"]
            counts = self.environments()
        raise AssertionError(counts)

    def no_other_processes(self) -> bool:
        """Whether there are only PID 1 and the runtime of each environment.

        Of one that is just being made ahead, there are as many soon.
        """
        if self.origin is Origin.MADE:
            return self._processes_beyond(self.settle()) <= 0
        return any(self._processes_beyond(self.settle() + self.waiting()) <= 0 for _ in asking())

    def _processes_beyond(self, environments: int) -> int:
        return len(self.holdings().processes) - 2 * environments

    def bystander_s(self) -> float:
        """Seconds that somebody else's warm function takes to answer."""
        clock = SystemClock()
        begun = clock.monotonic()
        # One at a time, so that it has one environment.
        with self._turn:
            answer = self.user.invoke("bystander", 7)
        assert answer.payload == 7, answer
        return clock.monotonic() - begun

    @contextmanager
    def observed(self) -> Iterator[Observation]:
        """Look at the daemon's memory and the bystander's answers while something happens."""
        observation = Observation()
        over = threading.Event()

        def look() -> None:
            while True:
                resident = _resident_kib(self.daemon.pid)
                observation.resident_kib = max(observation.resident_kib, resident)
                observation.bystander_s.append(self.bystander_s())
                # At least once, however soon it is over.
                if over.wait(0.02):
                    return

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


def _resident_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
