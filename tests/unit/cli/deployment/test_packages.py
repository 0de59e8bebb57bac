"""What goes into a package, and that it is the same package when nothing has changed."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from lambdad.cli.deployment.artifacts import packed
from lambdad.cli.deployment.patterns import chosen
from lambdad.cli.errors import Failure

FILES = ("app.py", "src/a.py", "src/deep/b.py", "node_modules/x/index.js", "docs/a.md", "b.txt")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], FILES),
        (["!**", "src/**"], ("src/a.py", "src/deep/b.py")),
        (["!**", "**/*.py"], ("app.py", "src/a.py", "src/deep/b.py")),
        (["!*.txt"], tuple(name for name in FILES if name != "b.txt")),
        (["!node_modules/**", "!docs/", "!./src/**"], ("app.py", "b.txt")),
        (["!**", "{app,b}.*"], ("app.py", "b.txt")),
        (["!**", "src/?.py"], ("src/a.py",)),
    ],
)
def test_later_patterns_win(project: Path, patterns: list[str], names: tuple[str, ...]) -> None:
    assert [name for name, _ in chosen(project, patterns)] == sorted(names)


def test_a_package_does_not_change_with_dates(project: Path) -> None:
    before = packed(project)
    os.utime(project / "app.py", (1, 1_700_000_000))
    assert packed(project) == before
    (project / "app.py").write_text("other")
    assert packed(project) != before


def test_what_may_be_executed_may_be_afterwards(project: Path) -> None:
    (project / "app.py").chmod(0o755)
    archive = zipfile.ZipFile(io.BytesIO(packed(project)))
    modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert (modes["app.py"], modes["b.txt"]) == (0o755, 0o644)


def test_a_circle_of_links_ends(project: Path) -> None:
    (project / "src/again").symlink_to(project)
    assert "app.py" in [name for name, _ in chosen(project, [])]


def test_nothing_to_pack_is_an_error(project: Path) -> None:
    with pytest.raises(Failure, match="nothing to pack"):
        packed(project, ["!**"])
    with pytest.raises(Failure, match="is not there"):
        packed(project / "missing")
