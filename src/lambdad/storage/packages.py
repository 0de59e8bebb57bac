"""Function code on disk, by content.

`<root>/<sha256>/package.zip` is what was uploaded and `<root>/<sha256>/tree` what was in it. Where
several packages are laid over each other there is a `tree` alone. Each appears by one rename after
all of it has reached the disk, so what is there is whole. Beside it may be files that were made of
it and go with it.
What a zip may contain is decided in :mod:`lambdad.storage.unzip`.

Mutable state: digests that are being added, which `collect` leaves alone.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import os
import secrets
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from lambdad.domain.errors import HostUnfit
from lambdad.domain.functions import Code
from lambdad.domain.layers import merged_digest
from lambdad.storage.data_dir import DIRECTORY_MODE, FILE_MODE
from lambdad.storage.trees import merge_trees, tree_bytes
from lambdad.storage.unzip import unzip

ARCHIVE = "package.zip"
TREE = "tree"
_MADE = ".made"

# Names of directories on their way in and out; no digest begins like this.
_STAGE = ".adding-"
_TRASH = ".removing-"

# Inflating is bound by the processor; more at once would only take more memory and disk queue.
UNPACKERS = 2


class FilePackageStore:
    """See :class:`lambdad.storage.base.PackageStore`; used from one event loop.

    A digest that was returned by :meth:`add` and is not stored anywhere yet is the caller's to
    protect from :meth:`collect`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._adding: Counter[str] = Counter()
        # Tells stages of this store, which end by themselves, from those of killed ones.
        self._stage = f"{_STAGE}{secrets.token_hex(8)}-"
        self._locks: dict[str, asyncio.Lock] = {}
        self._unpackers = asyncio.Semaphore(UNPACKERS)
        # Held while it is decided which packages are unused.
        self._marking = asyncio.Lock()
        self._collecting = asyncio.Lock()

    async def add(self, package: bytes, check: Callable[[bytes], None]) -> Code:
        """Store and unpack a zip once.

        Raises:
            InvalidParameterValueException: it is not a zip that AWS would take.
            HostUnfit: the disk is full or failed; nothing is left of the package.
        """
        code = await asyncio.to_thread(_examine, package, check)
        async with self._making(code.digest):
            await asyncio.to_thread(self._ensure, code.digest, lambda at: _unpack(package, at))
        return code

    async def merge(self, digests: Sequence[str]) -> None:
        """Lay packages over each other once.

        Raises:
            HostUnfit: one of them is gone, or the disk is full or failed.
        """
        digest = merged_digest(digests)
        # A look at a directory is far cheaper than a thread, and nearly every call ends here.
        if (self._root / digest).is_dir():
            return
        trees = [self.tree(one) for one in digests]
        async with self._making(digest):
            await asyncio.to_thread(self._ensure, digest, lambda at: _merge(trees, at))

    async def unpacked_bytes(self, digest: str) -> int:
        """Return the size of all files of a package together."""
        return await asyncio.to_thread(tree_bytes, self.tree(digest))

    def tree(self, digest: str) -> Path:
        """Directory with the unpacked package."""
        return self._root / digest / TREE

    def archive(self, digest: str) -> Path:
        """The zip itself."""
        return self._root / digest / ARCHIVE

    def made(self, digest: str, name: str) -> Path:
        """Where a file is that was made of a package by :meth:`make`, if it was."""
        return self._root / digest / f"{name}{_MADE}"

    async def make(self, digest: str, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Make a file of a package, to be kept as long as that.

        `write` is called in a thread; when it raises, nothing is kept. It does not keep
        :meth:`collect` from the package: then nothing is kept either.

        Raises:
            HostUnfit: the disk is full or failed, or the package is gone.
        """
        await asyncio.to_thread(self._make, self.made(digest, name), write)

    def _make(self, target: Path, write: Callable[[BinaryIO], None]) -> None:
        stage = self._root / (self._stage + secrets.token_hex(8))
        try:
            with _explained(self._root):
                stage.mkdir(mode=0o700)
                with (stage / target.name).open("xb") as file:
                    write(file)
                    file.flush()
                    os.fchmod(file.fileno(), FILE_MODE)
                    os.fsync(file.fileno())
                (stage / target.name).rename(target)
        finally:
            if stage.exists():
                shutil.rmtree(stage)

    async def collect(self, used: frozenset[str]) -> int:
        """Remove packages that are not in `used` and leftovers of killed writers.

        Returns how many packages went.
        """
        async with self._collecting:
            async with self._marking:
                keep = used | self._adding.keys()
                unused = await asyncio.to_thread(self._mark, keep)
            await asyncio.to_thread(self._sweep)
        return unused

    @asynccontextmanager
    async def _making(self, digest: str) -> AsyncIterator[None]:
        """Be the only one that makes this directory, and keep :meth:`collect` from it."""
        async with self._marking:
            self._adding[digest] += 1
            lock = self._locks.setdefault(digest, asyncio.Lock())
        try:
            async with lock, self._unpackers:
                yield
        finally:
            self._adding[digest] -= 1
            if not self._adding[digest]:
                del self._adding[digest]
                del self._locks[digest]

    def _ensure(self, digest: str, fill: Callable[[Path], None]) -> None:
        target = self._root / digest
        if target.is_dir():
            return
        stage = self._root / (self._stage + secrets.token_hex(8))
        try:
            with _explained(self._root):
                if not self._root.is_dir():
                    self._root.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
                    _flush(self._root.parent)
                stage.mkdir(mode=0o700)
                fill(stage)
                stage.chmod(DIRECTORY_MODE)
                _flush(stage)
                _appear(stage, target)
        finally:
            if stage.exists():
                shutil.rmtree(stage)

    def _mark(self, keep: frozenset[str]) -> int:
        unused = [path for path in self._packages() if path.name not in keep]
        for path in unused:
            path.rename(self._root / (_TRASH + secrets.token_hex(8)))
        return len(unused)

    def _packages(self) -> list[Path]:
        if not self._root.is_dir():
            return []
        return [path for path in self._root.iterdir() if not path.name.startswith(".")]

    def _sweep(self) -> None:
        if not self._root.is_dir():
            return
        for path in list(self._root.iterdir()):
            abandoned = path.name.startswith(_STAGE) and not path.name.startswith(self._stage)
            if abandoned or path.name.startswith(_TRASH):
                shutil.rmtree(path)


def _unpack(package: bytes, directory: Path) -> None:
    _write_durably(directory / ARCHIVE, package)
    unzip(package, directory / TREE)
    _sync(directory / TREE)


def _merge(trees: Sequence[Path], directory: Path) -> None:
    merge_trees(trees, directory / TREE)
    # Their files have been on the disk for long: only their new names have not.
    _sync(directory / TREE, files=False)


def _examine(package: bytes, check: Callable[[bytes], None]) -> Code:
    check(package)
    digest = hashlib.sha256(package)
    return Code(
        sha256=base64.b64encode(digest.digest()).decode("ascii"),
        size_bytes=len(package),
        digest=digest.hexdigest(),
    )


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HostUnfit(
                f"No space is left for function code below {root}.",
                "Free space on its file system and try again.",
            ) from error
        raise HostUnfit(
            f"Function code cannot be stored below {root}: {error.strerror}.",
            "Make it writable for the user that runs lambdad; look at the kernel log.",
        ) from error


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync(directory: Path, *, files: bool = True) -> None:
    """Flush a directory and all files and directories below it; without `files`, the directories.

    After all was written: the first flush then commits what most of the others wait for.
    """
    for parent, _, names in os.walk(directory):
        for name in names if files else ():
            path = os.path.join(parent, name)  # noqa: PTH118 - many thousands of them
            if not os.path.islink(path):  # noqa: PTH114
                _flush(path)
        _flush(parent)


def _flush(path: str | Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _appear(stage: Path, target: Path) -> None:
    try:
        stage.rename(target)
    except OSError as error:
        # A cancelled call may have left its thread at work on the same content.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    _flush(target.parent)
