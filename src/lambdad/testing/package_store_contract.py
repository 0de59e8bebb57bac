"""Promises of `lambdad.storage.base.PackageStore`, as a pytest class."""

# ruff: noqa: D102 - the name of a test states its promise

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lambdad.domain.errors import HostUnfit, InvalidParameterValueException
from lambdad.domain.layers import merged_digest
from lambdad.storage.base import PackageStore

NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
TOO_LARGE = "Unzipped size must be smaller than 262144000 bytes"

REGULAR, LINK, FIFO, DEVICE = stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR


def accept(package: bytes) -> None:
    """Let every package pass."""


def entry(name: str, mode: int = REGULAR | 0o644, *, flags: int = 0) -> zipfile.ZipInfo:
    """The header of one entry."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.flag_bits = flags
    return info


def zipped(*entries: tuple[zipfile.ZipInfo | str, bytes | str]) -> bytes:
    """A deflated zip of these entries; names alone get mode 0644."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, content in entries:
            header = entry(info) if isinstance(info, str) else info
            archive.writestr(header, content, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _marked(package: bytes, flags: int) -> bytes:
    """The same zip with flag bits set in both headers of its only entry."""
    marked = bytearray(package)
    marked[6] |= flags
    marked[package.rindex(b"PK\x01\x02") + 8] |= flags
    return bytes(marked)


def hostile() -> dict[str, Callable[[], bytes]]:
    """Makers of packages that must be refused, by what is wrong with them."""
    plain = zipped(("app.py", "x" * 1_000))
    return {
        "not a zip": lambda: b"print('hello')",
        "nothing but a magic number": lambda: b"PK\x03\x04",
        "nothing but an end": lambda: b"PK\x05\x06",
        "cut off": lambda: plain[:-30],
        "its middle is missing": lambda: plain[:40] + plain[60:],
        "changed content": lambda: plain.replace(plain[40:44], b"\xff\xff\xff\xff", 1),
        "encrypted": lambda: _marked(plain, 0x1),
        "unknown method": lambda: plain.replace(b"\x08\x00", b"\x63\x00"),
        "bzip2": lambda: _other_method(zipfile.ZIP_BZIP2),
        "lzma": lambda: _other_method(zipfile.ZIP_LZMA),
        "deeper than programs recurse": lambda: zipped(("d/" * 300 + "f", "x")),
        "above the root": lambda: zipped(("../evil", "x")),
        "above the root, later": lambda: zipped(("a/../../evil", "x")),
        "absolute": lambda: zipped(("/etc/evil", "x")),
        "named like the root": lambda: zipped((entry(".", REGULAR | 0o644), "x")),
        "link to an absolute path": lambda: zipped((entry("l", LINK | 0o777), "/etc/passwd")),
        "link out": lambda: zipped((entry("a/l", LINK | 0o777), "../../x")),
        "links that lead out together": lambda: zipped(
            (entry("a/b/up", LINK | 0o777), "../.."), (entry("out", LINK | 0o777), "a/b/up/../..")
        ),
        "empty link": lambda: zipped((entry("l", LINK | 0o777), "")),
        "endless link": lambda: zipped((entry("l", LINK | 0o777), "x" * 5_000)),
        "file below a link": lambda: zipped((entry("l", LINK | 0o777), "."), ("l/x", "x")),
        "file below a file": lambda: zipped(("f", "x"), ("f/x", "x")),
        "file and directory of one name": lambda: zipped(("d/", ""), ("d", "x")),
        "two files of one name": lambda: _twice("a"),
        "pipe": lambda: zipped((entry("p", FIFO | 0o644), "")),
        "device": lambda: zipped((entry("d", DEVICE | 0o644), "")),
        "endless name": lambda: zipped(("n" * 300, "x")),
        "more entries than a directory can list": lambda: zipped(("a", "x")).replace(
            b"PK\x05\x06", b"PK\x01\x02" * 100_001 + b"PK\x05\x06"
        ),
    }


def _other_method(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a", "x")
    return buffer.getvalue()


def _twice(name: str) -> bytes:
    other = "b" * len(name)
    return zipped((name, "1"), (other, "2")).replace(other.encode(), name.encode())


def bomb(files: int, megabytes: int) -> bytes:
    """A zip of zeros, about a thousandth of the size it inflates to."""
    content = bytes(megabytes * 1024 * 1024)
    return zipped(*((f"zeros{number}", content) for number in range(files)))


def understated(package: bytes, real: int) -> bytes:
    """The same zip with headers that claim one byte for each file of `real` bytes."""
    return package.replace(real.to_bytes(4, "little"), (1).to_bytes(4, "little"))


class PackageStoreContract:
    """Promises of :class:`lambdad.storage.base.PackageStore`; subclasses give `make`."""

    def make(self, root: Path) -> PackageStore:
        """Return a store below `root`, which may hold an earlier one's packages."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> PackageStore:
        """An empty store."""
        return self.make(tmp_path / "code")

    async def test_a_package_is_kept_and_unpacked(self, store: PackageStore) -> None:
        package = zipped(("app.py", "code"), ("pkg/", ""), ("pkg/sub/é.txt", "text"))
        code = await store.add(package, accept)
        assert code.digest == hashlib.sha256(package).hexdigest()
        assert base64.b64decode(code.sha256).hex() == code.digest
        assert code.size_bytes == len(package)
        assert store.archive(code.digest).read_bytes() == package
        tree = store.tree(code.digest)
        assert (tree / "app.py").read_text() == "code"
        assert (tree / "pkg" / "sub" / "é.txt").read_text() == "text"

    async def test_a_refused_package_leaves_nothing(
        self, store: PackageStore, tmp_path: Path
    ) -> None:
        def refuse(package: bytes) -> None:
            raise InvalidParameterValueException("no")

        with pytest.raises(InvalidParameterValueException, match="no"):
            await store.add(zipped(("a", "x")), refuse)
        assert self._files(tmp_path) == []

    @pytest.mark.parametrize("what", sorted(hostile()))
    async def test_a_hostile_package_is_refused_and_leaves_nothing(
        self, store: PackageStore, tmp_path: Path, what: str
    ) -> None:
        with pytest.raises(InvalidParameterValueException) as refused:
            await store.add(hostile()[what](), accept)
        assert refused.value.message == NOT_A_ZIP
        assert self._files(tmp_path) == []

    async def test_an_empty_zip_is_refused(self, store: PackageStore, tmp_path: Path) -> None:
        for package in (zipped(), zipped(("./", ""))):
            with pytest.raises(InvalidParameterValueException, match="non-empty zip"):
                await store.add(package, accept)
        assert self._files(tmp_path) == []

    @pytest.mark.slow
    @pytest.mark.parametrize("truthful", [True, False])
    async def test_a_zip_bomb_is_stopped(
        self, store: PackageStore, tmp_path: Path, truthful: bool
    ) -> None:
        package = bomb(files=26, megabytes=10)
        if not truthful:
            package = understated(package, 10 * 1024 * 1024)
        with pytest.raises(InvalidParameterValueException) as refused:
            await store.add(package, accept)
        assert refused.value.message in ((TOO_LARGE,) if truthful else (TOO_LARGE, NOT_A_ZIP))
        assert self._files(tmp_path) == []

    @pytest.mark.slow
    async def test_the_largest_allowed_package_is_taken(self, store: PackageStore) -> None:
        code = await store.add(bomb(files=25, megabytes=10), accept)
        tree = store.tree(code.digest)
        assert sum(path.stat().st_size for path in tree.iterdir()) == 262_144_000

    async def test_modes_are_kept(self, store: PackageStore) -> None:
        """A bootstrap must be executable; what the zip forbids stays forbidden, as with AWS."""
        package = zipped(
            (entry("bootstrap", REGULAR | 0o755), "#!"),
            (entry("secret", REGULAR | 0o600), "x"),
            (entry("setuid", REGULAR | 0o6755), "x"),
            (entry("no-type", 0o640), "x"),
            (entry("closed/", stat.S_IFDIR | 0o700), ""),
            ("implied/file", "x"),
        )
        tree = store.tree((await store.add(package, accept)).digest)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tree.iterdir()}
        assert modes == {
            "bootstrap": 0o755,
            "secret": 0o600,
            "setuid": 0o755,
            "no-type": 0o640,
            "closed": 0o700,
            "implied": 0o755,
        }
        assert stat.S_IMODE(tree.stat().st_mode) == 0o755

    async def test_entries_without_modes_can_be_read(self, store: PackageStore) -> None:
        """As made by tools on systems that have none."""
        package = bytearray(zipped(("f", "x")))
        attributes = package.rindex(b"PK\x01\x02") + 38
        package[attributes : attributes + 4] = bytes(4)
        tree = store.tree((await store.add(bytes(package), accept)).digest)
        assert stat.S_IMODE((tree / "f").stat().st_mode) == 0o644

    async def test_modes_do_not_depend_on_the_umask(self, store: PackageStore) -> None:
        before = os.umask(0o077)
        try:
            code = await store.add(zipped(("d/f", "x")), accept)
        finally:
            os.umask(before)
        paths = [store.tree(code.digest) / "d", store.tree(code.digest) / "d" / "f"]
        assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o755, 0o644]

    async def test_links_that_stay_inside_are_kept(self, store: PackageStore) -> None:
        package = zipped(
            (entry("lib.so", LINK | 0o777), "lib/lib.so.1"),
            (entry("lib/up", LINK | 0o777), "../app.py"),
            (entry("dangling", LINK | 0o777), "nowhere"),
            ("lib/lib.so.1", "elf"),
            ("app.py", "code"),
        )
        tree = store.tree((await store.add(package, accept)).digest)
        assert (tree / "lib.so").readlink() == Path("lib/lib.so.1")
        assert (tree / "lib.so").read_text() == "elf"
        assert (tree / "lib" / "up").read_text() == "code"
        assert (tree / "dangling").is_symlink()

    async def test_names_are_utf8_even_where_the_zip_does_not_say_so(
        self, store: PackageStore
    ) -> None:
        package = zipped(("xxé", "x"))
        unsaid = bytearray(package)
        unsaid[7] &= ~0x08
        unsaid[package.rindex(b"PK\x01\x02") + 9] &= ~0x08
        tree = store.tree((await store.add(bytes(unsaid), accept)).digest)
        assert [path.name for path in tree.iterdir()] == ["xxé"]

    async def test_a_zip_behind_other_bytes_is_still_a_zip(self, store: PackageStore) -> None:
        """Self-extracting archives, and archives of archives."""
        inner = zipped(("inner", "x"))
        package = b"#!/bin/sh\n" + zipped(("nested.zip", inner))
        tree = store.tree((await store.add(package, accept)).digest)
        assert (tree / "nested.zip").read_bytes() == inner

    async def test_the_same_content_at_once_is_stored_once(
        self, store: PackageStore, tmp_path: Path
    ) -> None:
        package = zipped(*((f"f{number}", "x") for number in range(50)))
        codes = await asyncio.gather(*(store.add(package, accept) for _ in range(20)))
        assert len(set(codes)) == 1
        inode = store.tree(codes[0].digest).stat().st_ino
        await store.add(package, accept)
        assert store.tree(codes[0].digest).stat().st_ino == inode
        assert len(self._files(tmp_path)) == 51

    async def test_packages_are_there_in_a_new_store(
        self, store: PackageStore, tmp_path: Path
    ) -> None:
        code = await store.add(zipped(("a", "x")), accept)
        again = self.make(tmp_path / "code")
        assert (again.tree(code.digest) / "a").read_text() == "x"

    async def test_collect_removes_what_is_unused(self, store: PackageStore) -> None:
        closed = zipped((entry("d/", stat.S_IFDIR), ""), ("d/f", "unused"))
        codes = [await store.add(p, accept) for p in (zipped(("a", "used")), closed)]
        assert await store.collect(frozenset({codes[0].digest})) == 1
        assert (store.tree(codes[0].digest) / "a").read_text() == "used"
        assert not store.tree(codes[1].digest).exists()
        assert await store.collect(frozenset({codes[0].digest})) == 0
        await store.add(closed, accept)
        assert (store.tree(codes[1].digest) / "d" / "f").read_text() == "unused"

    async def test_collect_on_an_empty_store_is_harmless(self, store: PackageStore) -> None:
        assert await store.collect(frozenset()) == 0

    async def test_collect_spares_what_is_being_added(self, store: PackageStore) -> None:
        packages = [zipped((f"f{number}", "x")) for number in range(20)]

        async def collect() -> None:
            for _ in range(20):
                await store.collect(used)

        used = frozenset(hashlib.sha256(package).hexdigest() for package in packages[::2])
        results = await asyncio.gather(
            collect(), *(store.add(package, accept) for package in packages)
        )
        assert len(results) == 21
        assert all(store.tree(digest).is_dir() for digest in used)

    async def test_merged_packages_lie_over_each_other_in_order(self, store: PackageStore) -> None:
        tree = await self._merged(
            store,
            zipped(("bin/tool", "first"), ("lib/a", "a"), ("only", "first")),
            zipped((entry("bin/tool", REGULAR | 0o755), "second"), ("lib/b", "b")),
            zipped((entry("lib/c", LINK | 0o777), "b"), ("bin/other", "third")),
        )
        assert {path.name for path in (tree / "lib").iterdir()} == {"a", "b", "c"}
        assert {path.name for path in (tree / "bin").iterdir()} == {"tool", "other"}
        assert (tree / "bin" / "tool").read_text() == "second"
        assert stat.S_IMODE((tree / "bin" / "tool").stat().st_mode) == 0o755
        assert (tree / "lib" / "c").readlink() == Path("b")
        assert (tree / "only").read_text() == "first"

    async def test_the_order_of_merged_packages_counts(self, store: PackageStore) -> None:
        packages = [zipped(("f", text)) for text in ("one", "two")]
        assert (await self._merged(store, *packages) / "f").read_text() == "two"
        assert (await self._merged(store, *reversed(packages)) / "f").read_text() == "one"

    async def test_a_later_package_hides_what_is_in_its_way(self, store: PackageStore) -> None:
        tree = await self._merged(
            store,
            zipped(("a/below", "x"), (entry("b", LINK | 0o777), "a"), ("c", "x")),
            zipped(("a", "file"), ("b/f", "directory"), ("c/f", "directory")),
        )
        assert (tree / "a").read_text() == "file"
        assert not (tree / "b").is_symlink()
        assert [path.name for path in (tree / "b").iterdir()] == ["f"]
        assert (tree / "c" / "f").read_text() == "directory"

    async def test_merging_takes_no_space_and_is_done_once(self, store: PackageStore) -> None:
        packages = [zipped((name, "x" * 100)) for name in ("a", "b")]
        digests = [(await store.add(package, accept)).digest for package in packages]
        await asyncio.gather(*(store.merge(digests) for _ in range(5)))
        tree = store.tree(merged_digest(digests))
        assert (tree / "a").samefile(store.tree(digests[0]) / "a")
        inode = tree.stat().st_ino
        await store.merge(digests)
        assert tree.stat().st_ino == inode

    async def test_packages_that_are_gone_cannot_be_merged(
        self, store: PackageStore, tmp_path: Path
    ) -> None:
        digest = (await store.add(zipped(("a", "x")), accept)).digest
        with pytest.raises(HostUnfit):
            await store.merge([digest, "00" * 32])
        assert [path.name for path in (tmp_path / "code").iterdir()] == [digest]

    async def test_merged_packages_are_collected_as_others_are(self, store: PackageStore) -> None:
        digests = [(await store.add(zipped((name, "x")), accept)).digest for name in ("a", "b")]
        merged = merged_digest(digests)
        await store.merge(digests)
        assert await store.collect(frozenset({*digests, merged})) == 0
        assert await store.collect(frozenset({merged})) == 2
        assert (store.tree(merged) / "a").read_text() == "x"
        assert await store.collect(frozenset()) == 1
        assert not store.tree(merged).exists()

    async def test_the_unpacked_size_is_that_of_the_files(self, store: PackageStore) -> None:
        package = zipped(
            ("a", "x" * 1_000), ("d/b", "y" * 234), (entry("l", LINK | 0o777), "a"), ("e/", "")
        )
        code = await store.add(package, accept)
        assert await store.unpacked_bytes(code.digest) == 1_234

    async def _merged(self, store: PackageStore, *packages: bytes) -> Path:
        digests = [(await store.add(package, accept)).digest for package in packages]
        await store.merge(digests)
        return store.tree(merged_digest(digests))

    def _files(self, tmp_path: Path) -> Sequence[Path]:
        return [path for path in tmp_path.rglob("*") if not path.is_dir() or path.is_symlink()]
