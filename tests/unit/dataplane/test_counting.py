"""Concurrency never exceeds its limits, whatever order invocations and changes come in."""

from __future__ import annotations

import gc
import time
from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambdad.dataplane.counting import ConcurrencyLedger, VersionConcurrency
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import TooManyRequestsException

LIMIT = 6
SHARED = "ConcurrentInvocationLimitExceeded"
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"


def key_of(name: str, account_id: str = "000000000000", region: str = "us-east-1") -> FunctionKey:
    return FunctionKey(account_id=account_id, region=region, name=name)


Version = tuple[FunctionKey, str]
KEYS = [key_of(name) for name in "abc"]
VERSIONS: list[Version] = [(key, version) for key in KEYS for version in ("1", "2")]


def refusal(count: VersionConcurrency) -> str | None:
    """The reason for which one more is refused; None when it was counted."""
    try:
        count.acquire()
    except TooManyRequestsException as refused:
        return refused.members["Reason"]
    return None


class LedgerMachine(RuleBasedStateMachine):
    """Every admission is compared with a count made from nothing but what runs."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = ConcurrencyLedger(LIMIT)
        self.running: list[tuple[Version, VersionConcurrency]] = []
        self.reserved: dict[FunctionKey, int] = {}
        self.allotted: Counter[Version] = Counter()
        self.ceilings: dict[FunctionKey, int] = {}

    def allotments(self, key: FunctionKey) -> int:
        return sum(self.allotted[version] for version in VERSIONS if version[0] == key)

    def excess(self, key: FunctionKey) -> int:
        runs = Counter(version for version, _ in self.running)
        mine = [version for version in VERSIONS if version[0] == key]
        return sum(max(0, runs[version] - self.allotted[version]) for version in mine)

    def shared(self) -> int:
        dealt = sum(self.reserved.get(key, self.allotments(key)) for key in KEYS)
        return LIMIT - dealt

    def expected(self, version: Version) -> str | None:
        key = version[0]
        full = SHARED if len(self.running) >= LIMIT else None
        if key in self.reserved and self.runs(key) >= self.reserved[key]:
            return RESERVED
        if sum(v == version for v, _ in self.running) < self.allotted[version]:
            return full
        if key in self.reserved:
            free = self.reserved[key] - self.allotments(key) - self.excess(key)
            return full if free > 0 else RESERVED
        sharing = [k for k in KEYS if k not in self.reserved]
        return full if self.shared() > sum(map(self.excess, sharing)) else SHARED

    def runs(self, key: FunctionKey) -> int:
        return sum(version[0] == key for version, _ in self.running)

    def changed(self) -> None:
        limits = {key: self.reserved.get(key, LIMIT) for key in KEYS}
        self.ceilings = {key: max(limit, self.runs(key)) for key, limit in limits.items()}

    @rule(version=st.sampled_from(VERSIONS))
    def begin(self, version: Version) -> None:
        expected = self.expected(version)
        count = self.ledger.version(*version)
        assert refusal(count) == expected
        if expected is None:
            self.running.append((version, count))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        _, count = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        count.release()
        self.ceilings = {
            key: max(self.reserved.get(key, LIMIT), min(ceiling, self.runs(key)))
            for key, ceiling in self.ceilings.items()
        }

    @rule(key=st.sampled_from(KEYS), limit=st.none() | st.integers(0, LIMIT))
    def reserve(self, key: FunctionKey, limit: int | None) -> None:
        others = {**self.reserved}
        others.pop(key, None)
        dealt = sum(others.get(k, self.allotments(k)) for k in KEYS if k != key)
        if limit is not None and not self.allotments(key) <= limit <= LIMIT - dealt:
            return  # the control plane refuses it
        self.ledger.reserve(key, limit)
        self.reserved = others if limit is None else {**others, key: limit}
        self.changed()

    @rule(version=st.sampled_from(VERSIONS), number=st.integers(0, LIMIT))
    def allot(self, version: Version, number: int) -> None:
        more = number - self.allotted[version]
        room = self.shared()
        if version[0] in self.reserved:
            room = self.reserved[version[0]] - self.allotments(version[0])
        if more > room:
            return  # the control plane refuses it
        self.ledger.allot(*version, number)
        self.allotted[version] = number
        self.changed()

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: FunctionKey) -> None:
        for version in VERSIONS:
            if version[0] == key:
                self.ledger.allot(*version, 0)
                self.allotted[version] = 0
        self.ledger.reserve(key, None)
        self.reserved.pop(key, None)
        self.changed()

    @invariant()
    def nothing_runs_beyond_the_limit_that_did_not_run_when_it_was_lowered(self) -> None:
        assert len(self.running) <= LIMIT
        assert all(self.runs(key) <= ceiling for key, ceiling in self.ceilings.items())

    @invariant()
    def counts_are_what_runs(self) -> None:
        runs = Counter(version for version, _ in self.running)
        for version in VERSIONS:
            assert self.ledger.version(*version).running == runs[version]
        for key in KEYS:
            assert self.ledger.version(key, "1").function.excess == self.excess(key)


TestLedger = LedgerMachine.TestCase


def test_accounts_and_regions_do_not_share_a_limit() -> None:
    ledger = ConcurrencyLedger(1)
    counts = [
        ledger.version(key_of("f", account_id, region), "$LATEST")
        for account_id in ("000000000000", "111111111111")
        for region in ("us-east-1", "eu-central-1")
    ]
    assert [refusal(count) for count in counts] == [None] * 4
    assert [refusal(count) for count in counts] == [SHARED] * 4


def test_a_reservation_is_guarantee_and_cap() -> None:
    ledger = ConcurrencyLedger(4)
    reserved, other = (ledger.version(key, "$LATEST") for key in KEYS[:2])
    ledger.reserve(KEYS[0], 2)
    assert [refusal(other) for _ in range(3)] == [None, None, SHARED]
    assert [refusal(reserved) for _ in range(3)] == [None, None, RESERVED]


def test_versions_of_a_function_share_its_reservation() -> None:
    ledger = ConcurrencyLedger(10)
    ledger.reserve(KEYS[0], 2)
    first, second = (ledger.version(KEYS[0], version) for version in "12")
    assert [refusal(first), refusal(second), refusal(first)] == [None, None, RESERVED]


def test_a_reservation_of_zero_switches_a_function_off_and_back_on_at_once() -> None:
    ledger = ConcurrencyLedger(10)
    count = ledger.version(KEYS[0], "$LATEST")
    ledger.reserve(KEYS[0], 0)
    assert refusal(count) == RESERVED
    ledger.reserve(KEYS[0], None)
    assert refusal(count) is None


def test_an_allotment_is_free_when_everything_else_is_full() -> None:
    ledger = ConcurrencyLedger(4)
    ledger.allot(KEYS[0], "1", 2)
    other, provisioned = ledger.version(KEYS[1], "$LATEST"), ledger.version(KEYS[0], "1")
    assert [refusal(other) for _ in range(3)] == [None, None, SHARED]
    assert [refusal(provisioned) for _ in range(3)] == [None, None, SHARED]


def test_beyond_its_allotment_a_version_uses_the_shared_rest() -> None:
    ledger = ConcurrencyLedger(4)
    ledger.allot(KEYS[0], "1", 2)
    provisioned = ledger.version(KEYS[0], "1")
    assert [refusal(provisioned) for _ in range(5)] == [None] * 4 + [SHARED]


def test_the_account_limit_holds_while_what_ran_before_a_change_still_runs() -> None:
    ledger = ConcurrencyLedger(4)
    before, after = (ledger.version(key, "$LATEST") for key in KEYS[:2])
    assert [refusal(before) for _ in range(4)] == [None] * 4
    ledger.reserve(KEYS[0], 0)
    ledger.reserve(KEYS[1], 2)
    assert refusal(after) == SHARED
    before.release()
    assert [refusal(after), refusal(after)] == [None, SHARED]


def test_a_refusal_says_that_the_caller_may_come_again() -> None:
    ledger = ConcurrencyLedger(0)
    with pytest.raises(TooManyRequestsException) as refused:
        ledger.version(KEYS[0], "1").acquire()
    assert refused.value.message == "Rate Exceeded."
    assert refused.value.members == {"Reason": SHARED, "Type": "User", "retryAfterSeconds": "1"}


def test_what_nobody_holds_and_nothing_is_dealt_to_is_forgotten() -> None:
    ledger = ConcurrencyLedger(4)
    held = [ledger.version(key, "1") for key in KEYS]
    ledger.reserve(KEYS[0], 1)
    ledger.allot(KEYS[1], "1", 1)
    assert [refusal(count) for count in held] == [None] * 3
    for count in held:
        count.release()
    del held, count
    gc.collect()
    assert len(ledger._versions) == 1
    ledger.allot(KEYS[1], "1", 0)
    ledger.reserve(KEYS[0], None)
    gc.collect()
    sizes = len(ledger._versions), len(ledger._functions), len(ledger._accounts)
    assert sizes == (0, 0, 0)


def test_counting_an_invocation_costs_about_a_microsecond() -> None:
    count = ConcurrencyLedger(1_000).version(KEYS[0], "1")
    rounds = 20_000

    def cost_s() -> float:
        begun = time.thread_time()
        for _ in range(rounds):
            count.acquire()
            count.release()
        return (time.thread_time() - begun) / rounds

    # Of the processor, and the best of several: the machine may be busy. Generous, for slow ones.
    assert min(cost_s() for _ in range(5)) < 4e-6
