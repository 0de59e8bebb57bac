"""All tables of this daemon: which there are, and the one way to change their items.

Mutable: tables and streams, on the event loop alone and only after the database has changed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self, TypeVar

from lambdad.domain.clock import Clock
from lambdad.neighbours.dynamodb import item_rows, record_rows, table_rows
from lambdad.neighbours.dynamodb.changes import Changes
from lambdad.neighbours.dynamodb.errors import ResourceInUseException, no_such_table, no_table
from lambdad.neighbours.dynamodb.item_rows import Outcome, Write
from lambdad.neighbours.dynamodb.model import Settings, Stream, Table, TableKey
from lambdad.neighbours.dynamodb.upkeep import Upkeep
from lambdad.neighbours.hosting import Setup
from lambdad.storage.database import Database

T = TypeVar("T")


class Tables:
    """What DynamoDB's operations call. `changes` wakes pollers of streams in this process."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self.db = db
        self.clock = clock
        self.changes = Changes()
        self.upkeep = Upkeep(db, clock, self)
        self._tables: dict[TableKey, Table] = {}
        self._streams: dict[str, Stream] = {}
        self._definitions = asyncio.Lock()

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open the database, load the tables and go on with what was under way."""
        db = setup.database()
        await db.open()
        tables = cls(db, setup.clock)
        for stream in await db.read(record_rows.all_streams):
            tables._streams[stream.arn] = stream
        running = {
            (stream.account_id, stream.region, stream.table_name): stream
            for stream in tables._streams.values()
            if stream.closed_ms is None
        }
        for table_id, key, settings in await db.read(table_rows.all_tables):
            tables._tables[key] = Table(table_id, key, settings, running.get(key))
        tables.upkeep.start(setup.spawn)
        return tables

    def drain(self) -> None:
        """Answer everybody who waits for records."""
        self.changes.drain()

    async def close(self) -> None:
        """Stop what runs, then close the database."""
        await self.upkeep.stop()
        self.drain()
        await self.db.close()

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return int(self.clock.time() * 1_000)

    def find(self, key: TableKey) -> Table:
        """Return a table.

        Raises:
            ResourceNotFoundException: there is none.
        """
        table = self._tables.get(key)
        if table is None:
            raise no_table()
        return table

    def named(self, key: TableKey) -> Table:
        """Return a table like :meth:`find`, with an error that names it."""
        table = self._tables.get(key)
        if table is None:
            raise no_such_table(key[2])
        return table

    def all(self) -> list[Table]:
        """Return every table."""
        return list(self._tables.values())

    def stream(self, arn: str) -> Stream | None:
        """Return a stream, also one that was switched off, or None."""
        return self._streams.get(arn)

    def streams(self) -> list[Stream]:
        """Return every stream, oldest first."""
        return sorted(self._streams.values(), key=lambda stream: stream.id)

    async def create(self, key: TableKey, settings: Settings, stream: Stream | None) -> Table:
        """Store a table.

        Raises:
            ResourceInUseException: there is one of that name.
        """
        async with self._definitions:
            if key in self._tables:
                raise ResourceInUseException(f"Table already exists: {key[2]}")
            job = partial(table_rows.insert, key=key, settings=settings, stream=stream)
            table_id, settings, stream = await self.db.write(job)
            table = Table(table_id, key, settings, stream)
            self._tables[key] = table
            if stream is not None:
                self._streams[stream.arn] = stream
            return table

    async def change(
        self,
        table: Table,
        change: Callable[[Settings], Settings],
        *,
        opened: Stream | None = None,
        closes: bool = False,
    ) -> None:
        """Store other settings of a table, which `change` makes of those it has."""
        async with self._definitions:
            if table.deleted:
                raise no_such_table(table.name)
            settings = change(table.settings)

            def taken(result: tuple[Settings, Stream | None, Stream | None]) -> None:
                stored, table.stream, closed = result
                table.take(stored)
                for stream in (table.stream, closed):
                    if stream is not None:
                        self._streams[stream.arn] = stream
                        self.changes.signal(stream.arn)

            job = partial(
                table_rows.update,
                table=table,
                settings=settings,
                opened=opened,
                closed_ms=self.now_ms() if closes else None,
            )
            await self.db.write(job, then=taken)
            self.upkeep.wake()

    async def delete(self, table: Table) -> None:
        """Forget a table; its items are cleared away behind the answer."""
        async with self._definitions:
            if table.deleted:
                raise no_such_table(table.name)

            def gone(stream: Stream | None) -> None:
                table.deleted = True
                self._tables.pop(table.key, None)
                if stream is not None:
                    self._streams[stream.arn] = stream
                    self.changes.signal(stream.arn)

            job = partial(table_rows.remove, table=table, now_ms=self.now_ms())
            await self.db.write(job, then=gone)
            self.upkeep.wake()

    def forget_streams(self, ids: Sequence[int]) -> None:
        """Drop streams that are gone from the database."""
        gone = [arn for arn, stream in self._streams.items() if stream.id in ids]
        for arn in gone:
            del self._streams[arn]

    async def apply(
        self,
        writes: Sequence[Write],
        run: Callable[[sqlite3.Connection, Sequence[Write], int], list[Outcome]] | None = None,
    ) -> list[Outcome]:
        """Change items, all or none; durable on return. `run` applies them otherwise than in turn.

        Raises:
            ConditionFailed: a condition did not hold.
            ValidationException: an item is not acceptable.
            ResourceNotFoundException: a table is gone.
        """
        now_ms = self.now_ms()

        def job(db: sqlite3.Connection) -> list[Outcome]:
            if run is not None:
                return run(db, writes, now_ms)
            return [item_rows.apply(db, write, now_ms) for write in writes]

        def then(outcomes: list[Outcome]) -> None:
            self.followed(writes, outcomes)

        return await self.db.write(job, then=then)

    def followed(self, writes: Sequence[Write], outcomes: Sequence[Outcome]) -> None:
        """Tell whoever has to know what was committed."""
        for write, outcome in zip(writes, outcomes, strict=False):
            if outcome.streamed and write.table.stream is not None:
                self.changes.signal(write.table.stream.arn)
            if outcome.due_s is not None:
                self.upkeep.expects(outcome.due_s)
