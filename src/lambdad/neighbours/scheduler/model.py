"""Schedules and groups as Scheduler knows them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lambdad.neighbours.schedules import expressions

DEFAULT = "default"
ENABLED = "ENABLED"


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group of schedules."""

    account_id: str
    region: str
    name: str
    created_ms: int
    modified_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)
    client_token: str | None = None

    @property
    def arn(self) -> str:
        """Of the group, which is its key as well."""
        return f"arn:aws:scheduler:{self.region}:{self.account_id}:schedule-group/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A schedule.

    Attributes:
        anchor_ms: when its expression was set.
        begin_ms: it does nothing before; None for no bound.
        end_ms: it does nothing after; None for no bound.
        window: minutes within which it may be late.
        fired_ms: the scheduled time that was last, or None.
        settings: what is told as it was given.
    """

    account_id: str
    region: str
    group: str
    name: str
    created_ms: int
    modified_ms: int
    anchor_ms: int
    expression: str
    zone: str
    state: str
    target: Mapping[str, Any]
    window: int
    after_completion: str
    begin_ms: int | None = None
    end_ms: int | None = None
    fired_ms: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    client_token: str | None = None

    @property
    def arn(self) -> str:
        """Of the schedule, which is its key as well."""
        return (
            f"arn:aws:scheduler:{self.region}:{self.account_id}:schedule/{self.group}/{self.name}"
        )

    @property
    def group_arn(self) -> str:
        """Of its group."""
        return f"arn:aws:scheduler:{self.region}:{self.account_id}:schedule-group/{self.group}"

    @cached_property
    def parsed(self) -> expressions.Expression:
        """Its expression."""
        return expressions.parse(self.expression, expressions.zone_of(self.zone), once=True)
