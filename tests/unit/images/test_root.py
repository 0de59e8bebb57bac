"""Layers become a root: what is above hides what is below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lambdad.domain.images import ImageProblem
from lambdad.images.root import lay


def layers(base: Path, *contents: Mapping[str, str]) -> list[Path]:
    made = []
    for number, content in enumerate(contents):
        layer = base / f"layer{number}"
        layer.mkdir()
        for name, text in content.items():
            place = layer / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("->"):
                place.symlink_to(text[2:])
            else:
                place.write_text(text)
        made.append(layer)
    return made


def laid(base: Path, *contents: Mapping[str, str]) -> dict[str, str]:
    root = base / "root"
    lay(layers(base, *contents), root)
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    found = {str(path.relative_to(root)): path.read_text() for path in files}
    return {name: text for name, text in found.items() if not name.startswith("etc/")}


def test_the_uppermost_counts_and_directories_become_one(tmp_path: Path) -> None:
    found = laid(tmp_path, {"a/x": "low", "a/y": "low"}, {"a/x": "high", "b": "high"})
    assert found == {"a/x": "high", "a/y": "low", "b": "high"}


def test_what_a_layer_removes_is_gone(tmp_path: Path) -> None:
    low = {"a/x": "1", "a/y": "1", "d/e/f": "1"}
    assert laid(tmp_path, low, {"a/.wh.x": "", ".wh.d": ""}) == {"a/y": "1"}


def test_what_was_removed_may_come_again_above(tmp_path: Path) -> None:
    found = laid(tmp_path, {"d/x": "1"}, {".wh.d": ""}, {"d/y": "3"})
    assert found == {"d/y": "3"}


def test_a_layer_removes_only_what_is_below_it(tmp_path: Path) -> None:
    assert laid(tmp_path, {"d/x": "1"}, {".wh.d": "", "d/y": "2"}) == {"d/y": "2"}


def test_an_opaque_directory_shows_nothing_of_those_below(tmp_path: Path) -> None:
    found = laid(tmp_path, {"d/x": "1", "d/s/z": "1"}, {"d/.wh..wh..opq": "", "d/y": "2"})
    assert found == {"d/y": "2"}


def test_a_file_hides_a_directory_and_the_other_way_round(tmp_path: Path) -> None:
    found = laid(tmp_path, {"a/x": "1", "b": "1"}, {"a": "2", "b/x": "2"})
    assert found == {"a": "2", "b/x": "2"}


def test_layers_are_shared_and_not_copied(tmp_path: Path) -> None:
    low, *_ = made = layers(tmp_path, {"x": "1"}, {"y": "2"})
    lay(made, tmp_path / "root")
    assert (tmp_path / "root" / "x").samefile(low / "x")


def test_places_for_mounts_are_there_and_are_the_roots_own(tmp_path: Path) -> None:
    [low] = made = layers(tmp_path, {"etc/hosts": "theirs", "etc/passwd": "root:x:0:0::/:/bin/sh"})
    root = tmp_path / "root"
    lay(made, root)
    for name in ("proc", "dev", "tmp", "etc", "var/task", "opt", "mnt"):
        assert (root / name).is_dir()
    assert (root / "etc/hosts").read_text() == ""
    assert (low / "etc/hosts").read_text() == "theirs"
    assert (root / "etc/passwd").read_text() == "root:x:0:0::/:/bin/sh"


@pytest.mark.parametrize("name", ["etc", "proc", "dev", "tmp", "var"])
def test_no_place_for_a_mount_is_a_link_out(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(ImageProblem, match=name):
        lay(layers(tmp_path, {name: f"->{outside}"}), tmp_path / "root")
    assert not list(outside.iterdir())


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    content = {"etc/passwd": f"->{secret}", "etc/resolv.conf": f"->{secret}"}
    root = tmp_path / "root"
    lay(layers(tmp_path, content), root)
    assert secret.read_text() == "mine"
    for name in content:
        assert not (root / name).is_symlink()
        assert (root / name).read_text() == ""
