"""The life of an execution environment: which state may follow which, and why.

The table is the truth: an environment changes its state by :func:`follow` alone, which the changes
of every invocation have passed once for all; and the diagram in the documentation is drawn from it.
What is done in a state is the environment's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lambdad.domain.errors import PlatformError


class EnvironmentState(StrEnum):
    """The life of an environment."""

    NEW = "new"
    INITIALISING = "initialising"
    INVOKING = "invoking"
    IDLE = "idle"
    RESETTING = "resetting"
    RESET = "reset"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state that is allowed, and when it happens, in words for the documentation."""

    before: EnvironmentState
    after: EnvironmentState
    when: str


_S = EnvironmentState
TRANSITIONS: tuple[Transition, ...] = (
    Transition(
        _S.NEW,
        _S.INITIALISING,
        "the sandbox stands: extensions, then the runtime, start or are restored",
    ),
    Transition(_S.NEW, _S.DEAD, "the host refuses the sandbox, or it is not wanted any more"),
    Transition(_S.INITIALISING, _S.INVOKING, "all ask for an event, and one waits"),
    Transition(_S.INITIALISING, _S.IDLE, "all ask for an event, ahead of any: freeze"),
    Transition(_S.INITIALISING, _S.RESETTING, "an error, an exit, or the init limit"),
    Transition(
        _S.INITIALISING,
        _S.DEAD,
        "the function was deleted, the daemon stops, or hooks after a restore failed",
    ),
    Transition(_S.INVOKING, _S.IDLE, "all ask for the next event: freeze"),
    Transition(_S.INVOKING, _S.RESETTING, "timeout, or the runtime or an extension ended"),
    Transition(_S.INVOKING, _S.DEAD, "the daemon stops"),
    Transition(_S.IDLE, _S.INVOKING, "an event: thaw"),
    Transition(_S.IDLE, _S.DEAD, "idle too long, code or configuration changed, deleted"),
    Transition(_S.RESETTING, _S.RESET, "the processes are gone; /tmp stays"),
    Transition(
        _S.RESETTING, _S.INITIALISING, "init failed by itself: again, within the invocation"
    ),
    Transition(_S.RESETTING, _S.DEAD, "the sandbox is gone, or the daemon stops"),
    Transition(_S.RESET, _S.INITIALISING, "an event: init within the invocation"),
    Transition(_S.RESET, _S.DEAD, "idle too long, code or configuration changed, deleted"),
)

_FOLLOWERS: Mapping[EnvironmentState, frozenset[EnvironmentState]] = {
    state: frozenset(t.after for t in TRANSITIONS if t.before is state) for state in _S
}


def follow(before: EnvironmentState, after: EnvironmentState) -> EnvironmentState:
    """Return the state after a change.

    Raises:
        PlatformError: the table does not have it.
    """
    if after not in _FOLLOWERS[before]:
        raise PlatformError(f"environment {before} -> {after}")
    return after


# The changes of an invocation without any trouble, looked up once for all.
TAKEN = follow(EnvironmentState.IDLE, EnvironmentState.INVOKING)
"""What an idle environment becomes with an event."""

FREED = follow(EnvironmentState.INVOKING, EnvironmentState.IDLE)
"""What it becomes behind it."""
