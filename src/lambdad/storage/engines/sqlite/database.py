"""One SQLite file: a writer thread with group commit, and readers.

Decides what shares a transaction and when a write is answered. Knows nothing of tables: a job is a
function of a connection, and every decision in it is one conditional statement, so that it means
the same here under a single writer and elsewhere under READ COMMITTED.

Mutable state: the queue of writes, the writer thread, the readers' connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from lambdad.domain.errors import HostUnfit, PlatformError
from lambdad.storage.data_dir import FILE_MODE
from lambdad.storage.engines.sqlite.errors import explain
from lambdad.storage.engines.sqlite.schema import migrate

T = TypeVar("T")

Job = Callable[[sqlite3.Connection], T]

# Bounds how long the first write of a group waits for the last one.
GROUP_MAX = 1_000
READERS = 4
LOCK_TIMEOUT_S = 5.0

# Upserts and RETURNING.
OLDEST_SQLITE = (3, 35, 0)


@dataclass(slots=True, eq=False)
class _Write(Generic[T]):
    """A job on its way: filled in by the writer thread, then read by the event loop."""

    job: Job[T]
    then: Callable[[T], None] | None
    future: asyncio.Future[T]
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Stop:
    future: asyncio.Future[None] = field()


class SqliteDb:
    """Durable writes that share their fsync, and reads beside them.

    `schema` names the directory of migrations. Every method but the constructor belongs to the
    event loop that called :meth:`open`.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._writes: queue.SimpleQueue[_Write[Any] | _Stop] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix=f"read-{path.stem}")
        self._reading = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        self._open = False

    async def open(self) -> None:
        """Open or make the file, migrate it and start the writer.

        Raises:
            HostUnfit: the file cannot be used; says why and what to do.
        """
        self._loop = asyncio.get_running_loop()
        connection = await self._loop.run_in_executor(self._readers, self._prepare)
        thread = threading.Thread(
            target=self._write_loop, args=(connection,), name=f"write-{self.path.stem}", daemon=True
        )
        thread.start()
        self._open = True

    async def close(self) -> None:
        """Finish the writes that were handed in, then close every connection."""
        if self._open and self._loop is not None:
            self._open = False
            stop = _Stop(self._loop.create_future())
            self._writes.put(stop)
            await asyncio.shield(stop.future)
        self._readers.shutdown(wait=True)
        for connection in self._reader_connections:
            connection.close()
        self._reader_connections.clear()

    async def write(self, job: Job[T], *, then: Callable[[T], None] | None = None) -> T:
        """Run a job in the writer's next transaction; return its result once that is durable.

        A job that raises is undone alone, and its exception is raised here. `then` is called with
        the result on the event loop, in the order of commits, even if the caller was cancelled
        meanwhile: a cancelled write still happens.

        Raises:
            HostUnfit: the transaction could not be committed; nothing of the job was kept.
        """
        if not self._open or self._loop is None:
            raise PlatformError(f"{self.path} is closed")
        write = _Write(job, then, self._loop.create_future())
        self._writes.put(write)
        result: T = await write.future
        return result

    async def read(self, job: Job[T]) -> T:
        """Run a job on a reader's connection, on a snapshot of what was committed."""
        if not self._open or self._loop is None:
            raise PlatformError(f"{self.path} is closed")
        return await self._loop.run_in_executor(self._readers, self._read, job)

    def _prepare(self) -> sqlite3.Connection:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise HostUnfit(
                f"Python's SQLite is {sqlite3.sqlite_version}.", "Use a Python with 3.35 or newer."
            )
        try:
            self.path.touch(FILE_MODE)
        except OSError as error:
            raise HostUnfit(
                f"{self.path} cannot be opened: {error.strerror}.",
                "Give the user that runs lambdad read and write access to it and its directory.",
            ) from error
        try:
            connection = self._connect()
        except sqlite3.Error as error:
            raise explain(error, self.path) from error
        try:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            migrate(connection, self._schema, self.path)
        except sqlite3.Error as error:
            connection.close()
            raise explain(error, self.path) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            timeout=LOCK_TIMEOUT_S,
            check_same_thread=False,
            cached_statements=256,
        )
        # FULL: a commit has returned only after the write-ahead log was flushed to the medium.
        try:
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _read(self, job: Job[T]) -> T:
        try:
            connection: sqlite3.Connection | None = getattr(self._reading, "connection", None)
            if connection is None:
                connection = self._reading.connection = self._connect()
                self._reader_connections.append(connection)
                connection.execute("PRAGMA query_only = ON")
            return _in_snapshot(connection, job)
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    def _write_loop(self, connection: sqlite3.Connection) -> None:
        stop: _Stop | None = None
        while stop is None:
            group, stop = self._next_group()
            if group:
                self._commit(connection, group)
                self._answer(_deliver, group)
        connection.close()
        self._answer(_finish, stop.future)

    def _next_group(self) -> tuple[list[_Write[Any]], _Stop | None]:
        """Wait for a write and take everything that has gathered behind it."""
        group: list[_Write[Any]] = []
        item = self._writes.get()
        while isinstance(item, _Write):
            group.append(item)
            if len(group) == GROUP_MAX:
                return group, None
            try:
                item = self._writes.get_nowait()
            except queue.Empty:
                return group, None
        return group, item

    def _commit(self, connection: sqlite3.Connection, group: list[_Write[Any]]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for write in group:
                _run_alone(connection, write)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for write in group:
                write.result, write.error = None, explain(error, self.path)
        for write in group:
            if isinstance(write.error, sqlite3.Error):
                write.error = explain(write.error, self.path)

    def _answer(self, callback: Callable[[Any], None], argument: object) -> None:
        # A loop that was closed without closing us has nobody left who waits for the answer.
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback, argument)


def _in_snapshot(connection: sqlite3.Connection, job: Job[T]) -> T:
    connection.execute("BEGIN")
    try:
        return job(connection)
    finally:
        connection.execute("COMMIT")


def _run_alone(connection: sqlite3.Connection, write: _Write[Any]) -> None:
    """Run one job of a group; what it raises undoes it and no other."""
    connection.execute("SAVEPOINT job")
    try:
        write.result = write.job(connection)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not connection.in_transaction:
            # A full disk, for one, makes SQLite roll back the whole transaction by itself.
            raise
        write.error = error
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _deliver(group: list[_Write[Any]]) -> None:
    for write in group:
        if write.error is None and write.then is not None:
            write.then(write.result)
        if write.future.done():
            continue
        if write.error is None:
            write.future.set_result(write.result)
        else:
            write.future.set_exception(write.error)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
