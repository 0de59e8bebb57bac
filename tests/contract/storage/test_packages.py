"""Packages as files keep what `lambdad.storage.base` promises, and survive crashes."""

from pathlib import Path

from lambdad.storage.packages import FilePackageStore
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
