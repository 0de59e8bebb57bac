"""Layers that want out, or more than they may have."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from lambdad.domain.images import ImageProblem
from lambdad.images import layer
from lambdad.images.manifest import Blob
from lambdad.testing.images import member, tar

BUDGET = 64 * 1024 * 1024


def unpacked(
    place: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]], *, budget: int = BUDGET
) -> Path:
    content = tar(members)
    return of_bytes(place, content, gzip.compress(content), budget=budget)


def of_bytes(place: Path, content: bytes, sent: bytes, *, budget: int = BUDGET) -> Path:
    digest = f"sha256:{hashlib.sha256(sent).hexdigest()}"
    blob = Blob(digest=digest, diff_id=f"sha256:{hashlib.sha256(content).hexdigest()}")
    place.mkdir(exist_ok=True)
    layer.unpack(io.BytesIO(sent), blob, place / "tree", budget)
    return place / "tree"


def everything(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*")}


@pytest.mark.parametrize(
    "name", ["../out", "a/../../out", "/../out", "..", "a/..", "deep/" * 300 + "x"]
)
def test_no_name_leads_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageProblem):
        unpacked(tmp_path / "in", [member(name, b"x")])
    assert not (tmp_path / "out").exists()


def test_an_absolute_name_is_the_layers_own(tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "in", [member("/etc/x", b"x"), member("//y", b"y")])
    assert everything(tree) == {"etc", "etc/x", "y"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_nothing_is_written_through_a_link(tmp_path: Path, kind: bytes) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = member("d", type=kind, linkname=str(outside))
    with pytest.raises(ImageProblem):
        unpacked(tmp_path / "in", [link, member("d/x", b"x")])
    assert not list(outside.iterdir())


def test_a_file_replaces_a_link_and_does_not_follow_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    link = member("x", type=tarfile.SYMTYPE, linkname=str(outside))
    tree = unpacked(tmp_path / "in", [link, member("x", b"theirs")])
    assert outside.read_text() == "mine"
    assert (tree / "x").read_text() == "theirs"


def test_links_of_the_root_may_be_absolute_and_are_not_followed_here(tmp_path: Path) -> None:
    members = [member("x", type=tarfile.SYMTYPE, linkname="/etc/passwd")]
    tree = unpacked(tmp_path / "in", members)
    assert (tree / "x").readlink() == Path("/etc/passwd")


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "absent", "outside"])
def test_no_hard_link_to_what_is_not_in_the_layer(tmp_path: Path, target: str) -> None:
    (tmp_path / "outside").write_text("mine")
    with pytest.raises(ImageProblem):
        unpacked(tmp_path / "in", [member("x", type=tarfile.LNKTYPE, linkname=target)])
    assert (tmp_path / "outside").stat().st_nlink == 1


def test_hard_links_within_a_layer_are_one_file(tmp_path: Path) -> None:
    link = member("b", type=tarfile.LNKTYPE, linkname="./a")
    tree = unpacked(tmp_path / "in", [member("a", b"x"), link])
    assert (tree / "a").samefile(tree / "b")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_no_devices(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(ImageProblem, match="null"):
        unpacked(tmp_path / "in", [member("null", type=kind, devmajor=1, devminor=3)])


def test_no_bits_that_give_power(tmp_path: Path) -> None:
    members = [
        member("d", type=tarfile.DIRTYPE, mode=0o7777),
        member("d/su", b"x", mode=0o6755, uid=0, gid=0),
    ]
    tree = unpacked(tmp_path / "in", members)
    assert stat.S_IMODE((tree / "d/su").stat().st_mode) == 0o755
    assert stat.S_IMODE((tree / "d").stat().st_mode) == 0o777


def test_a_bomb_is_given_up_at_the_limit(tmp_path: Path) -> None:
    content = tar([member("zeros", bytes(8 * 1024 * 1024))])
    with pytest.raises(ImageProblem, match="larger than"):
        of_bytes(tmp_path / "in", content, gzip.compress(content), budget=1024 * 1024)
    written = sum(path.stat().st_size for path in (tmp_path / "in").rglob("*") if path.is_file())
    assert written <= 1024 * 1024


def test_what_is_counted_is_what_comes_out(tmp_path: Path) -> None:
    """A header that promises little does not help: the archive has to fit it."""
    info, _ = member("x")
    info.size = 1024
    whole = info.tobuf() + b"x"
    with pytest.raises(ImageProblem, match="damaged"):
        of_bytes(tmp_path / "in", whole, gzip.compress(whole))


def test_a_large_header_is_not_held_in_memory(tmp_path: Path) -> None:
    info, _ = member("x", type=tarfile.XHDTYPE)
    info.size = 32 * 1024 * 1024
    whole = info.tobuf(format=tarfile.USTAR_FORMAT) + bytes(info.size)
    with pytest.raises(ImageProblem, match="header"):
        of_bytes(tmp_path / "in", whole, gzip.compress(whole))


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_layer_that_breaks_off_is_damaged(tmp_path: Path, cut: int) -> None:
    content = tar([member("x", os.urandom(10_000))])
    with pytest.raises(ImageProblem, match="damaged"):
        of_bytes(tmp_path / "in", content, gzip.compress(content)[:-cut])


def test_content_must_be_what_its_name_says(tmp_path: Path) -> None:
    content = tar([member("x", b"x")])
    right = f"sha256:{hashlib.sha256(content).hexdigest()}"
    other = f"sha256:{'0' * 64}"
    for blob in (Blob(digest=other, diff_id=right), Blob(digest=right, diff_id=other)):
        place = tmp_path / blob.digest[-4:]
        place.mkdir()
        with pytest.raises(ImageProblem):
            layer.unpack(io.BytesIO(content), blob, place / "tree", BUDGET)


def test_what_follows_the_archive_belongs_to_its_digest(tmp_path: Path) -> None:
    content = tar([member("x", b"x")])
    blob_of = f"sha256:{hashlib.sha256(content).hexdigest()}"
    with pytest.raises(ImageProblem):
        layer.unpack(
            io.BytesIO(content + b"more"),
            Blob(digest=blob_of, diff_id=blob_of),
            tmp_path / "tree",
            BUDGET,
        )


def test_times_stay_because_interpreters_compare_them(tmp_path: Path) -> None:
    tree = unpacked(tmp_path / "in", [member("x.py", b"x", mtime=1_600_000_000)])
    assert (tree / "x.py").stat().st_mtime == 1_600_000_000
