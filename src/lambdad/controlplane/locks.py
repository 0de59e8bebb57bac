"""One writer per function at a time: what was read stays true until it has been written back."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from lambdad.domain.arns import FunctionKey


class FunctionLocks:
    """Locks by function; a lock lives while somebody holds or awaits it."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[FunctionKey, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: FunctionKey) -> asyncio.Lock:
        """Return the function's lock; keep the reference while it is needed."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock
