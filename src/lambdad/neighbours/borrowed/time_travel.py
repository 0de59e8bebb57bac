"""A process's clock that can be set back: what moto creates again keeps the time it was created.

Installed before moto is imported, because its modules take `datetime` by name.
"""

from __future__ import annotations

import datetime
import time
from typing import Any

_REAL = datetime.datetime
_real_time = time.time  # noqa: TID251 - this is a clock


class _Meta(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _REAL)


class ShiftedDatetime(_REAL, metaclass=_Meta):
    """`datetime` whose now can be another time."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        """Return the present, or the past that was set."""
        return cls.fromtimestamp(Clock.time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        """Return the present in UTC without saying so, as `datetime.utcnow` does."""
        return cls.fromtimestamp(Clock.time(), datetime.UTC).replace(tzinfo=None)


class Clock:
    """Mutable: the time that it is taken to be; None for the real one."""

    pinned_s: float | None = None

    @classmethod
    def time(cls) -> float:
        """Seconds since the epoch."""
        return _real_time() if cls.pinned_s is None else cls.pinned_s


def install() -> None:
    """Replace the clock of this process."""
    datetime.datetime = ShiftedDatetime  # type: ignore[misc]
    time.time = Clock.time  # noqa: TID251 - this is a clock
