"""A file of its own for one service: what it may ask of storage.

Decides what a service may rely on; its tables are its own, in a directory of migrations with its
name. Jobs speak SQLite's SQL and are functions of a connection, run off the event loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")

Job = Callable[[sqlite3.Connection], T]


class Database(Protocol):
    """Durable writes that share their fsync, and reads beside them.

    All of it belongs to the event loop that called :meth:`open`.
    """

    async def open(self) -> None:
        """Open or make it and bring its schema up to date.

        Raises:
            HostUnfit: it cannot be used; says why and what to do.
        """
        ...

    async def close(self) -> None:
        """Finish the writes that were handed in, then let go of it."""
        ...

    async def write(self, job: Job[T], *, then: Callable[[T], None] | None = None) -> T:
        """Run a job in the next transaction; return its result once that is durable.

        Many jobs share a transaction. One that raises is undone alone, and its exception is raised
        here. `then` is called with the result on the event loop, in the order of commits, even if
        the caller was cancelled meanwhile: a cancelled write still happens.

        Raises:
            HostUnfit: the transaction could not be committed; nothing of the job was kept.
        """
        ...

    async def read(self, job: Job[T]) -> T:
        """Run a job that changes nothing on a snapshot of what was committed."""
        ...
