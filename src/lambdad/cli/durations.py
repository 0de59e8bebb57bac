"""Points in time as people give them: `10m`, `2h`, `1d`, or ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])", re.ASCII)


def parse_moment(text: str, now: datetime) -> datetime:
    """Return the moment that `text` means, seen from `now`; naive times are UTC.

    Raises:
        ValueError: it is neither a duration nor an ISO 8601 time.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - int(ago[1]) * UNITS[ago[2]]
    moment = datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
