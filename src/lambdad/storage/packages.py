"""Function code on disk, by content.

`<root>/<sha256>/package.zip` is what was uploaded and `<root>/<sha256>/tree` what was in it. A
package appears by one rename after all of it has reached the disk, so what is there is whole.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lambdad.domain.errors import HostUnfit
from lambdad.domain.functions import Code
from lambdad.storage.data_dir import DIRECTORY_MODE, FILE_MODE
from lambdad.storage.unzip import unzip

ARCHIVE = "package.zip"
TREE = "tree"

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
        async with self._marking:
            self._adding[code.digest] += 1
            lock = self._locks.setdefault(code.digest, asyncio.Lock())
        try:
            async with lock, self._unpackers:
                await asyncio.to_thread(self._ensure, code.digest, package)
        finally:
            self._adding[code.digest] -= 1
            if not self._adding[code.digest]:
                del self._adding[code.digest]
                del self._locks[code.digest]
        return code

    def tree(self, digest: str) -> Path:
        """Directory with the unpacked package."""
        return self._root / digest / TREE

    def archive(self, digest: str) -> Path:
        """The zip itself."""
        return self._root / digest / ARCHIVE

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

    def _ensure(self, digest: str, package: bytes) -> None:
        target = self._root / digest
        if target.is_dir():
            return
        stage = self._root / (self._stage + secrets.token_hex(8))
        try:
            with _explained(self._root):
                self._root.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
                stage.mkdir(mode=0o700)
                _write_durably(stage / ARCHIVE, package)
                unzip(package, stage / TREE)
                stage.chmod(DIRECTORY_MODE)
                _sync(stage)
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


def _sync(directory: Path) -> None:
    """Flush a directory and all files and directories below it.

    After all was written: the first flush then commits what most of the others wait for.
    """
    for parent, _, names in os.walk(directory):
        for name in names:
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
