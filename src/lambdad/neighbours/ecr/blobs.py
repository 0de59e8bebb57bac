"""The bytes of layers and configurations: files named by their SHA-256, and pieces on their way.

Decides where bytes are; which of them anybody needs is the rows' business. Everything but `read`
blocks and is for a thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path

from lambdad.domain.errors import PlatformError
from lambdad.neighbours.ecr.upload_rows import Piece
from lambdad.protocol.http import Upload
from lambdad.storage.uploads import UploadedFile, UploadWriter

_BLOCK_BYTES = 1024 * 1024


class BlobFiles:
    """Files below one directory. Immutable."""

    def __init__(self, directory: Path) -> None:
        self._blobs = directory / "blobs"
        self._pieces = directory / "pieces"
        self._joining = directory / "joining"

    def prepare(self) -> None:
        """Make the directories and remove what a killed daemon left half way."""
        for folder in (self._blobs, self._pieces, self._joining):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._joining.iterdir():
            path.unlink()

    def path(self, digest: str) -> Path:
        """Where the bytes of a blob are, if they are here."""
        name = digest.partition(":")[2]
        return self._blobs / name[:2] / name[2:]

    def keep(self, content: bytes | Upload, start: int) -> Piece:
        """Keep a piece of an upload; its file and name are on the disk afterwards."""
        if isinstance(content, bytes):
            writer = UploadWriter(self._pieces)
            writer.write(content)
            content = writer.finish()
        else:
            content.path.rename(self._pieces / content.path.name)
        _flush(self._pieces)
        name = content.path.name
        return Piece(start=start, size=content.size, file=name, sha256=content.sha256)

    def piece(self, piece: Piece) -> Path:
        """Where a piece is."""
        return self._pieces / piece.file

    def join(self, pieces: Sequence[Piece]) -> UploadedFile:
        """Return all pieces in a file of their own; raises FileNotFoundError."""
        writer = UploadWriter(self._joining)
        try:
            for piece in pieces:
                with self.piece(piece).open("rb") as file:
                    while block := file.read(_BLOCK_BYTES):
                        writer.write(block)
            return writer.finish()
        except BaseException:
            writer.discard()
            raise

    def place(self, file: Path, digest: str) -> None:
        """Give a file its place; it and its name are on the disk afterwards."""
        target = self.path(digest)
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _flush(self._blobs)
        if not target.exists():
            file.rename(target)
        _flush(target.parent)

    def digests(self) -> list[str]:
        """Digests of all blobs that are here."""
        folders = list(self._blobs.iterdir())
        return [f"sha256:{each.name}{file.name}" for each in folders for file in each.iterdir()]

    def remove(self, digests: Iterable[str]) -> None:
        """Remove blobs."""
        for digest in digests:
            self.path(digest).unlink(missing_ok=True)

    def keep_pieces(self, names: set[str]) -> None:
        """Remove all pieces but these."""
        for path in self._pieces.iterdir():
            if path.name not in names:
                path.unlink()

    async def read(self, digest: str, first: int, last: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a blob from `first` up to `last`, which is not among them."""
        try:
            descriptor = os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise PlatformError(f"The bytes of {digest} are not there any more.") from error
        try:
            while first < last:
                size = min(_BLOCK_BYTES, last - first)
                piece = await asyncio.to_thread(os.pread, descriptor, size, first)
                if not piece:
                    raise PlatformError(f"{self.path(digest)} is shorter than it was.")
                yield piece
                first += len(piece)
        finally:
            os.close(descriptor)


def _flush(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
