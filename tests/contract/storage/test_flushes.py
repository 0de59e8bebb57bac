"""Names are durable only when their directory was flushed, whatever file system it is on."""

import os
from pathlib import Path

from lambdad.storage.keys import lasting_key
from lambdad.storage.packages import FilePackageStore
from lambdad.testing.deploy import zip_of


class Flushes:
    """Records which files and directories are flushed, and what these directories held then."""

    def __init__(self, monkeypatch):
        self.contents = {}
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self.flush)

    def flush(self, descriptor):
        self._fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}")
        names = {each.name for each in path.iterdir()} if path.is_dir() else set()
        self.contents[path.stat().st_ino] = names

    def missed(self, root):
        """What is below a directory and was not flushed, or not since it got its name."""
        return [
            path
            for path in root.rglob("*")
            if path.stat().st_ino not in self.contents
            or path.name not in self.contents.get(path.parent.stat().st_ino, ())
        ]


async def test_a_stored_package_is_flushed_with_every_directory_above_it(tmp_path, monkeypatch):
    flushes = Flushes(monkeypatch)
    package = zip_of({"app.py": "", "a/b/c.py": "1", "a/d.py": "2"})
    await FilePackageStore(tmp_path / "code").add(package, lambda _: None)
    assert flushes.missed(tmp_path) == []


async def test_merged_packages_are_flushed_with_every_directory(tmp_path, monkeypatch):
    flushes = Flushes(monkeypatch)
    store = FilePackageStore(tmp_path / "code")
    codes = [await store.add(zip_of({f"a/{name}": name}), lambda _: None) for name in "xy"]
    await store.merge([code.digest for code in codes])
    assert flushes.missed(tmp_path) == []


def test_a_key_is_flushed_before_it_is_used(tmp_path, monkeypatch):
    flushes = Flushes(monkeypatch)
    lasting_key(tmp_path / "a.key")
    assert flushes.missed(tmp_path) == []
