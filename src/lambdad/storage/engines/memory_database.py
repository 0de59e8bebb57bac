"""A service's database that forgets: the same SQL, in memory, each job done at once.

For tests and throw-away servers. Mutable: the connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lambdad.domain.errors import PlatformError
from lambdad.storage.database import Job
from lambdad.storage.engines.sqlite.schema import migrate

T = TypeVar("T")


class MemoryDatabase:
    """See :class:`lambdad.storage.database.Database`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Make it."""
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        migrate(self._connection, self._name, Path(":memory:"))

    async def close(self) -> None:
        """Forget everything."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def write(self, job: Job[T], *, then: Callable[[T], None] | None = None) -> T:
        """Run a job; undo it if it raises."""
        connection = self._opened()
        connection.execute("BEGIN")
        try:
            result = job(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        if then is not None:
            then(result)
        return result

    async def read(self, job: Job[T]) -> T:
        """Run a job."""
        return job(self._opened())

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise PlatformError(f"the database of {self._name} is closed")
        return self._connection
