"""The contract of a place where images lie."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024


class BlobSource(Protocol):
    """One image's place. Methods block; for a thread. What they give is not verified yet."""

    def manifest(self, digest: str | None) -> bytes:
        """Return a manifest or an index: the one of this digest, else what the reference names.

        Raises:
            ImageProblem: it is not there, not given or too large.
        """
        ...

    def blob(self, digest: str) -> AbstractContextManager[BinaryIO]:
        """Open a blob to be read from its beginning; raises as :meth:`manifest`."""
        ...
