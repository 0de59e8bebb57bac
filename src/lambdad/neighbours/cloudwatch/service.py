"""Amazon CloudWatch: where its operations register, and how they read and write times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Service
from lambdad.neighbours.cloudwatch.parts import Monitor

Context = ServiceContext[Monitor]

CLOUDWATCH = Service[Monitor]("cloudwatch", invalid="ValidationException")


def moment(time_ms: float) -> datetime:
    """Return epoch milliseconds as the service model has times."""
    return datetime.fromtimestamp(time_ms / 1_000, UTC)


def seconds(time: Any) -> int:
    """Return a time of the service model in whole epoch seconds."""
    return int(time.timestamp())
