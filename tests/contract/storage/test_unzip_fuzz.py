"""Whatever bytes are uploaded, they are unpacked inside or refused in AWS's words."""

import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdad.domain.errors import InvalidParameterValueException
from lambdad.storage.unzip import unzip
from lambdad.testing.package_store_contract import LINK, entry, zipped

SEED = zipped(
    ("app.py", "print('hello')\n" * 20),
    ("pkg/sub/data", bytes(range(256))),
    (entry("run", stat.S_IFREG | 0o755), "#!/bin/sh"),
    (entry("link", LINK | 0o777), "pkg/sub"),
)


def unpack(package: bytes) -> None:
    with tempfile.TemporaryDirectory() as outer:
        tree = Path(outer) / "tree"
        try:
            unzip(package, tree)
        except InvalidParameterValueException as error:
            assert error.message  # noqa: PT017 - both outcomes are right, others are not
        assert {path.name for path in Path(outer).iterdir()} <= {"tree"}
        for path in tree.rglob("*"):
            inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(tree))
            assert inside or path.is_symlink()


@given(st.binary(max_size=400))
@example(b"PK\x05\x06" + bytes(18))
def test_any_bytes(package: bytes) -> None:
    unpack(package)


@given(st.lists(st.tuples(st.integers(0, len(SEED) - 1), st.integers(0, 255)), max_size=6))
def test_any_bytes_changed(changes: list[tuple[int, int]]) -> None:
    package = bytearray(SEED)
    for position, value in changes:
        package[position] = value
    unpack(bytes(package))


@given(st.integers(0, len(SEED)), st.integers(0, len(SEED)), st.binary(max_size=8))
def test_any_part_replaced(start: int, end: int, filling: bytes) -> None:
    unpack(SEED[:start] + filling + SEED[end:])


NAMES = st.text(st.sampled_from("ab./\\\x01é"), min_size=1, max_size=8)
ENTRIES = st.lists(st.tuples(NAMES, st.sampled_from([stat.S_IFREG, LINK]), NAMES), max_size=5)


@given(ENTRIES)
@example([("a/b/s", LINK, "../.."), ("a/b/t", LINK, "s/../x")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_any_names_and_links(entries: list[tuple[str, int, str]]) -> None:
    package = zipped(*((entry(name, kind | 0o755), text) for name, kind, text in entries))
    unpack(package)
