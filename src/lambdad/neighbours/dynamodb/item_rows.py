"""Items in SQLite: one is read, or replaced together with all that follows from it. Jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from lambdad.neighbours.dynamodb import keys, record_rows
from lambdad.neighbours.dynamodb.errors import (
    ConditionalCheckFailedException,
    ValidationException,
    no_table,
)
from lambdad.neighbours.dynamodb.expressions.conditions import Condition
from lambdad.neighbours.dynamodb.keys import StoredKey
from lambdad.neighbours.dynamodb.model import Index, Table
from lambdad.neighbours.dynamodb.values import ITEM_MAX, Item, Value, dump, item_size, load

Change = Callable[[Item | None], Item | None]

# Items that should have ended longer ago are not touched: their attribute means something else.
_TTL_PAST_S = 5 * 365 * 86_400
_FAILED = "The conditional request failed"


class ConditionFailed(ConditionalCheckFailedException):
    """A condition did not hold for `old`."""

    def __init__(self, old: Item | None) -> None:
        super().__init__(_FAILED)
        self.old = old


ConditionFailed.code = ConditionalCheckFailedException.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What is to be done with one item.

    Attributes:
        key: the key attributes.
        change: makes the new item of the old one; None stands for no item.
        condition: has to hold for the old one.
        too_large: the refusal of an item that grows beyond the limit.
    """

    table: Table
    key: Item
    change: Change
    condition: Condition | None = None
    too_large: str = "Item size has exceeded the maximum allowed size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was done with one item.

    Attributes:
        size: of the greater one of both, in bytes.
        index_units: write units that indexes took, by their names.
        due_s: when the item will end by itself, or None.
        streamed: whether its stream has a record of it.
    """

    old: Item | None
    new: Item | None
    size: int
    index_units: Mapping[str, int]
    due_s: int | None
    streamed: bool


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    size: int
    item: Item


def get(db: sqlite3.Connection, table: Table, key: Item) -> Item | None:
    """Return an item, or None."""
    if table.deleted:
        raise no_table()
    row = _find(db, table, keys.stored(table.schema, key))
    return None if row is None else row.item


def _find(db: sqlite3.Connection, table: Table, key: StoredKey) -> _Row | None:
    row = db.execute(
        "SELECT id, size, body FROM item "
        "WHERE definition_id = ? AND hash = ? AND key_partition = ? AND key_sort = ?",
        (table.id, key.hash, key.partition, key.sort),
    ).fetchone()
    return None if row is None else _Row(row[0], row[1], load(row[2]))


def apply(db: sqlite3.Connection, write: Write, now_ms: int, *, expired: bool = False) -> Outcome:
    """Change an item with its index entries, counts and stream record; `expired` says by itself.

    Raises:
        ConditionFailed: nothing was changed.
        ValidationException: the new item is not acceptable.
        ResourceNotFoundException: the table is gone.
    """
    table = write.table
    if table.deleted:
        raise no_table()
    key = keys.stored(table.schema, write.key)
    row = _find(db, table, key)
    old = None if row is None else row.item
    if write.condition is not None and not write.condition.holds(old or {}):
        raise ConditionFailed(old)
    new = write.change(old)
    new_size = 0 if new is None else _checked_size(table, new, write.too_large)
    old_size = 0 if row is None else row.size
    if new is None and row is None:
        return Outcome(old=None, new=None, size=0, index_units={}, due_s=None, streamed=False)
    item_id = _store(db, table, key, row=row, new=new, size=new_size)
    units = {
        index.name: spent
        for index in table.indexes
        if (spent := _follow(db, table, index, at=(key, item_id), old=old, new=new))
    }
    _count(db, table, (new is not None) - (old is not None), new_size - old_size)
    due_s = _schedule(db, table, item_id, new, now_ms)
    streamed = table.stream is not None and old != new
    if streamed and table.stream is not None:
        images = record_rows.Images(key=write.key, old=old, new=new, expired=expired)
        record_rows.append(db, table.stream, images, now_ms)
    size = max(old_size, new_size)
    return Outcome(old=old, new=new, size=size, index_units=units, due_s=due_s, streamed=streamed)


def _checked_size(table: Table, item: Item, too_large: str) -> int:
    for index in table.indexes:
        keys.check_index_key(index.name, index.schema, item)
    size = item_size(item)
    if size > ITEM_MAX:
        raise ValidationException(too_large)
    return size


def _store(
    db: sqlite3.Connection,
    table: Table,
    key: StoredKey,
    *,
    row: _Row | None,
    new: Item | None,
    size: int,
) -> int:
    if row is None:
        assert new is not None  # noqa: S101 - the caller looked
        cursor = db.execute(
            "INSERT INTO item (definition_id, hash, key_partition, key_sort, size, body) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (table.id, key.hash, key.partition, key.sort, size, dump(new)),
        )
        return int(cursor.lastrowid or 0)
    if new is None:
        db.execute("DELETE FROM item WHERE id = ?", (row.id,))
    elif new != row.item:
        db.execute("UPDATE item SET size = ?, body = ? WHERE id = ?", (size, dump(new), row.id))
    return row.id


def _follow(
    db: sqlite3.Connection,
    table: Table,
    index: Index,
    *,
    at: tuple[StoredKey, int],
    old: Item | None,
    new: Item | None,
) -> int:
    """Let an index follow a change; returns the write units that it took."""
    key, _ = at
    before = None if old is None else keys.indexed(index.schema, old)
    after = None if new is None else keys.indexed(index.schema, new)
    if before is None and after is None:
        return 0
    gone = 0
    if before is not None and before != after:
        gone = remove_entry(db, index, before, key)
    if new is None or after is None:
        return _units(gone)
    part = index.projected(new, table.schema)
    if before == after and old is not None and index.projected(old, table.schema) == part:
        return 0
    size = item_size(part)
    put_entry(db, index, after, at, size)
    return _units(size) + (_units(gone) if gone else 0)


def _units(size: int) -> int:
    return max(1, -(-size // 1024))


def put_entry(
    db: sqlite3.Connection, index: Index, at: StoredKey, of: tuple[StoredKey, int], size: int
) -> None:
    """Let an index have an entry of an item, by key and id, whether or not it has one."""
    key, item_id = of
    place = (index.id, at.hash, at.partition, at.sort, key.partition, key.sort)
    before = db.execute(f"SELECT size FROM entry WHERE {_ENTRY}", place).fetchone()  # noqa: S608
    db.execute(
        "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*place, item_id, size)
    )
    db.execute(
        "UPDATE secondary SET items = items + ?, bytes = bytes + ? WHERE id = ?",
        (before is None, size - (before[0] if before else 0), index.id),
    )


def remove_entry(db: sqlite3.Connection, index: Index, at: StoredKey, key: StoredKey) -> int:
    """Take an entry out of an index; returns its size, 0 if there was none."""
    place = (index.id, at.hash, at.partition, at.sort, key.partition, key.sort)
    row = db.execute(f"DELETE FROM entry WHERE {_ENTRY} RETURNING size", place).fetchone()  # noqa: S608
    if row is None:
        return 0
    db.execute(
        "UPDATE secondary SET items = items - 1, bytes = bytes - ? WHERE id = ?", (row[0], index.id)
    )
    return int(row[0])


_ENTRY = (
    "secondary_id = ? AND hash = ? AND key_partition = ? AND key_sort = ? "
    "AND item_partition = ? AND item_sort = ?"
)


def _count(db: sqlite3.Connection, table: Table, items: int, size: int) -> None:
    if items or size:
        db.execute(
            "UPDATE definition SET items = items + ?, bytes = bytes + ? WHERE id = ?",
            (items, size, table.id),
        )


def _schedule(
    db: sqlite3.Connection, table: Table, item_id: int, new: Item | None, now_ms: int
) -> int | None:
    if table.ttl_attribute is None:
        if new is None:
            db.execute("DELETE FROM expiry WHERE item_id = ?", (item_id,))
        return None
    due_s = due(new or {}, table.ttl_attribute, now_ms)
    if due_s is None:
        db.execute("DELETE FROM expiry WHERE item_id = ?", (item_id,))
    else:
        db.execute("INSERT OR REPLACE INTO expiry VALUES (?, ?, ?)", (item_id, table.id, due_s))
    return due_s


def due(item: Mapping[str, Value], attribute: str, now_ms: int) -> int | None:
    """Return when an item ends by itself in epoch seconds, or None if it does not."""
    value = item.get(attribute)
    if value is None or "N" not in value:
        return None
    number = Decimal(value["N"])
    earliest = now_ms // 1_000 - _TTL_PAST_S
    return int(number) if earliest <= number < 2**53 else None
