"""Numbers of environments, unique among daemons."""

from __future__ import annotations

import os

import pytest

from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.slots import Slots

RANGES = (f"test-{os.getpid()}-uid", f"test-{os.getpid()}-address")


def test_daemons_that_share_a_range_never_share_a_number() -> None:
    one, other = Slots(4, RANGES), Slots(4, RANGES)
    taken = [daemon.take() for daemon in (one, other, one, other)]
    assert sorted(slot.number for slot in taken) == [0, 1, 2, 3]
    for daemon in (one, other):
        with pytest.raises(HostUnfit, match="4 environments"):
            daemon.take()
    one.release(taken[0])
    again = other.take()
    assert again.number == taken[0].number
    for slot in (again, *taken[1:]):
        other.release(slot)


def test_daemons_that_share_one_of_two_ranges_keep_apart() -> None:
    one, other = Slots(2, RANGES), Slots(2, RANGES[1:])
    first, second = one.take(), other.take()
    assert first.number != second.number
    one.release(first)
    other.release(second)


def test_number_that_was_given_back_is_used_last() -> None:
    slots = Slots(3, RANGES)
    first = slots.take()
    slots.release(first)
    rest = [slots.take() for _ in range(3)]
    assert rest[-1].number == first.number
    for slot in rest:
        slots.release(slot)


def test_daemons_begin_at_different_numbers() -> None:
    slots = Slots(10, RANGES, start=27)
    slot = slots.take()
    assert slot.number == 7
    slots.release(slot)
