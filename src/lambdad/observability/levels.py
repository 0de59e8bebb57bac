"""Log levels: which lines of a function's own log pass its level. Pure.

The guest is hostile: its word on level and time is taken only when it is one that can be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

LEVELS: Mapping[str, int] = MappingProxyType(
    {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "ERROR": 4, "FATAL": 5}
)
DEFAULT = "INFO"

# A guest's clock is the host's clock, so a time further off is a lie.
_CLOCK_SKEW_MS_MAX = 15 * 60 * 1000


def admits(minimum: str | None, level: str | None) -> bool:
    """Whether a line of this level is kept; one without a known level counts as INFO."""
    return LEVELS.get(level or DEFAULT, LEVELS[DEFAULT]) >= LEVELS.get(minimum or DEFAULT, 0)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a line says of itself.

    Attributes:
        level: one of `LEVELS`; INFO where the line says nothing.
        timestamp_ms: epoch milliseconds, or None.
    """

    level: str = DEFAULT
    timestamp_ms: int | None = None


_NOTHING = Claims()


def claims_of(line: str) -> Claims:
    """Return what a line says of itself if it is a JSON object, in `level` and `timestamp`."""
    text = line.strip()
    # Looking at both ends spares most plain lines the parser.
    if not (text.startswith("{") and text.endswith("}")):
        return _NOTHING
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return _NOTHING
    if not isinstance(record, dict):
        return _NOTHING
    return Claims(level=_level(record), timestamp_ms=_timestamp_ms(record))


def credible(timestamp_ms: int | None, now_ms: int) -> int:
    """Return the time of a record: as it says, or the present when that cannot be."""
    if timestamp_ms is None or abs(timestamp_ms - now_ms) > _CLOCK_SKEW_MS_MAX:
        return now_ms
    return timestamp_ms


def _level(record: Mapping[str, Any]) -> str:
    level = record.get("level")
    if not isinstance(level, str):
        return DEFAULT
    return level.upper() if level.upper() in LEVELS else DEFAULT


def _timestamp_ms(record: Mapping[str, Any]) -> int | None:
    text = record.get("timestamp")
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
