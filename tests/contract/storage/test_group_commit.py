"""Writers that wait together share a transaction, without sharing their fate."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from lambdad.domain.errors import HostUnfit
from lambdad.storage.engines.sqlite.database import SqliteDb


@pytest.fixture
async def db(tmp_path: Path):
    db = SqliteDb(tmp_path / "x.db", "lambdad")
    await db.open()
    await db.write(lambda connection: connection.execute("CREATE TABLE t (x PRIMARY KEY)") and None)
    yield db
    await db.close()


def put(value: int):
    def job(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t VALUES (?)", (value,))
        return value

    return job


def values(connection: sqlite3.Connection) -> list[int]:
    return [value for (value,) in connection.execute("SELECT x FROM t ORDER BY x")]


async def together(db: SqliteDb, *jobs) -> list[object]:
    """Run jobs in one transaction: the first keeps the writer busy until all are waiting."""
    begun, go_on = threading.Event(), threading.Event()

    def block(connection: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait()

    async with asyncio.TaskGroup() as tasks:
        blocking = tasks.create_task(db.write(block))
        await asyncio.to_thread(begun.wait)
        waiting = [tasks.create_task(_outcome(db, job)) for job in jobs]
        await asyncio.sleep(0)
        go_on.set()
        await blocking
    return [task.result() for task in waiting]


async def _outcome(db: SqliteDb, job) -> object:
    try:
        return await db.write(job)
    except (HostUnfit, LookupError) as error:
        return error


async def test_waiting_writes_share_one_transaction(db: SqliteDb, tmp_path: Path) -> None:
    seen: list[int] = []

    def count_others(connection: sqlite3.Connection) -> None:
        """What another connection sees: nothing of this transaction."""
        other = sqlite3.connect(tmp_path / "x.db")
        seen.extend(values(other))
        other.close()

    assert await together(db, *map(put, range(50)), count_others) == [*range(50), None]
    assert seen == []
    assert await db.read(values) == list(range(50))


async def test_a_job_that_raises_is_undone_alone(db: SqliteDb) -> None:
    def half(connection: sqlite3.Connection) -> None:
        put(7)(connection)
        raise LookupError("changed my mind")

    first, failed, last = await together(db, put(1), half, put(2))
    assert (first, last) == (1, 2)
    assert isinstance(failed, LookupError)
    assert await db.read(values) == [1, 2]


async def test_a_transaction_that_is_lost_fails_all_that_were_in_it(db: SqliteDb) -> None:
    """SQLite rolls back by itself when the disk is full; nobody may be told it went well."""

    def lose(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    outcomes = await together(db, put(1), lose, put(2))
    assert all(isinstance(outcome, HostUnfit) for outcome in outcomes)
    assert await db.read(values) == []
    assert await db.write(put(3)) == 3


async def test_what_follows_a_commit_happens_in_its_order_even_for_the_cancelled(
    db: SqliteDb,
) -> None:
    order: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        writes = [
            tasks.create_task(db.write(put(number), then=order.append)) for number in range(20)
        ]
        await asyncio.sleep(0)
        for write in writes[::3]:
            write.cancel()
    await db.write(put(20), then=order.append)
    assert order == list(range(21))
    assert await db.read(values) == order


async def test_close_finishes_what_was_handed_in(tmp_path: Path) -> None:
    db = SqliteDb(tmp_path / "y.db", "lambdad")
    await db.open()
    await db.write(lambda connection: connection.execute("CREATE TABLE t (x)") and None)
    async with asyncio.TaskGroup() as tasks:
        writes = [tasks.create_task(db.write(put(number))) for number in range(100)]
        await asyncio.sleep(0)
        await db.close()
    assert [write.result() for write in writes] == list(range(100))


async def test_readers_cannot_write(db: SqliteDb) -> None:
    with pytest.raises(HostUnfit):
        await db.read(put(1))
    assert await db.read(values) == []
