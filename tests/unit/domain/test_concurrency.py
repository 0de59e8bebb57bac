"""How concurrency is dealt out and stored."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lambdad.domain.concurrency import (
    ProvisionedConfig,
    Reservation,
    claimed,
    provisioned_key,
    reserved_key,
    share,
)
from lambdad.domain.resources import QUALIFIED_KINDS
from lambdad.testing.functions import FUNCTION_KEY


def a_config(qualifier: str = "live", requested: int = 3) -> ProvisionedConfig:
    return ProvisionedConfig(
        key=FUNCTION_KEY,
        qualifier=qualifier,
        requested=requested,
        last_modified="2025-11-24T22:54:31+0000",
        revision="r1",
    )


@given(number=st.integers(1, 10_000), weight=st.floats(0.0, 1.0))
def test_an_alias_deals_out_every_environment_and_no_more(number: int, weight: float) -> None:
    dealt = share(number, {"1": 1.0 - weight, "2": weight})
    assert sum(dealt.values()) == number
    assert all(part >= 0 for part in dealt.values())
    assert abs(dealt["2"] - number * weight) <= 0.5


def test_a_reservation_covers_what_is_provisioned_of_its_function() -> None:
    configs = [a_config("1", 3), a_config("2", 4)]
    assert claimed({}, configs) == 7
    assert claimed({"f": 10, "g": 5}, configs) == 15


def test_what_is_stored_is_read_back() -> None:
    reservation = Reservation(key=FUNCTION_KEY, limit=0, revision="r1")
    assert Reservation.of(reservation.resource) == reservation
    assert reservation.resource.key == reserved_key(FUNCTION_KEY)
    assert ProvisionedConfig.of(a_config().resource) == a_config()
    assert a_config().resource.key == provisioned_key(FUNCTION_KEY, "live")
    assert {reservation.resource.function, a_config().resource.function} == {"f"}


def test_provisioned_concurrency_goes_with_its_version_or_alias() -> None:
    assert a_config().resource.key.kind in QUALIFIED_KINDS
