"""What each engine promises a service of its database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lambdad.domain.errors import PlatformError
from lambdad.storage.database import Database
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock


@pytest.fixture(params=["sqlite", "memory"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    store = engine(request.param)(tmp_path, FakeClock())
    await store.open()
    database = store.database("sqs")
    await database.open()
    yield database
    await database.close()
    await store.close()


PUT = """
INSERT INTO queue (account_id, region, name, created_ms, modified_ms, attributes, tags)
VALUES ('0', 'r', ?, 0, 0, '{}', '{}')
"""


def names(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM queue ORDER BY id")]


async def test_what_is_written_is_read_and_told_in_the_order_of_commits(db: Database) -> None:
    told: list[str] = []

    def job(name: str):
        def run(connection: sqlite3.Connection) -> str:
            connection.execute(PUT, (name,))
            return name

        return run

    await asyncio.gather(*(db.write(job(name), then=told.append) for name in "abc"))
    assert await db.read(names) == told
    assert sorted(told) == ["a", "b", "c"]


async def test_a_job_that_raises_is_undone_whole(db: Database) -> None:
    def fails(connection: sqlite3.Connection) -> None:
        connection.execute(PUT, ("a",))
        raise KeyError("a")

    with pytest.raises(KeyError):
        await db.write(fails)
    assert await db.read(names) == []


async def test_a_closed_database_refuses(db: Database) -> None:
    await db.close()
    with pytest.raises(PlatformError):
        await db.read(names)


async def test_databases_of_services_know_nothing_of_each_other(tmp_path: Path) -> None:
    store = engine("sqlite")(tmp_path, FakeClock())
    await store.open()
    database = store.database("sqs")
    await database.open()
    assert (tmp_path / "neighbours" / "sqs" / "sqs.db").stat().st_mode & 0o777 == 0o600
    await database.close()
    await store.close()
