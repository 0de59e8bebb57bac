"""Tables and indexes in SQLite, and the clearing away of what they held: jobs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from lambdad.neighbours.dynamodb import item_rows, keys, record_rows
from lambdad.neighbours.dynamodb.keys import StoredKey
from lambdad.neighbours.dynamodb.model import Settings, Stream, Table, TableKey
from lambdad.neighbours.dynamodb.values import Item, item_size, load

_CHUNK = 500
_GROUPS = ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much a table and its indexes hold: items and bytes, indexes by their ids."""

    table: tuple[int, int]
    indexes: Mapping[int, tuple[int, int]]


def all_tables(db: sqlite3.Connection) -> list[tuple[int, TableKey, Settings]]:
    """Return id, key and settings of every table."""
    rows = db.execute(
        "SELECT id, account_id, region, name, document FROM definition WHERE deleting = 0"
    )
    return [(row[0], (row[1], row[2], row[3]), json.loads(row[4])) for row in rows]


def insert(
    db: sqlite3.Connection, key: TableKey, settings: Settings, stream: Stream | None
) -> tuple[int, Settings, Stream | None]:
    """Store a new table; returns its id, its settings with ids of indexes, and its stream."""
    cursor = db.execute(
        "INSERT INTO definition (account_id, region, name, document) VALUES (?, ?, ?, '{}')", key
    )
    table_id = int(cursor.lastrowid or 0)
    settings = _store(db, table_id, settings)
    return table_id, settings, None if stream is None else record_rows.insert(db, stream)


def update(
    db: sqlite3.Connection,
    table: Table,
    settings: Settings,
    *,
    opened: Stream | None = None,
    closed_ms: int | None = None,
) -> tuple[Settings, Stream | None, Stream | None]:
    """Store a table's settings; opens a stream, or closes its stream.

    Returns the settings, the table's stream from now on, and the stream that was closed.
    """
    settings = _store(db, table.id, settings)
    kept = {each["Id"] for group in _GROUPS for each in settings.get(group, ())}
    for index in table.indexes:
        if index.id not in kept:
            db.execute("UPDATE secondary SET deleting = 1 WHERE id = ?", (index.id,))
    stream: Stream | None = table.stream
    closed: Stream | None = None
    if stream is not None and closed_ms is not None:
        closed = record_rows.close(db, stream, closed_ms)
        stream = None
    if opened is not None:
        stream = record_rows.insert(db, opened)
    return settings, stream, closed


def _store(db: sqlite3.Connection, table_id: int, settings: Settings) -> Settings:
    """Write settings, with ids for the indexes that have none."""
    settings = dict(settings)
    for group in _GROUPS:
        if group in settings:
            settings[group] = [_with_id(db, table_id, each) for each in settings[group]]
    db.execute("UPDATE definition SET document = ? WHERE id = ?", (json.dumps(settings), table_id))
    return settings


def _with_id(db: sqlite3.Connection, table_id: int, definition: Settings) -> Settings:
    if "Id" in definition:
        return definition
    cursor = db.execute("INSERT INTO secondary (definition_id) VALUES (?)", (table_id,))
    return {**definition, "Id": int(cursor.lastrowid or 0)}


def remove(db: sqlite3.Connection, table: Table, now_ms: int) -> Stream | None:
    """Forget a table, and close its stream; what it held is cleared away afterwards."""
    db.execute("UPDATE definition SET deleting = 1 WHERE id = ?", (table.id,))
    db.execute("UPDATE secondary SET deleting = 1 WHERE definition_id = ?", (table.id,))
    return None if table.stream is None else record_rows.close(db, table.stream, now_ms)


def counts(db: sqlite3.Connection, table: Table) -> Counts:
    """Return how much a table holds."""
    row = db.execute("SELECT items, bytes FROM definition WHERE id = ?", (table.id,)).fetchone()
    found = {
        index.id: db.execute(
            "SELECT items, bytes FROM secondary WHERE id = ?", (index.id,)
        ).fetchone()
        for index in table.indexes
    }
    return Counts(table=row, indexes=found)


def clear(db: sqlite3.Connection) -> bool:
    """Clear away a piece of what deleted tables and indexes held; whether there may be more."""
    row = db.execute("SELECT id FROM secondary WHERE deleting = 1 LIMIT 1").fetchone()
    if row is not None:
        return _clear_index(db, row[0])
    row = db.execute("SELECT id FROM definition WHERE deleting = 1 LIMIT 1").fetchone()
    if row is None:
        return False
    ids = db.execute(
        "SELECT id FROM item INDEXED BY item_key WHERE definition_id = ? LIMIT ?", (row[0], _CHUNK)
    ).fetchall()
    db.executemany("DELETE FROM item WHERE id = ?", ids)
    db.executemany("DELETE FROM expiry WHERE item_id = ?", ids)
    if not ids:
        db.execute("DELETE FROM definition WHERE id = ?", row)
    return True


def _clear_index(db: sqlite3.Connection, index_id: int) -> bool:
    rows = db.execute(
        "SELECT secondary_id, hash, key_partition, key_sort, item_partition, item_sort "
        "FROM entry WHERE secondary_id = ? LIMIT ?",
        (index_id, _CHUNK),
    ).fetchall()
    db.executemany(
        "DELETE FROM entry WHERE secondary_id = ? AND hash = ? AND key_partition = ? "
        "AND key_sort = ? AND item_partition = ? AND item_sort = ?",
        rows,
    )
    if not rows:
        db.execute("DELETE FROM secondary WHERE id = ?", (index_id,))
    return True


def fill(
    db: sqlite3.Connection, table: Table, after: StoredKey | None, now_ms: int
) -> StoredKey | None:
    """Bring indexes that are being made, and expiry, up to date with some items after a key.

    Returns the last of them; None if no more are left. Items that indexes cannot have are left
    out of them.
    """
    at = after or StoredKey(-1, b"", b"")
    rows = db.execute(
        "SELECT id, hash, key_partition, key_sort, body FROM item WHERE definition_id = ? "
        "AND (hash, key_partition, key_sort) > (?, ?, ?) "
        "ORDER BY hash, key_partition, key_sort LIMIT ?",
        (table.id, at.hash, at.partition, at.sort, _CHUNK),
    ).fetchall()
    making = [index for index in table.indexes if index.status != "ACTIVE"]
    for item_id, *place, body in rows:
        item, at = load(body), StoredKey(*place)
        for index in making:
            entry = _fitting(index.schema, item)
            if entry is not None:
                size = item_size(index.projected(item, table.schema))
                item_rows.put_entry(db, index, entry, (at, item_id), size)
        if table.ttl_attribute is not None:
            due_s = item_rows.due(item, table.ttl_attribute, now_ms)
            db.execute("DELETE FROM expiry WHERE item_id = ?", (item_id,))
            if due_s is not None:
                db.execute("INSERT INTO expiry VALUES (?, ?, ?)", (item_id, table.id, due_s))
    return at if len(rows) == _CHUNK else None


def _fitting(schema: keys.KeySchema, item: Item) -> StoredKey | None:
    for attribute in schema.attributes:
        value = item.get(attribute.name, {})
        if not value.get(attribute.kind):
            return None
    return keys.stored(schema, item)


def next_due(db: sqlite3.Connection) -> int | None:
    """Return when the next item ends by itself, in epoch seconds, or None."""
    row = db.execute("SELECT min(due_s) FROM expiry").fetchone()
    return None if row[0] is None else int(row[0])


def due_items(db: sqlite3.Connection, now_s: int) -> list[tuple[int, int, str | None]]:
    """Return some items whose time is over: id, id of the table, and body."""
    rows = db.execute(
        "SELECT e.item_id, e.definition_id, i.body FROM expiry e LEFT JOIN item i "
        "ON i.id = e.item_id WHERE e.due_s <= ? ORDER BY e.due_s LIMIT ?",
        (now_s, _CHUNK),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def not_due(db: sqlite3.Connection, item_id: int) -> None:
    """Let an item not end by itself any more."""
    db.execute("DELETE FROM expiry WHERE item_id = ?", (item_id,))


def take_token(
    db: sqlite3.Connection, place: tuple[str, str, str], digest: str, now_ms: int, until_ms: int
) -> str | None:
    """Store a client token, unless it is there; returns the digest that it came with before."""
    db.execute("DELETE FROM token WHERE until_ms <= ?", (now_ms,))
    row = db.execute(
        "SELECT digest FROM token WHERE account_id = ? AND region = ? AND name = ?", place
    ).fetchone()
    if row is not None:
        return str(row[0])
    db.execute("INSERT INTO token VALUES (?, ?, ?, ?, ?)", (*place, digest, until_ms))
    return None
