"""Timestamps in the three forms that AWS's protocols use.

Decides how they are read and printed. Refuses naive datetimes: everything is in UTC.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime, parsedate_to_datetime
from typing import Literal

TimestampFormat = Literal["unixtimestamp", "iso8601", "rfc822"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?([eE][+-]?\d{1,2})?")
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d))?",
    re.ASCII,
)


def from_epoch(seconds: float) -> datetime:
    """Return the time so many seconds after 1970, rounded to microseconds.

    Raises:
        ValueError: the year is not within 1 and 9999.
    """
    if not math.isfinite(seconds):
        raise ValueError("not a finite number")
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError("out of range") from error


def parse_timestamp(text: str) -> datetime:
    """Read any of the forms; a time without a zone is UTC.

    Raises:
        ValueError: the text is no timestamp.
    """
    if _NUMBER.fullmatch(text):
        return from_epoch(float(text))
    match = _ISO.fullmatch(text)
    try:
        if match is not None:
            return _from_iso(match)
        parsed = parsedate_to_datetime(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"not a timestamp: {text[:64]!r}") from error


def _from_iso(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second = (int(match[group]) for group in range(1, 7))
    microsecond = int((match[7] or "").ljust(6, "0")[:6])
    zone = UTC
    if match[9]:
        offset = timedelta(hours=int(match[10]), minutes=int(match[11]))
        zone = timezone(offset if match[9] == "+" else -offset)
    local = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
    return local.astimezone(UTC)


def format_timestamp(value: datetime, form: TimestampFormat) -> str:
    """Print a timestamp as text.

    Raises:
        ValueError: the datetime is naive.
    """
    if value.tzinfo is None:
        raise ValueError("a naive datetime cannot be sent")
    value = value.astimezone(UTC)
    if form == "iso8601":
        digits = 3 if value.microsecond % 1_000 == 0 else 6
        fraction = f".{value.microsecond:06d}"[: digits + 1] if value.microsecond else ""
        return f"{value.replace(microsecond=0, tzinfo=None).isoformat()}{fraction}Z"
    if form == "rfc822":
        return format_datetime(value, usegmt=True)
    return repr(to_epoch(value))


def to_epoch(value: datetime) -> int | float:
    """Return seconds since 1970, an int if they are whole.

    Raises:
        ValueError: the datetime is naive.
    """
    if value.tzinfo is None:
        raise ValueError("a naive datetime cannot be sent")
    seconds = (value - _EPOCH) / timedelta(seconds=1)
    return int(seconds) if seconds.is_integer() else seconds
