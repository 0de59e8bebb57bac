"""How bytes come into a repository: piece by piece, compared with their digest at the end.

An upload outlives the daemon: what was acknowledged is on the disk. Mutable: nothing but the lock
that is held while a file and the rows that name it come or go.
"""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.ecr import rows, upload_rows
from lambdad.neighbours.ecr.blobs import BlobFiles
from lambdad.neighbours.ecr.model import Repository
from lambdad.neighbours.ecr.upload_rows import NotNext, NoUpload, Piece
from lambdad.protocol.http import Upload
from lambdad.storage.database import Database


class WrongDigest(Exception):
    """What came is not what its digest says.

    Attributes:
        digest: of what came.
    """

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.digest = digest


class Uploads:
    """Uploads of all repositories."""

    def __init__(self, db: Database, files: BlobFiles, clock: Clock) -> None:
        self._db = db
        self._files = files
        self._clock = clock
        self._changing = asyncio.Lock()

    async def begin(self, repository: Repository) -> str:
        """Begin an upload and return its identifier; see `upload_rows.begin`."""
        upload_id = str(uuid.uuid4())
        job = partial(
            upload_rows.begin, key=repository.key, upload_id=upload_id, now_ms=self._now_ms()
        )
        await self._db.write(job)
        return upload_id

    async def size(self, repository: Repository, upload_id: str) -> int:
        """Return how many bytes have come; raises `NoUpload`."""
        job = partial(upload_rows.size, key=repository.key, upload_id=upload_id)
        return await self._db.read(job)

    async def append(
        self, repository: Repository, upload_id: str, content: bytes | Upload, start: int | None
    ) -> int:
        """Add the next bytes of an upload and return how many there are.

        `start` is where they begin, None for wherever the upload ends.

        Raises:
            NoUpload, NotNext, TooMany: see `upload_rows.append`.
        """
        async with self._changing:
            so_far = await self.size(repository, upload_id)
            if start is not None and start != so_far:
                raise NotNext(so_far)
            with _explained():
                piece = await asyncio.to_thread(self._files.keep, content, so_far)
            job = partial(
                upload_rows.append,
                key=repository.key,
                upload_id=upload_id,
                piece=piece,
                now_ms=self._now_ms(),
            )
            try:
                return await self._db.write(job)
            except Exception:
                await asyncio.to_thread(self._remove, [piece])
                raise

    async def complete(self, repository: Repository, upload_id: str, digest: str) -> int:
        """Make a blob of what was uploaded and return its size.

        Raises:
            NoUpload, Gone: there is no such upload, or no such repository any more.
            WrongDigest: it is something else; the upload is over.
        """
        key = repository.key
        pieces = await self._db.read(partial(upload_rows.pieces, key=key, upload_id=upload_id))
        async with self._joined(pieces) as (file, found, size):
            if found != digest:
                await self.cancel(repository, upload_id)
                raise WrongDigest(found)
            async with self._changing:
                await self.size(repository, upload_id)
                with _explained():
                    await asyncio.to_thread(self._files.place, file, digest)

                def job(db: sqlite3.Connection) -> None:
                    upload_rows.end(db, key, upload_id)
                    rows.put_blob(db, key, digest, size, self._now_ms())

                await self._db.write(job)
        await asyncio.to_thread(self._remove, pieces)
        return size

    async def cancel(self, repository: Repository, upload_id: str) -> None:
        """Forget an upload; raises `NoUpload`."""
        key = repository.key
        pieces = await self._db.read(partial(upload_rows.pieces, key=key, upload_id=upload_id))
        await self._db.write(partial(upload_rows.end, key=key, upload_id=upload_id))
        await asyncio.to_thread(self._remove, pieces)

    async def collect(self) -> None:
        """Remove the files that no row names, after forgetting what was not used for long."""
        now_ms = self._now_ms()
        async with self._changing:
            await self._db.write(partial(upload_rows.forget_idle, now_ms=now_ms))
            await self._db.write(partial(rows.forget_unused, now_ms=now_ms))
            names = await self._db.read(upload_rows.files)
            await asyncio.to_thread(self._files.keep_pieces, names)
            digests = await asyncio.to_thread(self._files.digests)
            unknown = await self._db.read(partial(rows.unknown_blobs, digests=digests))
            await asyncio.to_thread(self._files.remove, unknown)

    @asynccontextmanager
    async def _joined(self, pieces: Sequence[Piece]) -> AsyncIterator[tuple[Path, str, int]]:
        """Have all pieces in one file, with their digest and size."""
        if len(pieces) == 1:
            piece = pieces[0]
            yield self._files.piece(piece), f"sha256:{piece.sha256}", piece.size
            return
        try:
            with _explained():
                joined = await asyncio.to_thread(self._files.join, pieces)
        except FileNotFoundError as error:  # somebody cancelled it meanwhile
            raise NoUpload from error
        try:
            yield joined.path, f"sha256:{joined.sha256}", joined.size
        finally:
            joined.discard()

    def _remove(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            self._files.piece(piece).unlink(missing_ok=True)

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1_000)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise HostUnfit(
            f"A layer cannot be stored: {error.strerror or error}.",
            "Free space on the file system of the data directory, or look at the kernel log.",
        ) from error
