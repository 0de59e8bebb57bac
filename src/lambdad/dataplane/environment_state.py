"""The life of an execution environment: which state may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class EnvironmentState(StrEnum):
    """The life of an environment."""

    NEW = "new"
    INITIALISING = "initialising"
    INVOKING = "invoking"
    IDLE = "idle"
    RESETTING = "resetting"
    RESET = "reset"
    DEAD = "dead"


_S = EnvironmentState
TRANSITIONS: Mapping[EnvironmentState, frozenset[EnvironmentState]] = {
    _S.NEW: frozenset({_S.INITIALISING, _S.DEAD}),
    _S.INITIALISING: frozenset({_S.INVOKING, _S.IDLE, _S.RESETTING, _S.DEAD}),
    _S.INVOKING: frozenset({_S.IDLE, _S.RESETTING, _S.DEAD}),
    _S.IDLE: frozenset({_S.INVOKING, _S.RESETTING, _S.DEAD}),
    _S.RESETTING: frozenset({_S.RESET, _S.INITIALISING, _S.DEAD}),
    _S.RESET: frozenset({_S.INITIALISING, _S.DEAD}),
    _S.DEAD: frozenset(),
}
