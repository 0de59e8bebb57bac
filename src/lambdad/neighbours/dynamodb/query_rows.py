"""Many items from SQLite in the order of their keys, a page at a time. Jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.neighbours.dynamodb import keys
from lambdad.neighbours.dynamodb.errors import no_table
from lambdad.neighbours.dynamodb.expressions.key_conditions import KeyRange
from lambdad.neighbours.dynamodb.keys import StoredKey
from lambdad.neighbours.dynamodb.model import Index, Table
from lambdad.neighbours.dynamodb.values import Item, item_size, load

_PAGE_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is sought and how much of it.

    Attributes:
        sought: the keys of a query; None for a scan, which has `hashes`, first and last.
        start: key attributes of the item after which to go on, or None.
        keep: whether an item is part of the answer; all are counted.
        whole: give items of a local index with all their attributes.
    """

    table: Table
    index: Index | None
    sought: KeyRange | None
    hashes: tuple[int, int] = (0, 2**keys.HASH_BITS - 1)
    forward: bool = True
    start: Item | None = None
    limit: int | None = None
    keep: Callable[[Mapping[str, Any]], bool] = lambda _: True
    whole: bool = False


@dataclass(slots=True)
class Page:
    """What was found. Mutable while it is gathered.

    Attributes:
        last: key attributes after which more may be, or None.
        size: bytes of all that were looked at.
    """

    items: list[Item] = field(default_factory=list)
    scanned: int = 0
    size: int = 0
    last: Item | None = None


def search(db: sqlite3.Connection, wanted: Search) -> Page:
    """Return a page of items."""
    if wanted.table.deleted:
        raise no_table()
    page = Page()
    for body, stored_size in _rows(db, wanted):
        item = load(body)
        shown, size = item, stored_size
        if wanted.index is not None and not wanted.whole and wanted.index.included is not None:
            shown = wanted.index.projected(item, wanted.table.schema)
            size = item_size(shown)
        page.scanned += 1
        page.size += size
        if wanted.keep(shown):
            page.items.append(shown)
        if page.scanned == wanted.limit or page.size >= _PAGE_MAX:
            names = wanted.table.schema.names
            names += () if wanted.index is None else wanted.index.schema.names
            page.last = {name: item[name] for name in names}
            break
    return page


def _rows(db: sqlite3.Connection, wanted: Search) -> Iterator[tuple[str, int]]:
    clauses, values = _source(wanted)
    columns = ["key_sort"]
    if wanted.sought is not None:
        _add_range(wanted, wanted.sought, clauses, values)
    else:
        columns = ["hash", "key_partition", "key_sort"]
        _add_segment(wanted, clauses, values)
    if wanted.index is not None:
        columns += ["item_partition", "item_sort"]
    if wanted.start is not None:
        at = _position(wanted, wanted.start)
        marks = ", ".join("?" * len(columns))
        names = ", ".join(f"s.{column}" for column in columns)
        clauses.append(f"({names}) {'>' if wanted.forward else '<'} ({marks})")
        values.extend(at[column] for column in columns)
    order = ", ".join(f"s.{column} {'ASC' if wanted.forward else 'DESC'}" for column in columns)
    source = "item s" if wanted.index is None else "entry s JOIN item i ON i.id = s.item_id"
    items = "s" if wanted.index is None else "i"
    statement = (
        f"SELECT {items}.body, {items}.size FROM {source} "  # noqa: S608 - names of ours
        f"WHERE {' AND '.join(clauses)} ORDER BY {order}"
    )
    yield from db.execute(statement, values)


def _source(wanted: Search) -> tuple[list[str], list[Any]]:
    if wanted.index is None:
        return ["s.definition_id = ?"], [wanted.table.id]
    return ["s.secondary_id = ?"], [wanted.index.id]


def _add_segment(wanted: Search, clauses: list[str], values: list[Any]) -> None:
    first, last = wanted.hashes
    clauses.append("s.hash <= ?")
    values.append(last)
    if wanted.start is None:
        clauses.append("s.hash >= ?")
        values.append(first)


def _add_range(wanted: Search, sought: KeyRange, clauses: list[str], values: list[Any]) -> None:
    """Add the bounds of a range.

    Where the search goes on behind a start, that is the bound: another one beside it would let
    SQLite begin at the wrong one and read everything between.
    """
    clauses += ["s.hash = ?", "s.key_partition = ?"]
    values += [keys.hash_of(sought.partition), sought.partition]
    starts = wanted.start is not None
    if sought.low is not None and not (starts and wanted.forward):
        clauses.append(f"s.key_sort {'>=' if sought.low_included else '>'} ?")
        values.append(sought.low)
    if sought.high is not None and (wanted.forward or not starts):
        clauses.append(f"s.key_sort {'<=' if sought.high_included else '<'} ?")
        values.append(sought.high)


def _position(wanted: Search, start: Item) -> dict[str, Any]:
    own = keys.stored(wanted.table.schema, start)
    at: StoredKey = own if wanted.index is None else keys.stored(wanted.index.schema, start)
    return {
        "hash": at.hash,
        "key_partition": at.partition,
        "key_sort": at.sort,
        "item_partition": own.partition,
        "item_sort": own.sort,
    }
