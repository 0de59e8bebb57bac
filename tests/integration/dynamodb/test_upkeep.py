"""What DynamoDB does without being asked, on a real database and a clock that is told the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lambdad.domain.errors import ServiceException
from lambdad.neighbours.dynamodb import query_rows, record_rows, table_rows
from lambdad.neighbours.dynamodb.item_rows import Write
from lambdad.neighbours.dynamodb.model import CREATING, Stream, Table
from lambdad.neighbours.dynamodb.parts import Tables
from lambdad.neighbours.dynamodb.query_rows import Search
from lambdad.neighbours.dynamodb.values import Item
from lambdad.neighbours.dynamodbstreams.iterators import Iterator
from lambdad.neighbours.hosting import Setup
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

DAY_S = 24 * 3_600
KEY = ("000000000000", "us-east-1", "table")
SETTINGS: dict[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
INDEX = {
    "IndexName": "by-kind",
    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
    "IndexStatus": CREATING,
}


def stream() -> Stream:
    return Stream(
        id=0,
        account_id=KEY[0],
        region=KEY[1],
        table_name=KEY[2],
        label="label",
        view_type="NEW_IMAGE",
        key_schema=SETTINGS["KeySchema"],
        created_ms=0,
        first_sequence=0,
    )


@asynccontextmanager
async def opened(directory: Path, clock: FakeClock) -> AsyncIterator[Tables]:
    store = engine("sqlite")(directory, clock)
    await store.open()
    running: set[asyncio.Task[None]] = set()

    # All that DynamoDB takes of what a daemon gives to its services.
    setup = SimpleNamespace(
        database=partial(store.database, "dynamodb"),
        clock=clock,
        spawn=lambda work: running.add(asyncio.create_task(work)),
    )
    tables = await Tables.open(cast("Setup", setup))
    try:
        yield tables
    finally:
        await tables.close()
        await asyncio.gather(*running)
        await store.close()


def put(table: Table, item: Item) -> Write:
    return Write(table=table, key={"id": item["id"]}, change=lambda _: item)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await true():  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.01)


async def sequences(tables: Tables, of: Stream) -> list[int]:
    job = partial(record_rows.after, stream=of, sequence=0, limit=100, bytes_max=10**6)
    return [each.sequence for each in await tables.db.read(job)]


async def trimmed(tables: Tables, of: Stream) -> int:
    return await tables.db.read(partial(record_rows.trimmed, stream=of))


async def test_records_go_after_a_day_and_a_closed_stream_goes_with_them(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path, clock) as tables:
        table = await tables.create(KEY, SETTINGS, stream())
        mine = table.stream
        assert mine is not None
        await tables.apply([put(table, {"id": {"S": "old"}})])
        clock.advance(DAY_S - 60)
        await tables.apply([put(table, {"id": {"S": "new"}})])
        assert await sequences(tables, mine) == [1, 2]
        clock.advance(120)
        tables.upkeep.wake()

        async def one_left() -> bool:
            return await sequences(tables, mine) == [2]

        await until(one_left)
        with pytest.raises(ServiceException, match="read past the oldest stream record"):
            Iterator(mine.arn, 0, 0, exact=True).check_next(await trimmed(tables, mine))
        Iterator(mine.arn, 1, 0, exact=True).check_next(await trimmed(tables, mine))
        assert await trimmed(tables, mine) == 1
        await tables.delete(table)
        clock.advance(DAY_S + 1)
        tables.upkeep.wake()

        async def forgotten() -> bool:
            return tables.stream(mine.arn) is None

        await until(forgotten)


async def test_an_index_that_was_being_made_is_finished_after_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path, clock) as tables:
        table = await tables.create(KEY, SETTINGS, None)
        await tables.apply(
            [put(table, {"id": {"S": f"{n}"}, "kind": {"S": "k"}}) for n in range(1_200)]
        )
        kinds = [
            *SETTINGS["AttributeDefinitions"],
            {"AttributeName": "kind", "AttributeType": "S"},
        ]
        await tables.upkeep.stop()  # The daemon dies before anything of it is done.
        await tables.change(
            table,
            lambda settings: {
                **settings,
                "AttributeDefinitions": kinds,
                "GlobalSecondaryIndexes": [INDEX],
            },
        )
        assert table.indexes[0].status == CREATING
    async with opened(tmp_path, clock) as tables:
        table = tables.find(KEY)

        async def active() -> bool:
            return table.indexes[0].status == "ACTIVE"

        await until(active)
        counts = await tables.db.read(partial(table_rows.counts, table=table))
        assert counts.indexes[table.indexes[0].id][0] == 1_200
        wanted = Search(table=table, index=table.indexes[0], sought=None)
        page = await tables.db.read(partial(query_rows.search, wanted=wanted))
        assert len(page.items) == 1_200


async def test_what_a_deleted_table_held_is_cleared_away_even_after_a_restart(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with opened(tmp_path, clock) as tables:
        table = await tables.create(KEY, SETTINGS, None)
        await tables.apply([put(table, {"id": {"S": f"{n}"}}) for n in range(1_200)])
        await tables.upkeep.stop()
        await tables.delete(table)
        again = await tables.create(KEY, SETTINGS, None)
        await tables.apply([put(again, {"id": {"S": "kept"}})])
    async with opened(tmp_path, clock) as tables:

        async def gone() -> bool:
            rows = await tables.db.read(
                lambda db: db.execute("SELECT count(*) FROM item").fetchone()[0]
            )
            return bool(rows == 1)

        await until(gone)
        assert len(tables.all()) == 1


async def test_an_item_ends_at_its_time_and_not_before_even_after_a_restart(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    settings = {**SETTINGS, "TimeToLive": {"AttributeName": "until"}}
    end_s = int(clock.time()) + 3_600
    async with opened(tmp_path, clock) as tables:
        table = await tables.create(KEY, settings, stream())
        await tables.apply([put(table, {"id": {"S": "1"}, "until": {"N": f"{end_s}"}})])
    clock.advance(3_599)
    async with opened(tmp_path, clock) as tables:
        table = tables.find(KEY)
        wanted = Search(table=table, index=None, sought=None)

        async def items() -> int:
            page = await tables.db.read(partial(query_rows.search, wanted=wanted))
            return len(page.items)

        async def ended() -> bool:
            return await items() == 0

        tables.upkeep.wake()
        assert await items() == 1
        clock.advance(2)
        tables.upkeep.wake()
        await until(ended)
        assert table.stream is not None
        assert await sequences(tables, table.stream) == [1, 2]
