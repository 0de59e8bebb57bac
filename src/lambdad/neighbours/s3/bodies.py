"""The bytes of objects: small ones in the database, others in files named by their SHA-256.

Decides where bytes are and when a file may go. Mutable: which files somebody is about to use.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from lambdad.domain.errors import HostUnfit, PlatformError
from lambdad.neighbours.s3 import body_rows
from lambdad.neighbours.s3.model import Segment, Stored
from lambdad.protocol.http import Upload
from lambdad.storage.database import Database
from lambdad.storage.uploads import UploadWriter

# Smaller ones share the database's flush instead of taking one of their own.
INLINE_MAX = 64 * 1024
PIECE_BYTES = 256 * 1024


class Bodies:
    """Puts bytes away and gets them back."""

    def __init__(self, db: Database, directory: Path) -> None:
        self._db = db
        self._files = directory / "objects"
        self.incoming = directory / "incoming"
        self._pins: Counter[str] = Counter()
        self._removing: dict[str, asyncio.Event] = {}
        self._unused: set[str] = set()

    async def open(self) -> None:
        """Make the directories and remove what a killed daemon left half way."""
        await asyncio.to_thread(self._prepare)

    @asynccontextmanager
    async def placed(self, content: bytes | Upload) -> AsyncIterator[Stored]:
        """Put bytes where they stay, if the block stores the result in the database."""
        if not isinstance(content, bytes) and content.size <= INLINE_MAX:
            content = await asyncio.to_thread(content.path.read_bytes)
        if isinstance(content, bytes) and len(content) <= INLINE_MAX:
            yield Stored(size=len(content), data=content)
            return
        digest = _digest(content) if not isinstance(content, bytes) else None
        if digest is None:
            digest = await asyncio.to_thread(_digest, content)
        while (removed := self._removing.get(digest)) is not None:
            await removed.wait()
        self._pins[digest] += 1
        try:
            try:
                await asyncio.to_thread(self._place, content, digest)
            except OSError as error:
                raise HostUnfit(
                    f"An object cannot be stored below {self._files}: {error.strerror}.",
                    "Free space on its file system, or look at the kernel log.",
                ) from error
            size = len(content) if isinstance(content, bytes) else content.size
            yield Stored(size=size, digest=digest)
        finally:
            self._pins[digest] -= 1
            if not self._pins[digest]:
                del self._pins[digest]

    async def pieces(
        self, segments: Sequence[Segment], start: int, length: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield `length` bytes of an object from `start` on."""
        end = start + length
        for segment in segments:
            first = max(start - segment.start, 0)
            last = min(end - segment.start, segment.size)
            if first >= last:
                continue
            if segment.data is not None:
                yield segment.data[first:last]
            elif segment.digest is not None:
                async for piece in self._file_pieces(segment.digest, first, last):
                    yield piece

    async def _file_pieces(self, digest: str, first: int, last: int) -> AsyncGenerator[bytes, None]:
        try:
            descriptor = os.open(self._path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise PlatformError("An object went away while it was read.") from error
        try:
            while first < last:
                size = min(PIECE_BYTES, last - first)
                piece = await asyncio.to_thread(os.pread, descriptor, size, first)
                if not piece:
                    raise PlatformError(f"{self._path(digest)} is shorter than it was.")
                yield piece
                first += len(piece)
        finally:
            os.close(descriptor)

    async def collect(self) -> None:
        """Remove files that no body has had since the last call: nobody reads them any longer."""
        unused, self._unused = self._unused, set(await self._db.read(body_rows.garbage))
        for digest in unused & self._unused:
            if self._pins[digest] or digest in self._removing:
                continue
            await self._remove_stray(digest)
            await self._db.write(partial(body_rows.forget, digest=digest))

    async def _remove_stray(self, digest: str) -> None:
        removed = self._removing[digest] = asyncio.Event()
        try:
            if not await self._db.read(partial(body_rows.is_used, digest=digest)):
                await asyncio.to_thread(self._path(digest).unlink, missing_ok=True)
        finally:
            del self._removing[digest]
            removed.set()

    async def remove_strays(self) -> None:
        """Remove files that were placed by a daemon that then was killed; once, at the start."""
        for digest in await asyncio.to_thread(self._names):
            used = await self._db.read(partial(body_rows.is_used, digest=digest))
            if not used and not self._pins[digest] and digest not in self._removing:
                await self._remove_stray(digest)

    def _path(self, digest: str) -> Path:
        return self._files / digest[:2] / digest[2:]

    def _prepare(self) -> None:
        self.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _names(self) -> list[str]:
        return [
            folder.name + file.name for folder in self._files.iterdir() for file in folder.iterdir()
        ]

    def _place(self, content: bytes | Upload, digest: str) -> None:
        """Give the file its name; file and name are on the disk afterwards."""
        target = self._path(digest)
        if target.exists():
            _flush(target.parent)
            return
        if isinstance(content, bytes):
            writer = UploadWriter(self.incoming)
            writer.write(content)
            content = writer.finish()
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _flush(self._files)
        content.path.rename(target)
        _flush(target.parent)


def _digest(content: bytes | Upload) -> str:
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else content.sha256


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
