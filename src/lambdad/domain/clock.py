"""The only door to time.

Components take a `Clock`; tests hand them a `lambdad.testing.FakeClock` and advance it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a component learns what time it is."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back. For durations and deadlines."""
        ...

    def time(self) -> float:
        """Seconds since the Unix epoch. For what is shown or stored."""
        ...

    def now(self) -> datetime:
        """The same instant as :meth:`time`, as an aware UTC datetime."""
        ...


class SystemClock:
    """The host's clock; every invocation looks at it several times, so nothing is in between."""

    monotonic = staticmethod(time.monotonic)  # noqa: TID251 - this class is the door
    time = staticmethod(time.time)  # noqa: TID251 - this class is the door

    def now(self) -> datetime:
        """See :class:`Clock`."""
        return datetime.fromtimestamp(self.time(), UTC)


def lambda_timestamp(moment: datetime) -> str:
    """Format like a function's `LastModified`: `2025-11-24T22:54:31.123+0000`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"
