"""Buckets in SQLite: jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from lambdad.neighbours.s3 import body_rows, outbox_rows
from lambdad.neighbours.s3.errors import S3Error, no_bucket
from lambdad.neighbours.s3.model import Bucket, from_text
from lambdad.neighbours.s3.outbox_rows import Message


def all_buckets(db: sqlite3.Connection) -> list[Bucket]:
    """Return every bucket."""
    rows = db.execute("SELECT id, name, account_id, region, created_ms, settings FROM bucket")
    return [
        Bucket(
            id=row[0],
            name=row[1],
            account_id=row[2],
            region=row[3],
            created_ms=row[4],
            settings=from_text(row[5]),
        )
        for row in rows
    ]


def insert(db: sqlite3.Connection, bucket: Bucket, settings: str) -> int:
    """Store a new bucket; returns its id."""
    cursor = db.execute(
        "INSERT INTO bucket (name, account_id, region, created_ms, settings) "
        "VALUES (?, ?, ?, ?, ?)",
        (bucket.name, bucket.account_id, bucket.region, bucket.created_ms, settings),
    )
    return int(cursor.lastrowid or 0)


def configure(
    db: sqlite3.Connection, bucket: Bucket, settings: str, messages: Sequence[Message], now_ms: int
) -> None:
    """Store what is configured."""
    changed = db.execute("UPDATE bucket SET settings = ? WHERE id = ?", (settings, bucket.id))
    if not changed.rowcount:
        raise no_bucket(bucket.name)
    outbox_rows.add(db, messages, now_ms)


def remove(db: sqlite3.Connection, bucket: Bucket) -> None:
    """Forget a bucket that is empty; uploads that were begun go with it."""
    if db.execute("SELECT 1 FROM version WHERE bucket_id = ?", (bucket.id,)).fetchone():
        versioned = bucket.versioning is not None
        text = "The bucket you tried to delete is not empty"
        more = ". You must delete all versions in the bucket." if versioned else ""
        raise S3Error("BucketNotEmpty", text + more, BucketName=bucket.name)
    db.execute("DELETE FROM bucket WHERE id = ?", (bucket.id,))
    rows = db.execute("DELETE FROM upload WHERE bucket_id = ? RETURNING id", (bucket.id,))
    for (upload_row,) in rows.fetchall():
        parts = db.execute("DELETE FROM part WHERE upload_row = ? RETURNING body_id", (upload_row,))
        body_rows.release(db, [body_id for (body_id,) in parts.fetchall()])
