"""Moments as documents have them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def with_milliseconds(epoch_s: float) -> str:
    """Return for example `2019-11-14T00:38:06.021Z`."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1_000:03d}Z"


def with_seconds(epoch_s: float) -> str:
    """Return for example `2019-11-14T00:38:06Z`."""
    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
