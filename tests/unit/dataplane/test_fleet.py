"""Which idle environment gets work: of those used last, one with nothing left to write."""

from __future__ import annotations

from typing import cast

import pytest

from lambdad.dataplane.capacity import HostCapacity
from lambdad.dataplane.counting import ConcurrencyLedger
from lambdad.dataplane.environment import ExecutionEnvironment
from lambdad.dataplane.fleet import Fleet
from lambdad.domain.clock import SystemClock
from lambdad.testing.functions import a_function


class Idle:
    """What a fleet sees of an environment: whether the end of its last work is to be written."""

    def __init__(self, *, waiting: bool) -> None:
        self.tenant_id = None
        self.conclusion = self
        self.waits = waiting


@pytest.mark.parametrize(
    ("waiting", "taken"),
    [
        ([], None),
        ([False], 0),
        ([True], 0),
        ([False, False, False], 2),
        ([False, False, True], 1),
        ([False, True, True], 0),
        ([True, True, True], 2),
    ],
)
def test_an_environment_with_an_end_to_write_is_taken_last(
    waiting: list[bool], taken: int | None
) -> None:
    function = a_function()
    count = ConcurrencyLedger(10).version(function.key, function.version)
    fleet = Fleet(function, count, HostCapacity.endless(SystemClock()))
    environments = [Idle(waiting=each) for each in waiting]
    fleet.idle = [cast("ExecutionEnvironment", each) for each in environments]
    expected = None if taken is None else environments[taken]
    assert fleet.take() is expected
    assert fleet.idle == [each for each in environments if each is not expected]
