"""A host takes what fits, gives up first what is dispensable, and refuses the rest with reasons."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambdad.dataplane.capacity import Claim, HostCapacity, Usage, VersionMemory
from lambdad.domain.errors import TooManyRequestsException
from lambdad.testing.clock import FakeClock

MIB = 1024 * 1024


class Environment:
    """Has as much memory as a test says."""

    def __init__(self, mib: int = 0) -> None:
        self.now = self.peak = mib * MIB
        self.claim: Claim

    def measure(self) -> Usage:
        self.peak = max(self.peak, self.now)
        return Usage(now=self.now, peak=self.peak)


class Host:
    """The capacity under test, and who keeps the environments."""

    def __init__(
        self, mib: int, *, overcommit: float = 4.0, most: int = 1_000, available: int | None = None
    ) -> None:
        self.available = available
        self.clock = FakeClock()
        self.capacity = HostCapacity(
            total_bytes=mib * MIB,
            environments=most,
            clock=self.clock,
            overcommit=overcommit,
            available=None if available is None else lambda: (self.available or 0) * MIB,
        )
        self.idle: list[Environment] = []

    def version(self, memory_mb: int) -> VersionMemory:
        return self.capacity.version(("f", memory_mb), memory_mb)

    def claims_at_rest(self) -> Iterator[Claim]:
        return (environment.claim for environment in self.idle)

    def evict(self) -> bool:
        if not self.idle:
            return False
        self.idle.pop(0).claim.leave()
        return True

    def start(self, memory: VersionMemory, mib: int = 0, *, kept: bool = False) -> Environment:
        environment = Environment(mib)
        environment.claim = self.capacity.claim(
            self, memory, environment.measure, name="f", kept=kept
        )
        return environment

    def rest(self, environment: Environment) -> None:
        environment.claim.rest()
        self.idle.append(environment)

    @property
    def report(self) -> dict[str, int]:
        return self.capacity.report()


def reason_of(host: Host, memory: VersionMemory) -> str:
    with pytest.raises(TooManyRequestsException) as refused:
        host.start(memory)
    return refused.value.members["Reason"]


def test_memory_is_promised_as_often_as_configured() -> None:
    host = Host(1_024, overcommit=4.0)
    memory = host.version(256)
    for _ in range(16):
        host.start(memory)
    assert reason_of(host, memory) == "HostMemoryLimitExceeded"
    assert host.report["used_mb"] == 1_024


def test_what_a_version_has_used_is_expected_of_the_next() -> None:
    host = Host(1_024, overcommit=4.0)
    memory = host.version(512)
    first = host.start(memory, mib=400)
    host.capacity.measure(host)
    assert host.report["used_mb"] == 400
    host.start(memory)
    assert host.report["used_mb"] == 800
    assert reason_of(host, memory) == "HostMemoryLimitExceeded"
    first.claim.release()
    host.start(memory)


def test_what_is_known_of_a_version_outlives_its_environments_and_not_its_size() -> None:
    capacity = Host(1_024, overcommit=4.0).capacity
    capacity.version("v", 400).peak = 300 * MIB
    assert capacity.version("v", 400).expected == 300 * MIB
    assert capacity.version("v", 800).expected == 200 * MIB
    for number in range(20_000):
        capacity.version(number, 128).peak = 1
    assert capacity.version("v", 800).peak == 0, "and it is bounded"


def test_without_work_only_what_is_really_used_counts() -> None:
    host = Host(1_024, overcommit=1.0)
    memory = host.version(512)
    for _ in range(50):
        environment = host.start(memory, mib=3)
        host.rest(environment)
    assert (host.report["environments"], host.report["evictions"]) == (50, 0)
    host.capacity.measure(host)
    assert host.report["used_mb"] == 150


def test_the_environment_without_work_for_longest_goes_first_and_no_more_than_needed() -> None:
    host = Host(1_000, overcommit=1.0)
    small = host.version(100)
    idle = [host.start(small, mib=90) for _ in range(10)]
    for environment in idle:
        host.rest(environment)
    host.start(host.version(190))
    assert [environment.claim.leaving for environment in idle] == [True, *[False] * 9]
    assert host.report["evictions"] == 1


def test_nobody_goes_in_vain() -> None:
    host = Host(1_000, overcommit=1.0)
    host.start(host.version(900), mib=900)
    host.rest(host.start(host.version(100), mib=50))
    assert reason_of(host, host.version(200)) == "HostMemoryLimitExceeded"
    assert (host.report["evictions"], len(host.idle)) == (0, 1)


def test_the_number_of_environments_is_limited_too() -> None:
    host = Host(1_000, most=2)
    memory = host.version(128)
    first = host.start(memory)
    host.start(memory)
    assert reason_of(host, memory) == "HostEnvironmentLimitExceeded"
    host.rest(first)
    host.start(memory)
    assert first.claim.leaving


def test_what_the_host_itself_lacks_is_not_given_away() -> None:
    host = Host(10_000, overcommit=1.0, available=100)
    memory = host.version(128)
    assert reason_of(host, memory) == "HostMemoryLimitExceeded"
    host.available = 200
    host.start(memory)


def test_what_is_kept_counts_with_what_it_may_need() -> None:
    host = Host(1_000, overcommit=1.0)
    provisioned = host.start(host.version(800), mib=5, kept=True)
    provisioned.claim.rest()
    host.capacity.measure(host)
    assert host.report["used_mb"] == 800


def test_when_those_that_work_grow_those_without_work_go() -> None:
    host = Host(1_000, overcommit=10.0)
    idle = host.start(host.version(500), mib=300)
    host.rest(idle)
    hungry = host.start(host.version(900), mib=100)
    host.capacity.measure(host)
    assert not idle.claim.leaving
    hungry.now = 800 * MIB
    host.capacity.measure(host)
    assert idle.claim.leaving
    assert host.report["evictions"] == 1


class Pool:
    """Keeps slots only to be quick."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.slots: list[Claim] = []
        host.capacity.spares = self

    def grow(self) -> bool:
        claim = self.host.capacity.spare(100, lambda: Usage(now=100 * MIB, peak=100 * MIB))
        if claim is not None:
            self.slots.append(claim)
        return claim is not None

    def give_up(self) -> bool:
        if not self.slots:
            return False
        self.slots.pop().leave()
        return True


def test_what_is_spare_goes_first_and_costs_nobody_anything() -> None:
    host = Host(1_000, overcommit=1.0)
    pool = Pool(host)
    idle = host.start(host.version(500), mib=500)
    host.rest(idle)
    while pool.grow():
        pass
    assert len(pool.slots) == 5
    host.start(host.version(300))
    assert (len(pool.slots), idle.claim.leaving) == (2, False)
    assert (host.report["spares_given_up"], host.report["evictions"]) == (3, 0)


def test_what_is_not_there_yet_is_measured_when_it_is() -> None:
    host = Host(1_000)
    slot = Environment(0)
    assert host.capacity.spare(32, slot.measure) is not None
    host.capacity.measure(host)
    assert host.report["used_mb"] == 32
    slot.now = 7 * MIB
    host.capacity.measure(host)
    assert host.report["used_mb"] == 7
    assert not host.capacity.unmeasured


async def test_a_new_environment_waits_until_the_evicted_one_is_gone() -> None:
    host = Host(1_000, overcommit=1.0)
    idle = host.start(host.version(900), mib=900)
    host.rest(idle)
    host.start(host.version(500))
    waiting = asyncio.ensure_future(host.capacity.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    idle.claim.release()
    async with asyncio.timeout(10):
        await waiting
    assert host.report["used_mb"] == 500


def test_refusals_are_logged_with_cause_and_remedy_and_not_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = Host(100, overcommit=1.0)
    memory = host.version(128)
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            reason_of(host, memory)
            host.clock.advance(0.15)
    assert len(caplog.messages) == 2
    assert "it needs 128 MiB" in caplog.messages[0]
    assert "dataplane.memory_mb" in caplog.messages[0]
    assert "67 refused" in caplog.messages[1]
    assert host.report["refusals"] == 100


class CapacityMachine(RuleBasedStateMachine):
    """Whatever happens, the sums are right and nothing new exceeds the budget."""

    def __init__(self) -> None:
        super().__init__()
        self.host = Host(1_000, overcommit=2.0, most=12)
        self.versions = [self.host.version(size) for size in (100, 200, 600)]
        self.working: list[Environment] = []
        self.leaving: list[Environment] = []

    @rule(version=st.integers(0, 2), mib=st.integers(0, 300))
    def starts(self, version: int, mib: int) -> None:
        before = list(self.host.idle)
        try:
            environment = self.host.start(self.versions[version], mib)
        except TooManyRequestsException:
            assert self.host.idle == before, "none goes in vain"
        else:
            self.working.append(environment)
            gone = len(before) - len(self.host.idle)
            self.leaving += before[:gone]
            assert self.committed() <= 1_000 * MIB

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def rests(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.working))
        self.working.remove(chosen)
        self.host.rest(chosen)

    @precondition(lambda self: self.host.idle)
    @rule()
    def works_again(self) -> None:
        environment = self.host.idle.pop()
        environment.claim.work()
        self.working.append(environment)

    @precondition(lambda self: self.leaving)
    @rule()
    def is_gone(self) -> None:
        environment = self.leaving.pop()
        environment.claim.release()
        environment.claim.release()

    @rule()
    def is_measured(self) -> None:
        before = list(self.host.idle)
        self.host.capacity.measure(self.host)
        self.leaving += before[: len(before) - len(self.host.idle)]
        assert self.committed() <= 1_000 * MIB or not self.host.idle

    def committed(self) -> int:
        return sum(each.claim.weight for each in (*self.working, *self.host.idle))

    @invariant()
    def sums_are_right(self) -> None:
        leaving = sum(each.claim.weight for each in self.leaving)
        assert self.host.capacity.used == self.committed() + leaving
        number = len(self.working) + len(self.host.idle) + len(self.leaving)
        assert self.host.report["environments"] == number
        assert number - len(self.leaving) <= 12


TestCapacity = CapacityMachine.TestCase
