"""Objects, versions and delete markers in SQLite: jobs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambdad.neighbours.s3 import body_rows, outbox_rows
from lambdad.neighbours.s3.errors import no_bucket, no_key, no_upload, no_version
from lambdad.neighbours.s3.model import (
    NULL,
    Part,
    Segment,
    Stored,
    Version,
    from_text,
    to_text,
)
from lambdad.neighbours.s3.outbox_rows import Message

COLUMNS = (
    "id, bucket_id, key, version_id, latest, marker, modified_ms, size, etag, body_id, details"
)
Notify = Callable[[Version], Sequence[Message]]
Check = Callable[[Version | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A new version of an object.

    Attributes:
        stored: its bytes; None for a delete marker and for what is made of parts.
        parts: what it is made of: of the upload in `upload_row`, which ends with that, or of the
            object that it is a copy of.
        check: told of the object that is there; raises to leave everything as it is.
        notify: makes the notifications, which are stored with it.
    """

    bucket_id: int
    key: str
    version_id: str
    modified_ms: int
    size: int
    etag: str
    details: Mapping[str, Any]
    marker: bool = False
    stored: Stored | None = None
    parts: Sequence[Part] = ()
    upload_row: int | None = None
    check: Check | None = None
    notify: Notify | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """An object or one version of it that is to go for good; see `Change`."""

    bucket_id: int
    key: str
    version_id: str
    check: Check | None = None
    notify: Notify | None = None


def version_of(row: Sequence[Any]) -> Version:
    """Return a row of :data:`COLUMNS`."""
    return Version(
        row=row[0],
        bucket_id=row[1],
        key=row[2],
        version_id=row[3],
        latest=bool(row[4]),
        marker=bool(row[5]),
        modified_ms=row[6],
        size=row[7],
        etag=row[8],
        body_id=row[9],
        details=from_text(row[10]),
    )


def find(
    db: sqlite3.Connection, bucket_id: int, key: str, version_id: str | None = None
) -> Version | None:
    """Return the latest version, which may be a marker, or the one that is named."""
    clause = "latest = 1" if version_id is None else "version_id = ?"
    named = () if version_id is None else (version_id,)
    row = db.execute(
        f"SELECT {COLUMNS} FROM version WHERE bucket_id = ? AND key = ? AND {clause}",  # noqa: S608
        (bucket_id, key, *named),
    ).fetchone()
    return None if row is None else version_of(row)


def find_with_bytes(
    db: sqlite3.Connection, bucket_id: int, key: str, version_id: str | None = None
) -> tuple[Version, list[Segment]] | None:
    """Return an object and where its bytes are."""
    version = find(db, bucket_id, key, version_id)
    return None if version is None else (version, segments(db, version))


def segments(db: sqlite3.Connection, version: Version) -> list[Segment]:
    """Return where an object's bytes are, in their order."""
    if version.body_id is not None:
        data, digest = db.execute(
            "SELECT data, digest FROM body WHERE id = ?", (version.body_id,)
        ).fetchone()
        return [
            Segment(
                number=0,
                start=0,
                size=version.size,
                body_id=version.body_id,
                data=data,
                digest=digest,
            )
        ]
    rows = db.execute(
        "SELECT number, start, segment.size, body_id, data, digest, checksums FROM segment "
        "JOIN body ON body.id = body_id WHERE version_row = ? ORDER BY number",
        (version.row,),
    )
    return [
        Segment(
            number=row[0],
            start=row[1],
            size=row[2],
            body_id=row[3],
            data=row[4],
            digest=row[5],
            checksums=json.loads(row[6]),
        )
        for row in rows
    ]


def put(db: sqlite3.Connection, change: Change) -> Version:
    """Store a version as the latest one."""
    _demand_bucket(db, change.bucket_id)
    if change.check is not None:
        change.check(_visible(find(db, change.bucket_id, change.key)))
    if change.upload_row is not None:
        _end_upload(db, change)
    else:  # a copy shares them with its source
        for part in change.parts:
            body_rows.keep(db, Stored(size=part.size, body_id=part.body_id))
    body_id = None if change.stored is None else body_rows.keep(db, change.stored)
    if change.version_id == NULL:
        _drop(db, find(db, change.bucket_id, change.key, NULL))
    db.execute(
        "UPDATE version SET latest = 0 WHERE bucket_id = ? AND key = ? AND latest = 1",
        (change.bucket_id, change.key),
    )
    columns = COLUMNS.removeprefix("id, ")
    row = db.execute(
        f"INSERT INTO version ({columns}) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?) "  # noqa: S608
        f"RETURNING {COLUMNS}",
        (
            change.bucket_id,
            change.key,
            change.version_id,
            change.marker,
            change.modified_ms,
            change.size,
            change.etag,
            body_id,
            to_text(change.details),
        ),
    ).fetchone()
    version = version_of(row)
    _store_segments(db, version, change.parts)
    if change.notify is not None:
        outbox_rows.add(db, change.notify(version), change.modified_ms)
    return version


def _demand_bucket(db: sqlite3.Connection, bucket_id: int) -> None:
    if db.execute("SELECT 1 FROM bucket WHERE id = ?", (bucket_id,)).fetchone() is None:
        raise no_bucket("")


def _visible(version: Version | None) -> Version | None:
    return None if version is None or version.marker else version


def _store_segments(db: sqlite3.Connection, version: Version, parts: Sequence[Part]) -> None:
    start, rows = 0, []
    for number, part in enumerate(parts, 1):
        checksums = json.dumps(dict(part.checksums))
        rows.append((version.row, number, start, part.size, part.body_id, checksums))
        start += part.size
    db.executemany("INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?)", rows)


def _end_upload(db: sqlite3.Connection, change: Change) -> None:
    """Let the upload go; the bodies of the parts that are used now belong to the object."""
    row = db.execute(
        "DELETE FROM upload WHERE id = ? RETURNING upload_id", (change.upload_row,)
    ).fetchone()
    if row is None:
        raise no_upload("")
    used = [part.body_id for part in change.parts]
    for (body_id,) in db.execute(
        "DELETE FROM part WHERE upload_row = ? RETURNING body_id", (change.upload_row,)
    ).fetchall():
        if body_id in used:
            used.remove(body_id)
        else:
            body_rows.release(db, [body_id])
    if used:
        raise no_upload("")


def remove(db: sqlite3.Connection, removal: Removal, now_ms: int) -> Version | None:
    """Remove a version for good; returns it, or None if there was none."""
    _demand_bucket(db, removal.bucket_id)
    if removal.check is not None:
        removal.check(_visible(find(db, removal.bucket_id, removal.key)))
    version = find(db, removal.bucket_id, removal.key, removal.version_id)
    _drop(db, version)
    if version is not None and removal.notify is not None:
        outbox_rows.add(db, removal.notify(_next(db, version)), now_ms)
    return version


def _next(db: sqlite3.Connection, version: Version) -> Version:
    """Return a version with a place of its own in the order of what happened to the object."""
    (row,) = db.execute(
        "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'version' RETURNING seq"
    ).fetchone()
    return replace(version, row=row)


def _drop(db: sqlite3.Connection, version: Version | None) -> None:
    if version is None:
        return
    db.execute("DELETE FROM version WHERE id = ?", (version.row,))
    bodies = [] if version.body_id is None else [version.body_id]
    if version.body_id is None and not version.marker:
        rows = db.execute(
            "DELETE FROM segment WHERE version_row = ? RETURNING body_id", (version.row,)
        )
        bodies = [row[0] for row in rows.fetchall()]
    body_rows.release(db, bodies)
    if version.latest:
        db.execute(
            "UPDATE version SET latest = 1 WHERE id = (SELECT max(id) FROM version WHERE "
            "bucket_id = ? AND key = ?)",
            (version.bucket_id, version.key),
        )


def change_details(
    db: sqlite3.Connection,
    bucket_id: int,
    key: str,
    version_id: str | None,
    *,
    change: Callable[[Version], Mapping[str, Any]],
    notify: Notify | None,
    now_ms: int,
) -> Version:
    """Replace the details of a version, tags for example."""
    version = find(db, bucket_id, key, version_id)
    if version is None or version.marker:
        raise no_key(key) if version_id is None else no_version(key, version_id)
    db.execute(
        "UPDATE version SET details = ? WHERE id = ?", (to_text(change(version)), version.row)
    )
    if notify is not None:
        outbox_rows.add(db, notify(_next(db, version)), now_ms)
    return version
