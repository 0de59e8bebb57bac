"""Uploads that have begun, in SQLite: jobs. The bytes of each piece are a file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from lambdad.neighbours.ecr.model import PARTS_MAX
from lambdad.neighbours.ecr.rows import check_repository

UPLOADS_MAX = 1_000
BYTES_MAX = 10 * 1024**3
IDLE_MS = 24 * 3_600 * 1_000


class NoUpload(Exception):
    """There is no such upload."""


class TooMany(Exception):
    """There are too many uploads, or too many pieces or bytes of one."""


class NotNext(Exception):
    """A piece does not follow the ones before.

    Attributes:
        size: bytes that came so far.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some bytes of an upload, in a file.

    Attributes:
        sha256: in hexadecimal digits.
    """

    start: int
    size: int
    file: str
    sha256: str


def begin(db: sqlite3.Connection, key: str, upload_id: str, now_ms: int) -> None:
    """Begin an upload; raises `Gone` or `TooMany`."""
    check_repository(db, key)
    row = db.execute("SELECT count(*) FROM upload WHERE repository = ?", (key,)).fetchone()
    if row[0] >= UPLOADS_MAX:
        raise TooMany
    db.execute(
        "INSERT INTO upload (id, repository, touched_ms, size) VALUES (?, ?, ?, 0)",
        (upload_id, key, now_ms),
    )


def size(db: sqlite3.Connection, key: str, upload_id: str) -> int:
    """Return how many bytes have come; raises `NoUpload`."""
    row = db.execute(
        "SELECT size FROM upload WHERE id = ? AND repository = ?", (upload_id, key)
    ).fetchone()
    if row is None:
        raise NoUpload
    return int(row[0])


def append(db: sqlite3.Connection, key: str, upload_id: str, piece: Piece, now_ms: int) -> int:
    """Add a piece at the end and return the size; raises `NoUpload`, `NotNext`, `TooMany`."""
    so_far = size(db, key, upload_id)
    if piece.start != so_far:
        raise NotNext(so_far)
    row = db.execute("SELECT count(*) FROM piece WHERE upload = ?", (upload_id,)).fetchone()
    if row[0] >= PARTS_MAX or so_far + piece.size > BYTES_MAX:
        raise TooMany
    db.execute(
        "INSERT INTO piece (upload, start, size, file, sha256) VALUES (?, ?, ?, ?, ?)",
        (upload_id, piece.start, piece.size, piece.file, piece.sha256),
    )
    db.execute(
        "UPDATE upload SET size = ?, touched_ms = ? WHERE id = ?",
        (so_far + piece.size, now_ms, upload_id),
    )
    return so_far + piece.size


def pieces(db: sqlite3.Connection, key: str, upload_id: str) -> list[Piece]:
    """Return the pieces in order; raises `NoUpload`."""
    size(db, key, upload_id)
    rows = db.execute(
        "SELECT start, size, file, sha256 FROM piece WHERE upload = ? ORDER BY start", (upload_id,)
    )
    return [Piece(start=row[0], size=row[1], file=row[2], sha256=row[3]) for row in rows]


def end(db: sqlite3.Connection, key: str, upload_id: str) -> None:
    """Forget an upload; raises `NoUpload`."""
    size(db, key, upload_id)
    db.execute("DELETE FROM upload WHERE id = ?", (upload_id,))
    db.execute("DELETE FROM piece WHERE upload = ?", (upload_id,))


def forget_idle(db: sqlite3.Connection, now_ms: int) -> None:
    """Forget uploads to which nothing has come for a day."""
    idle = "SELECT id FROM upload WHERE touched_ms < ?"
    db.execute(f"DELETE FROM piece WHERE upload IN ({idle})", (now_ms - IDLE_MS,))  # noqa: S608
    db.execute("DELETE FROM upload WHERE touched_ms < ?", (now_ms - IDLE_MS,))


def files(db: sqlite3.Connection) -> set[str]:
    """Return the names of all files that are pieces."""
    return {row[0] for row in db.execute("SELECT file FROM piece")}
