"""A daemon with the native backend, a hostile function on it, and a bystander that must not notice.

The hostile function is the folder `hostile`: one module per kind of attack. A test names the
attack, says what the attacker must get, and is followed by a look at the bystander, at the daemon
and at what it holds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.firing_range import BYSTANDER, Origin, Range
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


# None, so that environments can be counted, or so many of each runtime, always.
WAITING = {Origin.MADE: 0, Origin.ASSIGNED: 2, Origin.RESTORED: 2}


class Ranges:
    """A daemon for each origin of environments, from when it is first asked for.

    Their holdings are looked at once more when they have stopped.

    Attributes:
        before: what each held when its module began, or it did.
    """

    def __init__(self, directory: Path) -> None:
        self.started: dict[Origin, Range] = {}
        self.before: dict[Origin, Taken] = {}
        self._directory = directory
        self._stack = ExitStack()

    def of(self, origin: Origin) -> Range:
        """Return the range with these environments, and a bystander that is served."""
        if origin not in self.started:
            target = self._stack.enter_context(self._range(origin))
            self.before[origin] = Taken.by(target)
            came_about(target)
            self.started[origin] = target
        return self.started[origin]

    def close(self) -> None:
        self._stack.close()

    @contextmanager
    def _range(self, origin: Origin) -> Iterator[Range]:
        data_dir = self._directory / origin.name
        # What environments stand on is made ahead as ever, but for a number that does not follow
        # the last wave.
        settings = {"LAMBDAD_SANDBOX_PREPARED": "4"}
        for bound in ("LEAST", "MOST"):
            settings[f"LAMBDAD_PREWARM_{bound}"] = str(WAITING[origin])
        with DaemonProcess(data_dir, environ=settings) as daemon:
            user = Deployer(daemon.endpoint_url)
            user.deploy("bystander", BYSTANDER, Runtime=origin.runtime)
            it = Range(daemon, user, HOSTILE, origin)
            it.bystander_s()
            assert any(it.holdings().ready for _ in asking()), "attacks meet what was made ahead"
            yield it
        assert "is of no use" not in daemon.stderr
        assert holdings(data_dir) == holdings(data_dir / "nothing")


def came_about(target: Range) -> None:
    """Its environments are what it says: older than their function, but for those on demand."""
    if WAITING[target.origin]:
        assert any(target.waiting() == WAITING[target.origin] for _ in asking())
    begun = time.monotonic()
    function = target.attacker(name="newcomer")
    age_s = target.result("reach.age_s", function)
    waited = target.origin is not Origin.MADE
    assert (age_s > time.monotonic() - begun) == waited, (target.origin, age_s)


@pytest.fixture(scope="session")
def ranges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ranges]:
    with closing(Ranges(tmp_path_factory.mktemp("security"))) as ranges:
        yield ranges


@pytest.fixture(scope="session")
def made(ranges: Ranges) -> Range:
    """Where environments are made on demand, which most attacks do not care about."""
    return ranges.of(Origin.MADE)


@pytest.fixture
def target(ranges: Ranges, request: pytest.FixtureRequest) -> Range:
    """Where environments come about as the test asks for (see `origins`)."""
    return ranges.of(getattr(request, "param", Origin.MADE))


@dataclass(frozen=True)
class Taken:
    """What is held for functions: neither what is made ahead, nor what that has by name.

    Attributes:
        environments: how many there are, with a function or waiting for one.
    """

    held: Holdings
    environments: int

    @classmethod
    def by(cls, target: Range) -> Self:
        """Look when nothing is being made or taken down."""
        for _ in asking():
            waiting = target.waiting()
            number = target.settle() + waiting
            held = target.holdings()
            if held.taken == (number, number) and waiting == target.waiting():
                return cls(without_ready(held), number)
        raise AssertionError(held)

    @property
    def beside(self) -> tuple[int, int, int]:
        """How many mounts, groups and processes belong to no environment."""
        groups = {Path(group).name for group in self.held.cgroups}
        others = len(groups) - self.environments
        return len(self.held.mounts), others, len(self.held.processes) - 2 * self.environments

    def more_than(self, before: Taken, *, replaced: bool) -> Any:
        """What was not there before; by number if what was there may have been replaced."""
        if replaced:
            more = [now > then for now, then in zip(self.beside, before.beside, strict=True)]
            return (before.beside, self.beside) if any(more) else {}
        return self.held.beyond(before.held)


def without_ready(held: Holdings) -> Holdings:
    groups = {group for group in held.cgroups if Path(group).name not in held.ready}
    nothing: frozenset[str] = frozenset()
    return replace(held, cgroups=frozenset(groups), loops=nothing, links=nothing)


@pytest.fixture(scope="module", autouse=True)
def nothing_leaks(ranges: Ranges) -> Iterator[None]:
    """When the functions of a module are gone, so is all that they had."""
    ranges.before |= {origin: Taken.by(target) for origin, target in ranges.started.items()}
    yield
    for origin, target in ranges.started.items():
        target.forget()
        # The bystander's stays; it was there before.
        target.settle(idle=1)
        after = Taken.by(target)
        assert after.more_than(ranges.before[origin], replaced=bool(WAITING[origin])) == {}
        assert after.held.resident_kib < RESIDENT_KIB_MAX


@pytest.fixture(autouse=True)
def unharmed(target: Range) -> Iterator[None]:
    """After each attack: others are served quickly, and nothing is held but by environments."""
    yield
    assert target.daemon.running
    assert target.bystander_s() < BYSTANDER_S
    environments = target.settle()
    # Of what is just being made ahead there is a part.
    assert any(max(target.holdings().taken) <= environments + target.waiting() for _ in asking())
