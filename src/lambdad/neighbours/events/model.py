"""Buses, rules and archives as EventBridge knows them. Pure.

Each is kept as one JSON document; what is derived from it is made when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Self

from lambdad.neighbours import patterns
from lambdad.neighbours.schedules import expressions

DEFAULT = "default"
ENABLED = "ENABLED"
_CLOUDTRAIL = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
SERVICE = "events.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class BusKey:
    """Whose bus; every other key begins with it."""

    account_id: str
    region: str
    name: str

    def __str__(self) -> str:
        return f"{self.account_id} {self.region} {self.name}"

    @property
    def arn(self) -> str:
        """Of the bus."""
        return f"arn:aws:events:{self.region}:{self.account_id}:event-bus/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Bus:
    """An event bus.

    Attributes:
        settings: what is told as it was set: `Description`, `DeadLetterConfig` …
        policy: a document, or None.
    """

    account_id: str
    region: str
    name: str
    created_ms: int
    modified_ms: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> BusKey:
        """Its identity."""
        return BusKey(account_id=self.account_id, region=self.region, name=self.name)

    def document(self) -> dict[str, Any]:
        """What is stored."""
        return asdict(self)

    @classmethod
    def load(cls, document: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        return cls(**document)


@dataclass(frozen=True, kw_only=True)
class Rule(Bus):
    """A rule; of what it has of a bus, `settings` are `Description` and `RoleArn`.

    Attributes:
        bus: its bus's name.
        pattern: as it was given, or None.
        schedule: likewise.
        state: `ENABLED`, `DISABLED` …
        targets: as they were put.
        anchor_ms: what a rate counts from.
        fired_ms: the scheduled time that was last, or None.
    """

    bus: str
    pattern: str | None
    schedule: str | None
    state: str
    anchor_ms: int
    fired_ms: int | None = None
    targets: Sequence[Mapping[str, Any]] = ()

    def __str__(self) -> str:
        return f"{self.bus_key} {self.name}"

    @property
    def bus_key(self) -> BusKey:
        """Its bus."""
        return BusKey(account_id=self.account_id, region=self.region, name=self.bus)

    @property
    def arn(self) -> str:
        """Of the rule."""
        path = self.name if self.bus == DEFAULT else f"{self.bus}/{self.name}"
        return f"arn:aws:events:{self.region}:{self.account_id}:rule/{path}"

    @property
    def enabled(self) -> bool:
        """Whether it does anything."""
        return self.state in (ENABLED, _CLOUDTRAIL)

    @cached_property
    def parsed_pattern(self) -> patterns.Pattern | None:
        """Its pattern, or None."""
        return None if self.pattern is None else patterns.parse(self.pattern)

    @cached_property
    def expression(self) -> expressions.Expression | None:
        """Its schedule, or None."""
        return None if self.schedule is None else expressions.parse(self.schedule)


@dataclass(frozen=True, kw_only=True)
class Archive(Bus):
    """An archive; its `settings` are `Description` and `KmsKeyIdentifier`.

    Attributes:
        source_arn: of the bus.
        pattern: as it was given, or None.
        retention_days: 0 keeps for ever.
    """

    source_arn: str
    pattern: str | None = None
    retention_days: int = 0

    @property
    def arn(self) -> str:
        """Of the archive."""
        return f"arn:aws:events:{self.region}:{self.account_id}:archive/{self.name}"

    @cached_property
    def parsed_pattern(self) -> patterns.Pattern | None:
        """Its pattern, or None."""
        return None if self.pattern is None else patterns.parse(self.pattern)


@dataclass(frozen=True, kw_only=True)
class Replay(Bus):
    """A replay; its `settings` are `Description` and `Destination`.

    Attributes:
        source_arn: of the archive.
        from_ms: of events that are replayed, the first; `to_ms` is after the last.
        state: `STARTING`, `RUNNING`, `COMPLETED`, `CANCELLED` …
        last_id: of the archived event that was replayed last.
        last_ms: its time, or None.
        ended_ms: when it ended, or None.
    """

    source_arn: str
    from_ms: int
    to_ms: int
    state: str
    last_id: int = 0
    last_ms: int | None = None
    ended_ms: int | None = None
    reason: str | None = None

    @property
    def arn(self) -> str:
        """Of the replay."""
        return f"arn:aws:events:{self.region}:{self.account_id}:replay/{self.name}"


def timestamp(epoch_ms: int) -> str:
    """Return a time as events have it: `2026-01-01T00:00:00Z`."""
    return f"{datetime.fromtimestamp(epoch_ms // 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
