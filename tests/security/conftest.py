"""A daemon with the native backend, a hostile function on it, and a bystander that must not notice.

The hostile function is the folder `hostile`: one module per kind of attack. A test names the
attack, says what the attacker must get, and is followed by a look at the bystander, at the daemon
and at what it holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.firing_range import BYSTANDER, Range
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


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    """A daemon with a bystander; its holdings are looked at once more when it has stopped."""
    data_dir = tmp_path_factory.mktemp("security") / "data"
    # Environments are counted: none shall wait for functions that are not there yet. What those
    # stand on is made ahead as ever, but for a number that does not follow the last wave.
    settings = {"LAMBDAD_PREWARM_MOST": "0", "LAMBDAD_SANDBOX_PREPARED": "4"}
    with DaemonProcess(data_dir, environ=settings) as daemon:
        user = Deployer(daemon.endpoint_url)
        user.deploy("bystander", BYSTANDER)
        it = Range(daemon, user, HOSTILE)
        it.bystander_s()
        assert any(it.holdings().ready for _ in asking()), "attacks meet what was made ahead"
        yield it
    assert holdings(data_dir) == holdings(data_dir / "nothing")


def taken(target: Range) -> Holdings:
    """What is held for functions: neither what is made ahead, nor what that has by name."""
    number = target.settle()
    for _ in asking():
        held = target.holdings()
        if held.taken == (number, number):
            groups = {group for group in held.cgroups if Path(group).name not in held.ready}
            nothing: frozenset[str] = frozenset()
            return replace(held, cgroups=frozenset(groups), loops=nothing, links=nothing)
    raise AssertionError(held)


@pytest.fixture(scope="module", autouse=True)
def nothing_leaks(target: Range) -> Iterator[None]:
    """When the functions of a module are gone, so is all that they had."""
    before = taken(target)
    yield
    for name in target.deployed:
        target.user.lambda_.delete_function(FunctionName=name)
    target.deployed.clear()
    # The bystander's stays; it was there before.
    target.settle(idle=1)
    after = taken(target)
    assert after.beyond(before) == {}
    assert after.resident_kib < RESIDENT_KIB_MAX


@pytest.fixture(autouse=True)
def unharmed(target: Range) -> Iterator[None]:
    """After each attack: others are served quickly, and nothing is held but by environments."""
    yield
    assert target.daemon.running
    assert target.bystander_s() < BYSTANDER_S
    environments = target.settle()
    # Of what is just being made ahead there is a part.
    assert any(max(target.holdings().taken) <= environments for _ in asking())
