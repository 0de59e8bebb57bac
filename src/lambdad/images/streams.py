"""Streams that count, hash and decompress what passes through them."""

from __future__ import annotations

import hashlib
import io
import zlib
from typing import BinaryIO, Protocol, cast

import zstandard

from lambdad.domain.images import ImageProblem
from lambdad.images.manifest import too_large

_BLOCK_BYTES = 256 * 1024
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
# The most that a frame may make its reader keep; 8 MiB is what every reader must take.
_ZSTD_WINDOW_BYTES = 128 * 1024 * 1024


class Readable(Protocol):
    """What can be read."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, none at the end."""
        ...


class Counted:
    """Passes a stream on, knows its digest and its size, and refuses to pass too much.

    Attributes:
        count: bytes so far.
    """

    def __init__(self, source: Readable, limit: int) -> None:
        self.count = 0
        self._source = source
        self._limit = limit
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """Of what was read so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def read(self, size: int = -1, /) -> bytes:
        """See `Readable`; raises `ImageProblem` beyond the limit."""
        content = self._source.read(size if 0 <= size <= _BLOCK_BYTES else _BLOCK_BYTES)
        self.count += len(content)
        if self.count > self._limit:
            raise too_large()
        self._hash.update(content)
        return content

    def drain(self) -> None:
        """Read to the end: what follows an archive belongs to its digest."""
        while self.read(_BLOCK_BYTES):
            pass


class _Joined:
    """A stream of which the beginning was read already."""

    def __init__(self, beginning: bytes, source: Readable) -> None:
        self._beginning = beginning
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        if self._beginning:
            part = self._beginning if size < 0 else self._beginning[:size]
            self._beginning = self._beginning[len(part) :]
            return part
        return self._source.read(size)


class _Gzip:
    """Inflates; several members behind each other are one stream."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._pending = b""

    def read(self, size: int = -1, /) -> bytes:
        size = _BLOCK_BYTES if size < 0 else size
        while True:
            if self._inflate.eof:
                self._pending = self._inflate.unused_data or self._source.read(_BLOCK_BYTES)
                if not self._pending.strip(b"\0"):
                    return b""
                self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
            elif not self._pending:
                self._pending = self._source.read(_BLOCK_BYTES)
                if not self._pending:
                    raise EOFError("it ends too early")
            content = self._inflate.decompress(self._pending, size)
            self._pending = self._inflate.unconsumed_tail
            if content:
                return content


def decompressed(source: Readable) -> Readable:
    """Return what is in a stream: gzip and zstd are told by how they begin, not by their names."""
    beginning = b""
    while len(beginning) < len(_ZSTD) and (more := source.read(len(_ZSTD) - len(beginning))):
        beginning += more
    whole = _Joined(beginning, source)
    if beginning.startswith(_GZIP):
        return _Gzip(whole)
    if beginning == _ZSTD:
        reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        stream = reader.stream_reader(cast("BinaryIO", whole), read_across_frames=True)
        return cast("Readable", stream)
    return whole


def limited(source: Readable, limit: int) -> bytes:
    """Return all of a document that holds at most so much.

    Raises:
        ImageProblem: it is larger.
    """
    content = io.BytesIO()
    while block := source.read(_BLOCK_BYTES):
        content.write(block)
        if content.tell() > limit:
            raise ImageProblem(f"A document of the image is larger than {limit} bytes.")
    return content.getvalue()
