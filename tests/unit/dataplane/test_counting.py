"""Concurrency never exceeds its limit, whatever order invocations come and go in."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambdad.dataplane.counting import ConcurrencyLedger
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import TooManyRequestsException

LIMIT = 4
KEYS = [
    FunctionKey(account_id=account, region=region, name=name)
    for account in ("000000000000", "111111111111")
    for region in ("us-east-1", "eu-central-1")
    for name in ("a", "b")
]


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = ConcurrencyLedger(LIMIT)
        self.running: list[FunctionKey] = []

    @rule(key=st.sampled_from(KEYS))
    def acquire(self, key: FunctionKey) -> None:
        with contextlib.suppress(TooManyRequestsException):
            self.ledger.acquire(key)
            self.running.append(key)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.ledger.release(key)

    @invariant()
    def every_account_and_region_is_within_its_limit(self) -> None:
        assert all(count <= LIMIT for count in self.ledger.totals.values())

    @invariant()
    def counts_are_what_runs(self) -> None:
        assert dict(self.ledger.running) == {k: self.running.count(k) for k in self.running}
        assert sum(self.ledger.totals.values()) == len(self.running)


TestLedger = LedgerMachine.TestCase


def test_accounts_and_regions_do_not_share_a_limit() -> None:
    ledger = ConcurrencyLedger(1)
    for key in KEYS[::2]:
        ledger.acquire(key)
    for key in KEYS:
        with pytest.raises(TooManyRequestsException):
            ledger.acquire(key)
