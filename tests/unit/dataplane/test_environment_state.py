"""The table of an environment's states is what the code obeys."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from lambdad.dataplane import environment
from lambdad.dataplane.environment_state import FREED, TAKEN, TRANSITIONS, EnvironmentState, follow
from lambdad.domain.errors import PlatformError

ALLOWED = {(each.before, each.after) for each in TRANSITIONS}


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.product(EnvironmentState, repeat=2)), ids=str
)
def test_a_state_follows_another_only_by_the_table(
    before: EnvironmentState, after: EnvironmentState
) -> None:
    if (before, after) in ALLOWED:
        assert follow(before, after) is after
    else:
        with pytest.raises(PlatformError, match=f"{before} -> {after}"):
            follow(before, after)


def test_what_an_invocation_changes_is_in_the_table() -> None:
    assert {(EnvironmentState.IDLE, TAKEN), (EnvironmentState.INVOKING, FREED)} <= ALLOWED


def test_every_state_is_reached_and_all_end() -> None:
    reached = {EnvironmentState.NEW} | {after for _, after in ALLOWED}
    assert reached == set(EnvironmentState)
    assert all(
        (state, EnvironmentState.DEAD) in ALLOWED
        for state in EnvironmentState
        if state is not EnvironmentState.DEAD
    )


def test_a_change_is_in_the_table_once() -> None:
    assert len(ALLOWED) == len(TRANSITIONS)


def test_an_environment_changes_its_state_by_the_table_alone() -> None:
    source = Path(environment.__file__).read_text(encoding="utf-8")
    assignments = re.findall(r"\.state = .*", source)
    assert assignments == [
        ".state = EnvironmentState.NEW",
        ".state = TAKEN",
        ".state = FREED",
        ".state = follow(self.state, state)",
    ]
