"""What can be wrong with the data directory is said plainly, and nothing is harmed by it."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import HostUnfit, PlatformError
from lambdad.storage.base import Engine, InsertFunction, PutResource
from lambdad.storage.engines.sqlite.schema import migrations
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import a_function, a_resource

# Opens the directory, forks a child that outlives it, says so, and waits to be killed.
HOLDER = """
import asyncio, os, sys, time
from pathlib import Path
from lambdad.domain.clock import SystemClock
from lambdad.storage.registry import engine

async def main():
    await engine("sqlite")(Path(sys.argv[1]), SystemClock()).open()
    child = os.fork()
    if child:
        print(child, flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def sqlite_engine(data_dir: Path) -> Engine:
    return engine("sqlite")(data_dir, FakeClock())


async def open_and_close(data_dir: Path) -> None:
    store = sqlite_engine(data_dir)
    await store.open()
    await store.close()


async def why_refused(data_dir: Path) -> str:
    with pytest.raises(HostUnfit) as refused:
        await sqlite_engine(data_dir).open()
    assert refused.value.remedy
    return str(refused.value)


async def test_a_second_engine_of_this_process_is_refused(tmp_path: Path) -> None:
    first = sqlite_engine(tmp_path)
    await first.open()
    assert f"in use by process {os.getpid()}" in await why_refused(tmp_path)
    await first.functions.insert(a_function())
    await first.close()
    again = sqlite_engine(tmp_path)
    await again.open()
    assert again.functions.get(a_function().key) == a_function()
    await again.close()


def test_another_process_holds_the_directory_until_it_dies(tmp_path: Path) -> None:
    """Its children do not: a sandbox may outlive a killed daemon."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        assert f"in use by process {holder.pid}" in asyncio.run(why_refused(tmp_path))
        holder.kill()
        holder.wait()
        assert Path(f"/proc/{child}").exists()
        asyncio.run(open_and_close(tmp_path))
        # Closing its standard input lets the child end.


@pytest.mark.parametrize("name", ["lambdad", "logs"])
async def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.db"
    known = len(migrations(name))
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {known + 1}")
    connection.close()
    reason = await why_refused(tmp_path)
    assert f"{path} was written by a newer lambdad (schema {known + 1}, known here: {known})" in (
        reason
    )
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("name", ["lambdad.db", "logs.db"])
async def test_a_file_that_is_no_database_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not a database, but long enough to be one" * 100)
    assert f"{tmp_path / name} is not a SQLite database" in await why_refused(tmp_path)


async def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    store = sqlite_engine(tmp_path)
    await store.open()
    for number in range(200):
        key = FunctionKey(account_id="000000000000", region="us-east-1", name=f"f{number}")
        await store.functions.insert(a_function(key=key, description="x" * 200))
    await store.close()
    path = tmp_path / "lambdad.db"
    content = bytearray(path.read_bytes())
    content[8_192:40_960] = os.urandom(32_768)
    path.write_bytes(content)
    assert f"{path} is damaged" in await why_refused(tmp_path)


@pytest.mark.parametrize(("table", "document"), [("function", "{}"), ("resource", "{")])
async def test_a_row_that_lambdad_did_not_write_is_reported(
    tmp_path: Path, table: str, document: str
) -> None:
    store = sqlite_engine(tmp_path)
    await store.open()
    await store.apply(InsertFunction(function=a_function()), PutResource(resource=a_resource()))
    await store.close()
    with sqlite3.connect(tmp_path / "lambdad.db") as connection:
        connection.execute(f"UPDATE {table} SET document = ?", (document,))  # noqa: S608
    connection.close()
    assert "holds a row that cannot be read" in await why_refused(tmp_path)


async def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert f"{path} cannot be used: File exists" in await why_refused(path)


async def test_nobody_else_can_read_what_is_stored(tmp_path: Path) -> None:
    """Functions have secrets in their environment and their logs."""
    store = sqlite_engine(tmp_path / "data")
    await store.open()
    await store.functions.insert(a_function())
    modes = {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "data").iterdir()}
    assert set(modes.values()) == {0}
    assert "lambdad.db-wal" in modes
    await store.close()


async def test_a_closed_engine_says_so(tmp_path: Path) -> None:
    store = sqlite_engine(tmp_path)
    await store.open()
    await store.close()
    with pytest.raises(PlatformError, match="closed"):
        await store.functions.insert(a_function())


async def insert_without_end(store: Engine, stored: list[FunctionKey]) -> None:
    for number in count():
        key = FunctionKey(account_id="000000000000", region="us-east-1", name=f"f{number}")
        await store.functions.insert(a_function(key=key, description="x" * 200))
        stored.append(key)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.root
async def test_a_full_disk_refuses_writes_and_loses_none(small_disk: Path) -> None:
    store = sqlite_engine(small_disk / "data")
    await store.open()
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1024 * 1024))
    stored: list[FunctionKey] = []
    with pytest.raises(HostUnfit, match="No space is left"):
        await insert_without_end(store, stored)
    assert stored
    refused = FunctionKey(account_id="000000000000", region="us-east-1", name=f"f{len(stored)}")
    assert store.functions.get(refused) is None
    ballast.unlink()
    await store.functions.insert(a_function(key=refused))
    await store.close()
    again = sqlite_engine(small_disk / "data")
    await again.open()
    assert all(again.functions.get(key) is not None for key in (*stored, refused))
    await again.close()


@pytest.mark.root
def test_a_read_only_disk_is_refused(small_disk: Path) -> None:
    asyncio.run(open_and_close(small_disk / "data"))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert "Read-only file system" in asyncio.run(why_refused(small_disk / "data"))
