"""Bytes in SQLite, by how many objects and parts they are shared: jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from lambdad.neighbours.s3.model import Stored


def keep(db: sqlite3.Connection, stored: Stored) -> int:
    """Make one more thing have these bytes; returns the body's id."""
    if stored.body_id is not None:
        row = db.execute(
            "UPDATE body SET refs = refs + 1 WHERE id = ? RETURNING id", (stored.body_id,)
        ).fetchone()
        if row is None:
            raise LookupError("the bytes went away")
        return int(row[0])
    if stored.digest is None:
        cursor = db.execute(
            "INSERT INTO body (refs, size, data) VALUES (1, ?, ?)", (stored.size, stored.data)
        )
        return int(cursor.lastrowid or 0)
    db.execute("DELETE FROM garbage WHERE digest = ?", (stored.digest,))
    row = db.execute(
        "INSERT INTO body (refs, size, digest) VALUES (1, ?, ?) "
        "ON CONFLICT (digest) DO UPDATE SET refs = refs + 1 RETURNING id",
        (stored.size, stored.digest),
    ).fetchone()
    return int(row[0])


def release(db: sqlite3.Connection, body_ids: Iterable[int]) -> None:
    """Make one thing less have each of these bytes."""
    for body_id in body_ids:
        refs, digest = db.execute(
            "UPDATE body SET refs = refs - 1 WHERE id = ? RETURNING refs, digest", (body_id,)
        ).fetchone()
        if refs == 0:
            db.execute("DELETE FROM body WHERE id = ?", (body_id,))
            if digest is not None:
                db.execute("INSERT OR IGNORE INTO garbage (digest) VALUES (?)", (digest,))


def garbage(db: sqlite3.Connection) -> list[str]:
    """Return some files that no body has."""
    return [row[0] for row in db.execute("SELECT digest FROM garbage LIMIT 1000")]


def is_used(db: sqlite3.Connection, digest: str) -> bool:
    """Whether a body has this file."""
    return db.execute("SELECT 1 FROM body WHERE digest = ?", (digest,)).fetchone() is not None


def forget(db: sqlite3.Connection, digest: str) -> None:
    """The file is gone."""
    db.execute(
        "DELETE FROM garbage WHERE digest = ? AND digest NOT IN (SELECT digest FROM body "
        "WHERE digest = ?)",
        (digest, digest),
    )
