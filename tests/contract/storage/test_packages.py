"""Packages as files keep what `lambdad.storage.base` promises, and survive crashes."""

from pathlib import Path
from typing import BinaryIO

import pytest

from lambdad.domain.errors import HostUnfit
from lambdad.storage.packages import FilePackageStore
from lambdad.testing.package_store_contract import accept, zipped
from lambdad.testing.store_contract import PackageStoreContract


class TestFilePackages(PackageStoreContract):
    def make(self, root: Path) -> FilePackageStore:
        return FilePackageStore(root)

    async def test_leftovers_of_a_killed_writer_are_collected(self, tmp_path: Path) -> None:
        root = tmp_path / "code"
        for name in (".adding-dead", ".removing-dead"):
            (root / name / "tree").mkdir(parents=True)
            (root / name / "package.zip").write_bytes(b"half")
        assert await self.make(root).collect(frozenset()) == 0
        assert list(root.iterdir()) == []

    async def test_what_was_made_of_a_package_goes_with_it(self, tmp_path: Path) -> None:
        store = self.make(tmp_path / "code")
        code = await store.add(zipped(("app.py", b"")), accept)
        await store.make(code.digest, "x", lambda file: file.write(b"made") and None)
        made = store.made(code.digest, "x")
        assert made.read_bytes() == b"made"
        assert made.stat().st_mode & 0o777 == 0o600
        assert await store.collect(frozenset({code.digest})) == 0
        assert made.exists()
        assert await store.collect(frozenset()) == 1
        assert list((tmp_path / "code").iterdir()) == []

    async def test_nothing_is_made_of_a_package_that_is_gone(self, tmp_path: Path) -> None:
        store = self.make(tmp_path / "code")
        code = await store.add(zipped(("app.py", b"")), accept)
        await store.collect(frozenset())
        with pytest.raises(HostUnfit):
            await store.make(code.digest, "x", lambda file: file.write(b"made") and None)
        assert list((tmp_path / "code").iterdir()) == []

    async def test_what_fails_to_be_made_leaves_nothing(self, tmp_path: Path) -> None:
        def fail(file: BinaryIO) -> None:
            file.write(b"half")
            raise ValueError("broken off")

        store = self.make(tmp_path / "code")
        code = await store.add(zipped(("app.py", b"")), accept)
        with pytest.raises(ValueError, match="broken off"):
            await store.make(code.digest, "x", fail)
        assert [path.name for path in (tmp_path / "code").iterdir()] == [code.digest]
        assert not store.made(code.digest, "x").exists()
