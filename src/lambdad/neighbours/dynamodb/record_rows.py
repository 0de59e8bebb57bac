"""Streams and their records in SQLite: jobs."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from lambdad.neighbours.dynamodb.model import Stream
from lambdad.neighbours.dynamodb.values import Item, dump, item_size, load

_CHUNK = 1_000
_COLUMNS = (
    "id, account_id, region, table_name, label, view_type, key_schema, created_ms, "
    "first_sequence, closed_ms, last_sequence"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A record of a stream, as it is stored.

    Attributes:
        images: Keys, and NewImage and OldImage as far as the stream has them.
        expired: nobody did it: the item's time was over.
    """

    sequence: int
    created_ms: int
    size: int
    event: str
    images: dict[str, Item]
    expired: bool


def all_streams(db: sqlite3.Connection) -> list[Stream]:
    """Return every stream, oldest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM stream ORDER BY id").fetchall()  # noqa: S608
    return [_stream(row) for row in rows]


def _stream(row: tuple[object, ...]) -> Stream:
    names = _COLUMNS.split(", ")
    values = dict(zip(names, row, strict=True))
    values["key_schema"] = json.loads(str(values["key_schema"]))
    return Stream(**values)  # type: ignore[arg-type]


def insert(db: sqlite3.Connection, stream: Stream) -> Stream:
    """Store a new stream; returns it with its id and first sequence."""
    first = last_sequence(db) + 1
    cursor = db.execute(
        "INSERT INTO stream (account_id, region, table_name, label, view_type, key_schema, "
        "created_ms, first_sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            stream.account_id,
            stream.region,
            stream.table_name,
            stream.label,
            stream.view_type,
            json.dumps(list(stream.key_schema)),
            stream.created_ms,
            first,
        ),
    )
    stream_id = cursor.fetchone()[0]
    row = db.execute(f"SELECT {_COLUMNS} FROM stream WHERE id = ?", (stream_id,)).fetchone()  # noqa: S608
    return _stream(row)


def close(db: sqlite3.Connection, stream: Stream, now_ms: int) -> Stream:
    """Let a stream have no further records."""
    last = max(last_sequence(db), stream.first_sequence)
    db.execute(
        "UPDATE stream SET closed_ms = ?, last_sequence = ? WHERE id = ?", (now_ms, last, stream.id)
    )
    row = db.execute(f"SELECT {_COLUMNS} FROM stream WHERE id = ?", (stream.id,)).fetchone()  # noqa: S608
    return _stream(row)


def last_sequence(db: sqlite3.Connection) -> int:
    """Return the newest sequence that any record has, or had."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'record'").fetchone()
    return 0 if row is None else int(row[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """A change of an item; `expired` says that nobody did it: its time was over."""

    key: Item
    old: Item | None
    new: Item | None
    expired: bool


def append(db: sqlite3.Connection, stream: Stream, change: Images, now_ms: int) -> None:
    """Store the record of a change."""
    old, new = change.old, change.new
    images = {"Keys": change.key}
    if new is not None and stream.view_type in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        images["NewImage"] = new
    if old is not None and stream.view_type in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
        images["OldImage"] = old
    event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    body = json.dumps([event, change.expired]) + "\n" + dump(images)
    size = sum(item_size(image) for image in images.values())
    db.execute(
        "INSERT INTO record (stream_id, created_ms, size, body) VALUES (?, ?, ?, ?)",
        (stream.id, now_ms, size, body),
    )


def after(
    db: sqlite3.Connection, stream: Stream, sequence: int, limit: int, bytes_max: int
) -> list[Change]:
    """Return some records of a stream whose sequence is greater, oldest first."""
    rows = db.execute(
        "SELECT sequence, created_ms, size, body FROM record "
        "WHERE stream_id = ? AND sequence > ? ORDER BY sequence LIMIT ?",
        (stream.id, sequence, limit),
    )
    found: list[Change] = []
    total = 0
    for row in rows:
        total += row[2]
        if found and total > bytes_max:
            break
        head, _, images = row[3].partition("\n")
        event, expired = json.loads(head)
        change = Change(
            sequence=row[0],
            created_ms=row[1],
            size=row[2],
            event=event,
            images=load(images),
            expired=expired,
        )
        found.append(change)
    return found


def trimmed(db: sqlite3.Connection, stream: Stream) -> int:
    """Return the newest sequence of a stream that is not kept any more, 0 if all are."""
    row = db.execute("SELECT trimmed_sequence FROM stream WHERE id = ?", (stream.id,)).fetchone()
    return 0 if row is None else int(row[0])


def trim(db: sqlite3.Connection, before_ms: int) -> bool:
    """Remove some records that are older; whether there may be more."""
    rows = db.execute(
        "SELECT sequence, stream_id FROM record WHERE created_ms < ? ORDER BY created_ms LIMIT ?",
        (before_ms, _CHUNK),
    ).fetchall()
    db.executemany("DELETE FROM record WHERE sequence = ?", [row[:1] for row in rows])
    newest: dict[int, int] = {}
    for sequence, stream_id in rows:
        newest[stream_id] = max(sequence, newest.get(stream_id, 0))
    db.executemany(
        "UPDATE stream SET trimmed_sequence = ?1 WHERE id = ?2 AND trimmed_sequence < ?1",
        [(sequence, stream_id) for stream_id, sequence in newest.items()],
    )
    return len(rows) == _CHUNK


def forget(db: sqlite3.Connection, before_ms: int) -> list[int]:
    """Remove streams that were switched off before; returns their ids."""
    rows = db.execute(
        "DELETE FROM stream WHERE closed_ms < ? RETURNING id", (before_ms,)
    ).fetchall()
    return [row[0] for row in rows]
