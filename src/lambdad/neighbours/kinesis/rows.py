"""Streams, shards, consumers and records in SQLite: jobs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lambdad.neighbours.kinesis.model import Arriving, Consumer, Record, Shard, Stream, position_at

_CHUNK = 2_000
_BATCH_BYTES = 10 * 1024 * 1024


def all_streams(db: sqlite3.Connection) -> list[Stream]:
    """Return every stream with its shards and consumers."""
    rows = db.execute("SELECT id, account_id, region, name, created_ms, settings FROM stream")
    streams = [
        Stream(
            id=row[0],
            account_id=row[1],
            region=row[2],
            name=row[3],
            created_ms=row[4],
            settings=json.loads(row[5]),
        )
        for row in rows
    ]
    for stream in streams:
        stream.set_shards(_shards(db, stream.id))
        found = db.execute(
            "SELECT id, name, created_ms, settings FROM consumer WHERE stream_id = ?", (stream.id,)
        )
        for row_id, name, created_ms, settings in found:
            stream.consumers[name] = Consumer(
                id=row_id, name=name, created_ms=created_ms, settings=json.loads(settings)
            )
    return streams


def _shards(db: sqlite3.Connection, stream_id: int) -> list[Shard]:
    rows = db.execute(
        "SELECT id, number, first_hash, last_hash, parent, adjacent_parent, first_position, "
        "last_position FROM shard WHERE stream_id = ?",
        (stream_id,),
    ).fetchall()
    return [
        Shard(
            id=row[0],
            number=row[1],
            first_hash=int(row[2]),
            last_hash=int(row[3]),
            parent=row[4],
            adjacent_parent=row[5],
            first_position=row[6],
            last_position=row[7],
            newest=max(row[6], _newest(db, row[0])),
        )
        for row in rows
    ]


def _newest(db: sqlite3.Connection, shard_id: int) -> int:
    """Return the position of a shard's last record, or its first position."""
    found = db.execute(
        "SELECT coalesce((SELECT max(position) FROM record WHERE shard_id = ?1), "
        "(SELECT first_position FROM shard WHERE id = ?1))",
        (shard_id,),
    ).fetchone()[0]
    return int(found or 0)


def insert_stream(db: sqlite3.Connection, stream: Stream, shards: Sequence[Shard]) -> int:
    """Store a new stream and its shards, whose ids are set; returns the stream's."""
    cursor = db.execute(
        "INSERT INTO stream (account_id, region, name, created_ms, settings) "
        "VALUES (?, ?, ?, ?, ?)",
        (*stream.key, stream.created_ms, json.dumps(stream.settings)),
    )
    stream_id = int(cursor.lastrowid or 0)
    _insert_shards(db, stream_id, shards)
    return stream_id


def _insert_shards(db: sqlite3.Connection, stream_id: int, shards: Iterable[Shard]) -> None:
    for shard in shards:
        cursor = db.execute(
            "INSERT INTO shard (stream_id, number, first_hash, last_hash, parent, "
            "adjacent_parent, first_position) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                stream_id,
                shard.number,
                str(shard.first_hash),
                str(shard.last_hash),
                shard.parent,
                shard.adjacent_parent,
                shard.first_position,
            ),
        )
        shard.id = int(cursor.lastrowid or 0)


def update_stream(db: sqlite3.Connection, stream_id: int, settings: str) -> None:
    """Store a stream's settings."""
    db.execute("UPDATE stream SET settings = ? WHERE id = ?", (settings, stream_id))


def remove_stream(db: sqlite3.Connection, stream_id: int) -> None:
    """Forget a stream and its consumers; its records are :func:`clear`-ed afterwards."""
    db.execute("DELETE FROM stream WHERE id = ?", (stream_id,))
    db.execute("DELETE FROM consumer WHERE stream_id = ?", (stream_id,))


def clear(db: sqlite3.Connection) -> bool:
    """Remove some records of streams that are gone, then their shards; whether more are left."""
    orphans = db.execute(
        "SELECT id FROM shard WHERE stream_id NOT IN (SELECT id FROM stream)"
    ).fetchall()
    left = _CHUNK
    for (shard_id,) in orphans:
        left -= _remove_until(db, shard_id, 2**62, left)
        if left <= 0:
            return True
        db.execute("DELETE FROM shard WHERE id = ?", (shard_id,))
    return False


def expire(db: sqlite3.Connection, shard_id: int, position: int) -> bool:
    """Remove some records before a position; whether there may be more."""
    return _remove_until(db, shard_id, position, _CHUNK) == _CHUNK


def _remove_until(db: sqlite3.Connection, shard_id: int, position: int, count: int) -> int:
    rows = db.execute(
        "SELECT id FROM record WHERE shard_id = ? AND position < ? LIMIT ?",
        (shard_id, position, count),
    ).fetchall()
    db.executemany("DELETE FROM record WHERE id = ?", rows)
    return len(rows)


def remove_shard(db: sqlite3.Connection, shard_id: int) -> None:
    """Forget a shard that has no records any more."""
    db.execute("DELETE FROM shard WHERE id = ?", (shard_id,))


def append(db: sqlite3.Connection, records: Sequence[Arriving], now_ms: int) -> list[int]:
    """Store records; returns the position of each."""
    newest: dict[int, int] = {}
    positions = []
    for each in records:
        last = newest.get(each.shard_id)
        if last is None:
            last = _newest(db, each.shard_id)
        position = max(last + 1, position_at(now_ms))
        newest[each.shard_id] = position
        positions.append(position)
    db.executemany(
        "INSERT INTO record (shard_id, position, partition_key, data) VALUES (?, ?, ?, ?)",
        [
            (each.shard_id, position, each.partition_key, each.data)
            for each, position in zip(records, positions, strict=True)
        ],
    )
    return positions


def read(
    db: sqlite3.Connection, shard_id: int, after: int, count: int
) -> tuple[list[Record], int | None]:
    """Return the records behind a position, not more than 10 MiB, and the position after them.

    The latter is that of the first record that is left, or None.
    """
    rows = db.execute(
        "SELECT position, partition_key, data FROM record "
        "WHERE shard_id = ? AND position > ? ORDER BY position LIMIT ?",
        (shard_id, after, count + 1),
    )
    found: list[Record] = []
    size = 0
    for position, partition_key, data in rows:
        size += len(data)
        if len(found) == count or (found and size > _BATCH_BYTES):
            return found, int(position)
        found.append(Record(position, partition_key, data))
    return found, None


def reshard(
    db: sqlite3.Connection,
    stream_id: int,
    closing: Sequence[Shard],
    opening: Sequence[Shard],
    now_ms: int,
) -> list[Shard]:
    """Close shards and open those that take their place; returns all of the stream.

    The ids and first positions of `opening` are set: they begin behind what their parents hold.
    """
    end = position_at(now_ms)
    for shard in closing:
        last = _newest(db, shard.id)
        end = max(end, last)
        db.execute("UPDATE shard SET last_position = ? WHERE id = ?", (last, shard.id))
    placed = [replace(each, first_position=end + 1) for each in opening]
    _insert_shards(db, stream_id, placed)
    return _shards(db, stream_id)


def insert_consumer(db: sqlite3.Connection, stream_id: int, consumer: Consumer) -> int:
    """Store a consumer; returns its id."""
    cursor = db.execute(
        "INSERT INTO consumer (stream_id, name, created_ms, settings) VALUES (?, ?, ?, ?)",
        (stream_id, consumer.name, consumer.created_ms, json.dumps(consumer.settings)),
    )
    return int(cursor.lastrowid or 0)


def update_consumer(db: sqlite3.Connection, consumer_id: int, settings: str) -> None:
    """Store a consumer's settings."""
    db.execute("UPDATE consumer SET settings = ? WHERE id = ?", (settings, consumer_id))


def remove_consumer(db: sqlite3.Connection, consumer_id: int) -> None:
    """Forget a consumer."""
    db.execute("DELETE FROM consumer WHERE id = ?", (consumer_id,))
