"""Multipart uploads and their parts in SQLite: jobs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.s3 import body_rows
from lambdad.neighbours.s3.errors import no_bucket, no_upload
from lambdad.neighbours.s3.model import MultipartUpload, Part, Stored, from_text, to_text

_COLUMNS = "id, bucket_id, key, upload_id, created_ms, details"


def begin(
    db: sqlite3.Connection,
    bucket_id: int,
    key: str,
    upload_id: str,
    *,
    created_ms: int,
    details: Mapping[str, Any],
) -> None:
    """Store a new upload."""
    if db.execute("SELECT 1 FROM bucket WHERE id = ?", (bucket_id,)).fetchone() is None:
        raise no_bucket("")
    db.execute(
        "INSERT INTO upload (bucket_id, key, upload_id, created_ms, details) "
        "VALUES (?, ?, ?, ?, ?)",
        (bucket_id, key, upload_id, created_ms, to_text(details)),
    )


def find(db: sqlite3.Connection, bucket_id: int, key: str, upload_id: str) -> MultipartUpload:
    """Return an upload that is not complete."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM upload WHERE upload_id = ? AND bucket_id = ? "  # noqa: S608
        "AND key = ?",
        (upload_id, bucket_id, key),
    ).fetchone()
    if row is None:
        raise no_upload(upload_id)
    return _upload(row)


def _upload(row: tuple[Any, ...]) -> MultipartUpload:
    return MultipartUpload(
        row=row[0],
        bucket_id=row[1],
        key=row[2],
        upload_id=row[3],
        created_ms=row[4],
        details=from_text(row[5]),
    )


def put_part(
    db: sqlite3.Connection,
    upload: MultipartUpload,
    number: int,
    *,
    stored: Stored,
    etag: str,
    checksums: Mapping[str, str],
    now_ms: int,
) -> None:
    """Store a part, in the place of the one of that number."""
    find(db, upload.bucket_id, upload.key, upload.upload_id)
    body_id = body_rows.keep(db, stored)
    before = db.execute(
        "DELETE FROM part WHERE upload_row = ? AND number = ? RETURNING body_id",
        (upload.row, number),
    ).fetchall()
    body_rows.release(db, [row[0] for row in before])
    db.execute(
        "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?, ?)",
        (upload.row, number, stored.size, etag, now_ms, body_id, json.dumps(dict(checksums))),
    )


def parts(
    db: sqlite3.Connection, upload_row: int, after: int = 0, limit: int = 10_001
) -> list[Part]:
    """Return the parts of an upload, by their numbers."""
    rows = db.execute(
        "SELECT number, size, etag, modified_ms, body_id, checksums FROM part "
        "WHERE upload_row = ? AND number > ? ORDER BY number LIMIT ?",
        (upload_row, after, limit),
    )
    return [
        Part(
            number=row[0],
            size=row[1],
            etag=row[2],
            modified_ms=row[3],
            body_id=row[4],
            checksums=json.loads(row[5]),
        )
        for row in rows
    ]


def abort(db: sqlite3.Connection, bucket_id: int, key: str, upload_id: str) -> None:
    """Forget an upload and its parts."""
    upload = find(db, bucket_id, key, upload_id)
    db.execute("DELETE FROM upload WHERE id = ?", (upload.row,))
    rows = db.execute("DELETE FROM part WHERE upload_row = ? RETURNING body_id", (upload.row,))
    body_rows.release(db, [row[0] for row in rows.fetchall()])


def uploads(
    db: sqlite3.Connection, bucket_id: int, prefix: str, after: tuple[str, str], limit: int
) -> list[MultipartUpload]:
    """Return uploads by key and id, after those of `after`."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM upload WHERE bucket_id = ? AND key >= ? "  # noqa: S608
        "AND (key, upload_id) > (?, ?) ORDER BY key, upload_id LIMIT ?",
        (bucket_id, max(prefix, after[0]), *after, limit),
    )
    return [_upload(row) for row in rows if row[2].startswith(prefix)]


def begun_before(
    db: sqlite3.Connection, bucket_id: int, prefix: str, before_ms: int
) -> list[MultipartUpload]:
    """Return uploads that were begun before a time."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM upload WHERE bucket_id = ? AND created_ms <= ?",  # noqa: S608
        (bucket_id, before_ms),
    )
    return [_upload(row) for row in rows if row[2].startswith(prefix)]
