"""Lists of keys against a second, naive implementation."""

from __future__ import annotations

import sqlite3
from importlib import resources

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdad.neighbours.s3 import listing_rows, object_rows
from lambdad.neighbours.s3.listing_rows import Wanted, following
from lambdad.neighbours.s3.model import Stored
from lambdad.neighbours.s3.object_rows import Change

_TEXT = st.text("ab/\x00\ud7ff\ue000\U0010ffff", max_size=4)


def database(keys: list[str]) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema = resources.files("lambdad.storage.migrations") / "s3/0001_objects.sql"
    db.executescript(schema.read_text())
    db.execute("INSERT INTO bucket VALUES (1, 'b', '000000000000', 'us-east-1', 0, '{}')")
    for number, key in enumerate(keys):
        object_rows.put(
            db,
            Change(
                bucket_id=1,
                key=key,
                version_id=f"v{number}",
                modified_ms=0,
                size=0,
                etag="",
                details={},
                stored=Stored(size=0, data=b""),
            ),
        )
    return db


def entries(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """What a list tells of, in order: keys, and prefixes once."""
    found = []
    for key in sorted(set(keys), key=lambda key: key.encode("utf-8")):
        if key.startswith(prefix):
            place = key.find(delimiter, len(prefix)) if delimiter else -1
            found.append(key if place < 0 else key[: place + len(delimiter)])
    return list(dict.fromkeys(found))


@settings(max_examples=150, deadline=None)
@given(
    keys=st.lists(_TEXT.filter(bool), max_size=12),
    prefix=_TEXT,
    delimiter=st.sampled_from(["", "/", "a", "b/"]),
    limit=st.integers(1, 4),
)
def test_pages_together_are_the_whole_list(
    keys: list[str], prefix: str, delimiter: str, limit: int
) -> None:
    db = database(keys)
    found: list[str] = []
    after, more = "", True
    while more:
        page = listing_rows.listed(
            db,
            Wanted(bucket_id=1, prefix=prefix, delimiter=delimiter, after=after, limit=limit),
        )
        merged = [*(version.key for version in page.versions), *page.prefixes]
        found += sorted(merged, key=lambda key: key.encode("utf-8"))
        after, more = page.last[0], page.truncated
        assert len(merged) <= limit
    assert found == entries(keys, prefix, delimiter)


@settings(max_examples=100, deadline=None)
@given(keys=st.lists(_TEXT.filter(bool), max_size=12), limit=st.integers(1, 4))
def test_pages_of_versions_together_are_all_of_them(keys: list[str], limit: int) -> None:
    db = database(keys)
    found: list[tuple[str, str]] = []
    place, more = ("", ""), True
    while more:
        wanted = Wanted(
            bucket_id=1,
            prefix="",
            delimiter="",
            after=place[0],
            after_version=place[1],
            limit=limit,
            versions=True,
        )
        page = listing_rows.listed(db, wanted)
        found += [(version.key, version.version_id) for version in page.versions]
        place, more = page.last, page.truncated
    newest_first = [(key, f"v{number}") for number, key in reversed(list(enumerate(keys)))]
    assert found == sorted(newest_first, key=lambda pair: pair[0].encode("utf-8"))


@given(prefix=_TEXT, rest=_TEXT, other=_TEXT)
def test_what_follows_a_prefix_follows_all_that_begin_with_it(
    prefix: str, rest: str, other: str
) -> None:
    bound = following(prefix)
    if bound is not None:
        assert (prefix + rest).encode() < bound.encode()
        if prefix.encode() < other.encode() < bound.encode():
            assert other.startswith(prefix)
