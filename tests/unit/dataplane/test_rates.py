"""Rates hold over every window of time, and what was not used is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.dataplane.counting import ConcurrencyLedger, VersionConcurrency
from lambdad.dataplane.rates import FunctionRates, Rates, TokenBucket
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import TooManyRequestsException

KEY = FunctionKey(account_id="000000000000", region="us-east-1", name="f")


@given(
    gaps=st.lists(st.floats(0.0, 30.0), min_size=1, max_size=200),
    number=st.integers(1, 20),
)
def test_no_window_of_ten_seconds_sees_more_than_a_burst_and_a_refill(
    gaps: list[float], number: int
) -> None:
    rates = FunctionRates(Rates(environments=number))
    now, given_at = 1_000.0, []
    for gap in gaps:
        now += gap
        if rates.environment(now):
            given_at.append(now)
    for begin in given_at:
        inside = [at for at in given_at if begin <= at <= begin + 10.0]
        assert len(inside) <= 2 * number + 1e-6


def test_a_function_grows_by_1000_at_once_and_then_by_100_a_second() -> None:
    rates = FunctionRates(Rates())
    assert sum(rates.environment(50.0) for _ in range(5_000)) == 1_000
    assert sum(rates.environment(51.0) for _ in range(5_000)) == 100
    # Nobody saves up: after an hour it is 1,000 again.
    assert sum(rates.environment(3_651.0) for _ in range(5_000)) == 1_000


def test_what_is_refused_costs_nothing() -> None:
    bucket = TokenBucket()
    taken = [bucket.take(0.001 * step, per_s=10, capacity=1) for step in range(1_000)]
    assert 9 <= sum(taken) <= 11


def test_zero_lifts_a_rate() -> None:
    rates = FunctionRates(Rates(environments=0, requests=0))
    assert all(rates.environment(0.0) and rates.request(0.0, 1) for _ in range(5_000))


def accepted(count: VersionConcurrency, now: float, number: int) -> tuple[int, set[str]]:
    done, reasons = 0, set()
    for _ in range(number):
        try:
            count.request(now)
            done += 1
        except TooManyRequestsException as refused:
            reasons.add(refused.members["Reason"])
    return done, reasons


def test_requests_are_limited_to_ten_times_the_accounts_concurrency() -> None:
    count = ConcurrencyLedger(7).version(KEY, "1")
    assert accepted(count, 5.0, 100) == (70, {"FunctionInvocationRateLimitExceeded"})
    assert accepted(count, 5.5, 100)[0] == 35


def test_a_reservation_limits_requests_from_the_next_one_on() -> None:
    ledger = ConcurrencyLedger(100)
    count = ledger.version(KEY, "1")
    assert accepted(count, 5.0, 500) == (500, set())
    ledger.reserve(KEY, 2)
    assert accepted(count, 10.0, 50) == (20, {"ReservedFunctionInvocationRateLimitExceeded"})


def test_versions_of_a_function_share_its_rates() -> None:
    ledger = ConcurrencyLedger(100, Rates(environments=3))
    first, second = ledger.version(KEY, "1"), ledger.version(KEY, "2")
    for count in (first, second, first):
        count.grow(1.0)
    with pytest.raises(TooManyRequestsException) as refused:
        second.grow(1.0)
    assert refused.value.members["Reason"] == "ConcurrentInvocationLimitExceeded"
    second.grow(1.0 + 10 / 3)
