"""What may be set aside of an account, when several ask and when it has little."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lambdad.controlplane.account_concurrency import AccountConcurrency
from lambdad.controlplane.concurrency import ReservedConcurrency
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.provisioned_concurrency import ProvisionedConcurrencyConfigs
from lambdad.controlplane.references import Target
from lambdad.domain.arns import FunctionKey
from lambdad.testing.attachments import LIVE, TARGET, an_engine, refusal
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import RecordingObserver
from lambdad.testing.functions import a_function


class Concurrency:
    """Both kinds, on an engine with functions `f` and `g`."""

    def __init__(self, engine: Any, limit: int) -> None:
        locks, clock, observer = FunctionLocks(), FakeClock(), RecordingObserver()
        self.account = AccountConcurrency(engine.resources, limit)
        self.reserved = ReservedConcurrency(engine, self.account, locks=locks, observer=observer)
        self.provisioned = ProvisionedConcurrencyConfigs(
            engine, self.account, locks=locks, clock=clock, observer=observer
        )

    @property
    def unreserved(self) -> int:
        return self.account.unreserved(TARGET.key.account_id, TARGET.key.region)


OTHER = Target(
    key=FunctionKey(account_id="000000000000", region="us-east-1", name="g"), qualifier=None
)


async def concurrency(limit: int = 1_000) -> Concurrency:
    engine = await an_engine(FakeClock())
    await engine.functions.insert(a_function(key=OTHER.key))
    return Concurrency(engine, limit)


async def test_two_at_once_do_not_take_the_same() -> None:
    them = await concurrency()
    results = await asyncio.gather(
        them.reserved.put(TARGET, 500),
        them.reserved.put(OTHER, 500),
        them.provisioned.put(LIVE, 500),
        return_exceptions=True,
    )
    assert [isinstance(result, Exception) for result in results] == [False, True, False]
    assert them.unreserved == 500  # provisioned within its function's reservation


@pytest.mark.parametrize("limit", [1, 10, 100])
async def test_a_small_account_can_switch_off_but_set_nothing_aside(limit: int) -> None:
    them = await concurrency(limit)
    code, message = await refusal(them.reserved.put(TARGET, 1))
    assert (code, message[-len(f"[{limit}].") :]) == (
        "InvalidParameterValueException",
        f"[{limit}].",
    )
    assert (await refusal(them.provisioned.put(LIVE, 1)))[0] == "InvalidParameterValueException"
    await them.reserved.put(TARGET, 0)
    assert them.unreserved == limit


async def test_an_account_whose_limit_was_lowered_can_give_back_bit_by_bit() -> None:
    engine = await an_engine(FakeClock())
    await engine.functions.insert(a_function(key=OTHER.key))
    before = Concurrency(engine, 1_000)
    await before.reserved.put(TARGET, 800)
    after = Concurrency(engine, 500)
    await after.reserved.put(OTHER, 0)
    await after.reserved.put(TARGET, 700)
    assert (await refusal(after.reserved.put(TARGET, 701)))[0] == "InvalidParameterValueException"
    assert after.unreserved == -200
