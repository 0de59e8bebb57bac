"""Request bodies that are too large for memory: files, flushed before anybody reads of them.

Decides where their bytes are while nobody has taken them, and that they are gone if nobody does.
Whose they are and what they mean is their receiver's business.
"""

from __future__ import annotations

import asyncio
import hashlib
import mmap
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lambdad.storage.data_dir import FILE_MODE

# A connection stops reading while so much waits for the disk.
BEHIND_BYTES = 4 * 1024 * 1024


class UploadedFile:
    """A whole body in a file that its receiver may rename. See `protocol.http.Upload`.

    Attributes:
        sha256: in hexadecimal digits.
        md5: in hexadecimal digits.
    """

    def __init__(self, path: Path, size: int, sha256: str, md5: str) -> None:
        self.path = path
        self.size = size
        self.sha256 = sha256
        self.md5 = md5

    def discard(self) -> None:
        """Remove the file, unless somebody renamed it."""
        self.path.unlink(missing_ok=True)

    def rewritten(
        self, rewrite: Callable[[mmap.mmap, Callable[[memoryview], None]], None]
    ) -> UploadedFile:
        """Return what `rewrite` makes of the bytes, in a file of its own; blocks."""
        writer = UploadWriter(self.path.parent)
        try:
            with self.path.open("rb") as file:
                # Not closed: views of it may still be held by an error on its way up.
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                rewrite(content, writer.write)
            return writer.finish()
        except BaseException:
            writer.discard()
            raise


class UploadWriter:
    """Writes one file from any one thread at a time; blocks. Mutable: the file and its digests."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = directory / secrets.token_hex(16)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(self.path, flags, FILE_MODE)
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._size = 0

    def write(self, piece: bytes | memoryview) -> None:
        """Append bytes."""
        self._sha256.update(piece)
        self._md5.update(piece)
        self._size += len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(self._file, view) :]

    def finish(self) -> UploadedFile:
        """Flush and close the file."""
        os.fsync(self._file)
        self._close()
        return UploadedFile(self.path, self._size, self._sha256.hexdigest(), self._md5.hexdigest())

    def discard(self) -> None:
        """Close and remove the file."""
        self._close()
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Uploads:
    """Makes spools for the bodies that come in. Mutable: the threads that write."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="upload")

    def clear(self) -> None:
        """Remove what a killed daemon left half way; blocks, and only before the first spool."""
        if self._directory.is_dir():
            for path in self._directory.iterdir():
                path.unlink()

    def spool(self) -> Spool:
        """Return a place for one body."""
        return Spool(self._directory, self._threads)

    def close(self) -> None:
        """Wait for the writes that were begun."""
        self._threads.shutdown(wait=True)


class Spool:
    """Takes a body piece by piece on the event loop, and writes it on threads.

    Mutable: the pieces that wait, and the one write that is under way.
    """

    def __init__(self, directory: Path, threads: ThreadPoolExecutor) -> None:
        self._directory = directory
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._writer: UploadWriter | None = None
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._running: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._abandoned = False
        self.on_room: Callable[[], None] | None = None

    @property
    def behind(self) -> bool:
        """Whether too much waits; `on_room` is called when it no longer does."""
        return self._bytes > BEHIND_BYTES

    def take(self, piece: bytes) -> None:
        """Take the next bytes; an error of the disk is told by :meth:`finish`."""
        self._waiting.append(piece)
        self._bytes += len(piece)
        if self._running is None:
            self._write_next()

    async def finish(self) -> UploadedFile:
        """Return the file once all of it is on the disk.

        Raises:
            OSError: it could not be written.
        """
        while self._running is not None:
            await asyncio.wait([self._running])
        if self._failure is not None:
            raise self._failure
        return await self._loop.run_in_executor(self._threads, self._finish)

    def discard(self) -> None:
        """Forget it, because its request will never be whole."""
        self._abandoned = True
        self._waiting.clear()
        if self._running is None:
            self._begin_removal()

    def _write_next(self) -> None:
        pieces, self._waiting = self._waiting, []
        self._running = self._loop.run_in_executor(self._threads, self._write, pieces)
        self._running.add_done_callback(self._written)

    def _written(self, done: asyncio.Future[None]) -> None:
        self._running = None
        self._failure = self._failure or (None if done.cancelled() else done.exception())
        was_behind = self.behind
        self._bytes = sum(map(len, self._waiting))
        if self._abandoned or self._failure is not None:
            self._waiting.clear()
            self._bytes = 0
            self._begin_removal()
        elif self._waiting:
            self._write_next()
        if was_behind and not self.behind and self.on_room is not None:
            self.on_room()

    def _write(self, pieces: list[bytes]) -> None:
        if self._writer is None:
            self._writer = UploadWriter(self._directory)
        for piece in pieces:
            self._writer.write(piece)

    def _finish(self) -> UploadedFile:
        if self._writer is None:
            self._writer = UploadWriter(self._directory)
        return self._writer.finish()

    def _begin_removal(self) -> None:
        try:
            self._threads.submit(self._remove)
        except RuntimeError:  # the daemon ends: nobody writes any more
            self._remove()

    def _remove(self) -> None:
        if self._writer is not None:
            self._writer.discard()
