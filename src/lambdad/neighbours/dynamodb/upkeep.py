"""What is done without being asked.

Items whose time is over are deleted, indexes that are being made get their items, and what deleted
tables held is cleared away, as are old records.

Mutable: when the next item is due, and whether there is work.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from lambdad.domain.clock import Clock
from lambdad.domain.errors import PlatformError
from lambdad.neighbours.dynamodb import item_rows, record_rows, table_rows
from lambdad.neighbours.dynamodb.item_rows import Outcome, Write
from lambdad.neighbours.dynamodb.keys import StoredKey
from lambdad.neighbours.dynamodb.model import ACTIVE, CREATING, Settings, Table
from lambdad.neighbours.dynamodb.values import load
from lambdad.neighbours.hosting import SpawnTask
from lambdad.storage.database import Database

if TYPE_CHECKING:
    from lambdad.neighbours.dynamodb.parts import Tables

_LOGGER = logging.getLogger(__name__)

RETENTION_MS = 24 * 3_600 * 1_000
_ROUND_S = 60.0
_RETRY_S = 5.0


class Upkeep:
    """One task that sleeps until there is something to do."""

    def __init__(self, db: Database, clock: Clock, tables: Tables) -> None:
        self._db = db
        self._clock = clock
        self._tables = tables
        self._due_s: int | None = None
        self._woken = asyncio.Event()
        self._stopping = False
        self._ended = asyncio.Event()
        self._ended.set()

    def start(self, spawn: SpawnTask) -> None:
        """Begin."""
        self._ended.clear()
        spawn(self._run())

    async def stop(self) -> None:
        """End, and wait for it."""
        self._stopping = True
        self._woken.set()
        await self._ended.wait()

    def wake(self) -> None:
        """Look for work now."""
        self._woken.set()

    def expects(self, due_s: int) -> None:
        """Take note that an item ends at a time; no later one is forgotten."""
        if self._note(due_s):
            self._woken.set()

    def _note(self, due_s: int) -> bool:
        if self._due_s is not None and self._due_s <= due_s:
            return False
        self._due_s = due_s
        return True

    async def _run(self) -> None:
        try:
            while not self._stopping:
                self._woken.clear()
                try:
                    await self._work()
                    wait_s = self._wait_s()
                except (sqlite3.Error, PlatformError):
                    _LOGGER.exception("DynamoDB's upkeep failed; it is tried again")
                    wait_s = _RETRY_S
                try:
                    async with asyncio.timeout(wait_s):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        finally:
            self._ended.set()

    def _wait_s(self) -> float:
        if self._due_s is None:
            return _ROUND_S
        return min(max(self._due_s - self._clock.time(), 0.05), _ROUND_S)

    async def _work(self) -> None:
        for table in self._tables.all():
            if self._unfinished(table) and not self._stopping:
                await self._fill(table)
        await self._expire()
        while not self._stopping and await self._db.write(table_rows.clear):
            pass
        before_ms = self._tables.now_ms() - RETENTION_MS
        trim = partial(record_rows.trim, before_ms=before_ms)
        while not self._stopping and await self._db.write(trim):
            pass
        self._tables.forget_streams(
            await self._db.write(partial(record_rows.forget, before_ms=before_ms))
        )

    # --- indexes and expiry of items that are there already -----------------------------------

    @staticmethod
    def _unfinished(table: Table) -> bool:
        ttl = table.settings.get("TimeToLive") or {}
        making = any(index.status == CREATING for index in table.indexes)
        return making or ttl.get("Filling", False)

    async def _fill(self, table: Table) -> None:
        making = {index.id for index in table.indexes if index.status == CREATING}
        attribute = table.ttl_attribute
        at: StoredKey | None = None
        while not self._stopping:
            job = partial(table_rows.fill, table=table, after=at, now_ms=self._tables.now_ms())
            at = await self._db.write(job)
            if at is None:
                break
        if self._stopping or table.deleted:
            return

        def finished(settings: Settings) -> Settings:
            indexes = [
                {**each, "IndexStatus": ACTIVE} if each["Id"] in making else each
                for each in settings.get("GlobalSecondaryIndexes", ())
            ]
            ttl = dict(settings.get("TimeToLive") or {})
            if ttl.get("AttributeName") == attribute:
                ttl.pop("Filling", None)
            changed = {**settings, "TimeToLive": ttl}
            return {**changed, "GlobalSecondaryIndexes": indexes} if indexes else changed

        await self._tables.change(table, finished)

    # --- time to live -------------------------------------------------------------------------

    async def _expire(self) -> None:
        while not self._stopping:
            self._due_s = None
            now_s = int(self._clock.time())
            due = await self._db.read(partial(table_rows.due_items, now_s=now_s))
            if not due:
                next_due = await self._db.read(table_rows.next_due)
                if next_due is not None:
                    self._note(next_due)
                return
            tables = {table.id: table for table in self._tables.all()}
            await self._end(due, tables)

    async def _end(
        self, due: Sequence[tuple[int, int, str | None]], tables: dict[int, Table]
    ) -> None:
        """Delete items in one transaction, unless they were changed meanwhile."""
        now_ms = self._tables.now_ms()
        writes: list[Write] = []

        def job(db: sqlite3.Connection) -> list[Outcome]:
            outcomes = []
            for item_id, table_id, body in due:
                table = tables.get(table_id)
                if table is None or table.ttl_attribute is None or body is None:
                    table_rows.not_due(db, item_id)
                    continue
                key = table.key_of(load(body))
                item = item_rows.get(db, table, key)
                due_s = item_rows.due(item or {}, table.ttl_attribute, now_ms)
                if due_s is None or due_s > now_ms // 1_000:
                    if due_s is None:
                        table_rows.not_due(db, item_id)
                    continue
                write = Write(table=table, key=key, change=lambda _: None)
                outcomes.append(item_rows.apply(db, write, now_ms, expired=True))
                writes.append(write)
            return outcomes

        await self._db.write(job, then=lambda outcomes: self._tables.followed(writes, outcomes))
