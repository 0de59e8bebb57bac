"""Functions and resources in SQLite: writes are changes of one database, reads are memory."""

from __future__ import annotations

import gc
import sqlite3
from functools import partial

from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import HostUnfit
from lambdad.domain.resources import ResourceKey
from lambdad.storage.base import Apply, Change
from lambdad.storage.changes import Changes
from lambdad.storage.engines.sqlite import changes as sql
from lambdad.storage.engines.sqlite.database import SqliteDb
from lambdad.storage.record_stores import FunctionRecords, ResourceRecords
from lambdad.storage.records import Records, as_stored


class SqliteRecords:
    """What `lambdad.db` holds: its stores, and changes to both at once."""

    def __init__(self, db: SqliteDb) -> None:
        self._db = db
        self._records = Records()
        self.functions = SqliteFunctionStore(db, self._records, self.apply)
        self.resources = SqliteResourceStore(db, self._records, self.apply)

    async def load(self) -> None:
        """Fill the memory from the database.

        Raises:
            HostUnfit: a row is not what lambdad wrote.
        """
        try:
            loaded = await self._db.read(partial(_load, changes=self._records.changes))
        except (ValueError, TypeError, KeyError) as error:
            raise HostUnfit(
                f"{self._db.path} holds a row that cannot be read ({error}).",
                "Restore it from a backup, or move it away to begin anew.",
            ) from error
        self._records.functions = loaded.functions
        self._records.resources = loaded.resources

    async def apply(self, *changes: Change) -> None:
        """Make all changes or none; they are one savepoint of the writer's transaction."""
        stored = tuple(map(as_stored, changes))
        await self._db.write(
            partial(sql.apply, changes=stored), then=lambda _: self._remember(stored)
        )

    def _remember(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            self._records.make(change)


class SqliteFunctionStore(FunctionRecords):
    """See :class:`lambdad.storage.base.FunctionStore`."""

    def __init__(self, db: SqliteDb, records: Records, apply: Apply) -> None:
        super().__init__(records, apply)
        self._db = db

    async def delete(self, key: FunctionKey) -> bool:
        """Remove all versions and the function's resources."""
        job = partial(sql.delete_function, key=key)
        return await self._db.write(job, then=lambda _: self._forget(key))

    def _forget(self, key: FunctionKey) -> None:
        self._records.delete_function(key)


class SqliteResourceStore(ResourceRecords):
    """See :class:`lambdad.storage.base.ResourceStore`."""

    def __init__(self, db: SqliteDb, records: Records, apply: Apply) -> None:
        super().__init__(records, apply)
        self._db = db

    async def delete(self, key: ResourceKey) -> bool:
        """Remove a resource."""
        job = partial(sql.delete_resource, key=key)
        return await self._db.write(job, then=lambda _: self._forget(key))

    def _forget(self, key: ResourceKey) -> None:
        self._records.resources.remove(key)


def _load(connection: sqlite3.Connection, changes: Changes) -> Records:
    """Read everything while no garbage is looked for: there is none, and looking takes as long."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return sql.load(connection, changes)
    finally:
        if collecting:
            gc.enable()
