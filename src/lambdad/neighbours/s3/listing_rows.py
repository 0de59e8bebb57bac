"""Keys in their order, with what has a common prefix told once: jobs.

The cost depends on what is told, not on what is stored: a common prefix is left in one step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

from lambdad.neighbours.s3.model import Version
from lambdad.neighbours.s3.object_rows import COLUMNS, version_of

_CHUNK = 1_000
_LAST = 0x10FFFF


@dataclass(slots=True, kw_only=True)
class Page:
    """A part of a listing. Mutable while it is made.

    Attributes:
        last: the last key or common prefix, and the version id of the former.
    """

    versions: list[Version] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be listed.

    Attributes:
        after: key or common prefix after which to begin.
        after_version: go on within `after`, behind this version.
        versions: all versions and markers, not only objects.
    """

    bucket_id: int
    prefix: str
    delimiter: str
    after: str
    limit: int
    after_version: str = ""
    versions: bool = False


def listed(db: sqlite3.Connection, wanted: Wanted) -> Page:
    """Return the next page."""
    page = Page()
    if wanted.limit == 0:
        return page
    for entry in _entries(db, wanted):
        if len(page.versions) + len(page.prefixes) == wanted.limit:
            page.truncated = True
            break
        if isinstance(entry, str):
            page.prefixes.append(entry)
            page.last = (entry, "")
        else:
            page.versions.append(entry)
            page.last = (entry.key, entry.version_id)
    return page


def _entries(db: sqlite3.Connection, wanted: Wanted) -> Iterator[Version | str]:
    """Yield versions and common prefixes in order."""
    rolled = _common(wanted.after, wanted)
    if rolled is not None and rolled == wanted.after:
        place, row_limit = following(rolled), None
    elif wanted.after_version:
        place, row_limit = wanted.after, _row_of(db, wanted)
    else:
        # No key lies between a key and the same with a zero behind it.
        place, row_limit = (wanted.after + "\0" if wanted.after else ""), None
    if place is not None and place < wanted.prefix:
        place = wanted.prefix
    end = following(wanted.prefix) if wanted.prefix else None
    while place is not None:
        rows = _rows(db, wanted, place, end)
        next_place = None
        for version in rows:
            if row_limit is not None and version.key == wanted.after and version.row >= row_limit:
                continue
            common = _common(version.key, wanted)
            if common is not None:
                yield common
                next_place = following(common)
                break
            yield version
        else:
            if len(rows) < _chunk(wanted):
                return
            last = rows[-1]
            next_place = last.key + "\0"
            if wanted.versions:
                skipped = row_limit if row_limit and last.key == wanted.after else last.row
                yield from _rest_of(db, wanted, last.key, min(last.row, skipped))
        place = next_place


def _common(key: str, wanted: Wanted) -> str | None:
    if not wanted.delimiter or not key.startswith(wanted.prefix):
        return None
    found = key.find(wanted.delimiter, len(wanted.prefix))
    return None if found < 0 else key[: found + len(wanted.delimiter)]


def _rows(db: sqlite3.Connection, wanted: Wanted, place: str, end: str | None) -> list[Version]:
    only = "" if wanted.versions else "AND latest = 1 AND marker = 0"
    bound = "" if end is None else "AND key < ?"
    order = "key, id DESC" if wanted.versions else "key"
    rows = db.execute(
        f"SELECT {COLUMNS} FROM version WHERE bucket_id = ? AND key >= ? {bound} {only} "  # noqa: S608
        f"ORDER BY {order} LIMIT ?",
        (wanted.bucket_id, place, *(() if end is None else (end,)), _chunk(wanted)),
    )
    return [version_of(row) for row in rows]


def _rest_of(db: sqlite3.Connection, wanted: Wanted, key: str, before: int) -> Iterator[Version]:
    """Yield the older versions of a key whose versions did not fit into one query."""
    rows = db.execute(
        f"SELECT {COLUMNS} FROM version WHERE bucket_id = ? AND key = ? AND id < ? "  # noqa: S608
        "ORDER BY id DESC",
        (wanted.bucket_id, key, before),
    )
    for row in rows:
        yield version_of(row)


def _row_of(db: sqlite3.Connection, wanted: Wanted) -> int | None:
    row = db.execute(
        "SELECT id FROM version WHERE bucket_id = ? AND key = ? AND version_id = ?",
        (wanted.bucket_id, wanted.after, wanted.after_version),
    ).fetchone()
    return None if row is None else int(row[0])


def following(prefix: str) -> str | None:
    """Return the first text after all that begin with a prefix, by code points, if any."""
    for place in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[place]) + 1
        if 0xD800 <= point <= 0xDFFF:
            point = 0xE000
        if point <= _LAST:
            return prefix[:place] + chr(point)
    return None


def _chunk(wanted: Wanted) -> int:
    # With a delimiter most of what is read may lie behind a common prefix.
    return 50 if wanted.delimiter else min(wanted.limit + 1, _CHUNK)
