"""Function versions in SQLite: every write is one conditional statement, every read is memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.errors import HostUnfit
from lambdad.domain.functions import Function
from lambdad.storage.base import AlreadyExists, RevisionMismatch
from lambdad.storage.documents import decode, encode
from lambdad.storage.engines.sqlite.database import SqliteDb
from lambdad.storage.function_index import FunctionIndex

_INSERT = """
INSERT INTO function (account_id, region, name, version, revision, document)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_REPLACE = """
UPDATE function SET revision = ?, document = ?
WHERE account_id = ? AND region = ? AND name = ? AND version = ? AND revision = ?
"""
_DELETE = "DELETE FROM function WHERE account_id = ? AND region = ? AND name = ?"
_ALL = "SELECT document FROM function ORDER BY account_id, region, name"


class SqliteFunctionStore:
    """See :class:`lambdad.storage.base.FunctionStore`."""

    def __init__(self, db: SqliteDb) -> None:
        self._db = db
        self._index = FunctionIndex()

    async def load(self) -> None:
        """Fill the memory from the database.

        Raises:
            HostUnfit: a row is not what lambdad wrote.
        """
        try:
            self._index = await self._db.read(_load)
        except (ValueError, TypeError, KeyError) as error:
            raise HostUnfit(
                f"{self._db.path} holds a function that cannot be read ({error}).",
                "Restore it from a backup, or move it away to begin anew.",
            ) from error

    def get(self, key: FunctionKey, version: str = LATEST) -> Function | None:
        """Return the stored version, or None."""
        return self._index.get(key, version)

    def list(
        self, account_id: str, region: str, *, after: str | None, limit: int
    ) -> Sequence[Function]:
        """Return a page by name."""
        return self._index.page(account_id, region, after=after, limit=limit)

    def unfinished(self) -> Sequence[Function]:
        """Return versions that are still being made or updated."""
        return self._index.unfinished()

    def digests(self) -> frozenset[str]:
        """Return the package digests of all versions."""
        return self._index.digests()

    async def insert(self, function: Function) -> None:
        """Store a new version."""
        key = function.key
        row = (key.account_id, key.region, key.name, function.version)
        job = partial(_insert, row=(*row, function.revision_id, encode(function)))
        await self._db.write(job, then=lambda _: self._index.put(function))

    async def replace(self, function: Function, *, expected_revision: str) -> None:
        """Replace a version of a known revision."""
        key = function.key
        identity = (key.account_id, key.region, key.name, function.version, expected_revision)
        job = partial(_replace, row=(function.revision_id, encode(function), *identity))
        await self._db.write(job, then=lambda _: self._index.put(function))

    async def delete(self, key: FunctionKey) -> bool:
        """Remove all versions."""
        job = partial(_delete, row=(key.account_id, key.region, key.name))
        return await self._db.write(job, then=lambda _: self._forget(key))

    def _forget(self, key: FunctionKey) -> None:
        self._index.remove(key)


def _load(connection: sqlite3.Connection) -> FunctionIndex:
    index = FunctionIndex()
    for (document,) in connection.execute(_ALL):
        index.put(decode(Function, document))
    return index


def _insert(connection: sqlite3.Connection, row: tuple[str, ...]) -> None:
    if connection.execute(_INSERT, row).rowcount != 1:
        raise AlreadyExists(f"function {row[2]} version {row[3]}")


def _replace(connection: sqlite3.Connection, row: tuple[str, ...]) -> None:
    if connection.execute(_REPLACE, row).rowcount != 1:
        raise RevisionMismatch(f"function {row[4]} version {row[5]}")


def _delete(connection: sqlite3.Connection, row: tuple[str, ...]) -> bool:
    return connection.execute(_DELETE, row).rowcount > 0
