"""The embedded engine: SQLite in WAL mode, one writer with group commit for each file.

`lambdad.db` holds what exists and what was accepted, `logs.db` what functions said: logs are big,
and their fsyncs must not delay the control plane. Each neighbouring service has a file of its own
in `neighbours/<name>/`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from lambdad.domain.clock import Clock
from lambdad.storage.base import Change
from lambdad.storage.data_dir import DataDir
from lambdad.storage.database import Database
from lambdad.storage.engines.sqlite.database import SqliteDb
from lambdad.storage.engines.sqlite.events import SqliteEventQueue
from lambdad.storage.engines.sqlite.logs import SqliteLogStore
from lambdad.storage.engines.sqlite.records import SqliteRecords

__all__ = ["SqliteEngine"]


class SqliteEngine:
    """See :class:`lambdad.storage.base.Engine`."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._data_dir = DataDir(data_dir)
        self._db = SqliteDb(self._data_dir.path / "lambdad.db", "lambdad")
        self._logs_db = SqliteDb(self._data_dir.path / "logs.db", "logs")
        self._records = SqliteRecords(self._db)
        self.functions = self._records.functions
        self.resources = self._records.resources
        self.events = SqliteEventQueue(self._db, clock)
        self.logs = SqliteLogStore(self._logs_db, clock)

    async def open(self) -> None:
        """Lock the directory, migrate both files and load what exists."""
        self._data_dir.acquire()
        try:
            await self._db.open()
            await self._logs_db.open()
            await self._records.load()
        except BaseException:
            await asyncio.shield(self.close())
            raise

    async def apply(self, *changes: Change) -> None:
        """Make all changes or none."""
        await self._records.apply(*changes)

    def database(self, name: str) -> Database:
        """Return the database of a service."""
        directory = self._data_dir.path / "neighbours" / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SqliteDb(directory / f"{name}.db", name)

    async def close(self) -> None:
        """Finish the writes under way, then let go of the files and the directory."""
        try:
            await self._db.close()
        finally:
            try:
                await self._logs_db.close()
            finally:
                self._data_dir.release()
