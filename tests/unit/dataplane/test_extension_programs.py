"""Which files of a layer are extensions, and which of them would start."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdad.dataplane.extension_programs import ExtensionProgram, programs_in


@pytest.fixture
def extensions(tmp_path: Path) -> Path:
    """The directory of extensions in a layer below it."""
    directory = tmp_path / "extensions"
    directory.mkdir()
    return directory


def put(directory: Path, name: str, content: bytes = b"#!/bin/sh\n", mode: int = 0o755) -> None:
    (directory / name).write_bytes(content)
    (directory / name).chmod(mode)


def test_a_layer_without_the_directory_has_none(tmp_path: Path) -> None:
    assert programs_in(tmp_path) == ()


def test_files_are_extensions_by_name_but_directories_are_not(extensions: Path) -> None:
    put(extensions, "b")
    put(extensions, "a", b"\x7fELF...")
    (extensions / "data").mkdir()
    assert [program.name for program in programs_in(extensions.parent)] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        (b"#!/bin/sh\n", 0o755, None),
        (b"#!/bin/sh\n", 0o644, "permission denied"),
        (b"text", 0o755, "exec format error"),
        (b"", 0o755, "exec format error"),
    ],
)
def test_what_cannot_start_says_why(
    extensions: Path, content: bytes, mode: int, problem: str | None
) -> None:
    put(extensions, "x", content, mode)
    assert list(programs_in(extensions.parent)) == [ExtensionProgram(name="x", problem=problem)]


def test_links_are_not_followed_on_the_host(extensions: Path, tmp_path: Path) -> None:
    (extensions / "out").symlink_to("/bin/sh")
    assert list(programs_in(tmp_path)) == []
    other = tmp_path / "other"
    other.mkdir()
    (other / "extensions").symlink_to(extensions)
    put(extensions, "x")
    assert programs_in(other) == ()
