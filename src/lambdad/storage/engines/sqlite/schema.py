"""Numbered migrations: which statements bring a database to this release's schema.

A file `NNNN_topic.sql` below `lambdad/storage/migrations/<schema>/` leads from version NNNN-1 to
NNNN; the version stands in `user_version`. A released file is never changed.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from importlib.resources import files
from pathlib import Path

from lambdad.domain.errors import HostUnfit


@cache
def migrations(schema: str) -> tuple[str, ...]:
    """Return the scripts of a schema; the first leads from an empty file to version 1."""
    directory = files("lambdad.storage.migrations") / schema
    scripts = sorted(
        (entry for entry in directory.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    for number, entry in enumerate(scripts, start=1):
        if int(entry.name.partition("_")[0]) != number:
            raise ValueError(f"migration {number} of {schema} is missing: found {entry.name}")
    return tuple(entry.read_text(encoding="utf-8") for entry in scripts)


def migrate(connection: sqlite3.Connection, schema: str, path: Path) -> None:
    """Bring the database up to date; each step is one transaction.

    Raises:
        HostUnfit: it was written by a newer lambdad.
        sqlite3.Error: a step failed; the database is as it was before that step.
    """
    scripts = migrations(schema)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(scripts):
        raise HostUnfit(
            f"{path} was written by a newer lambdad (schema {version}, known here: "
            f"{len(scripts)}).",
            "Run that release or a later one, or name another data directory.",
        )
    for number in range(version + 1, len(scripts) + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {scripts[number - 1]}; PRAGMA user_version = {number}; COMMIT"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
