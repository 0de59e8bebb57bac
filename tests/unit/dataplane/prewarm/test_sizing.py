"""How many environments are kept ready."""

from __future__ import annotations

import pytest

from lambdad.dataplane.prewarm.sizing import Demand, next_kind, surplus_kind, wanted


def demand(*starts: float) -> Demand:
    made = Demand()
    for start in starts:
        made.started(start)
    return made


@pytest.mark.parametrize(
    ("starts", "now", "number"),
    [
        ([100.0], 100.0, 2),
        ([100.0] * 5, 101.0, 5),
        ([100.0] * 5, 111.0, 2),
        ([100.0] * 50, 100.0, 8),
        ([100.0], 999.0, 2),
        ([100.0], 1_001.0, 0),
    ],
)
def test_as_many_as_the_last_wave_needed(starts: list[float], now: float, number: int) -> None:
    """Never fewer than the least, never more than the most, none for what is out of use."""
    assert wanted(demand(*starts), now, least=2, most=8) == number


def test_a_deployment_alone_wants_the_least() -> None:
    """The first call is cold, and comes soon."""
    assert wanted(Demand(known_since=50.0), 51.0, least=2, most=8) == 2


def test_memory_of_waves_is_bounded() -> None:
    """However many start at once."""
    busy = demand(*[1.0] * 10_000)
    assert len(busy.starts) <= 64
    assert wanted(busy, 1.0, least=0, most=1_000) == 64


def test_what_a_wave_left_makes_way_for_a_kind_that_has_too_few() -> None:
    targets = {"python": 2, "node": 16, "ruby": 2}
    assert next_kind({"python": 16, "node": 16}, targets) == "ruby"
    assert surplus_kind({"python": 16, "node": 16}, targets) == "python"
    assert surplus_kind({"python": 2, "node": 16}, targets) is None
    assert surplus_kind({"gone": 1}, targets) == "gone"
    assert next_kind({"python": 2, "node": 16, "ruby": 2}, targets) is None
    assert surplus_kind({}, targets) is None
