"""The contract of a place where images lie."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

from lambdad.domain.images import ImageReference

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024

# Account and region of a function.
Owner = tuple[str, str]


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


class OwnImages(Protocol):
    """Images that lambdad itself keeps."""

    async def find(
        self, reference: ImageReference, owner: Owner | None
    ) -> tuple[ImageReference, BlobSource] | None:
        """Return an image's name and place here; None if it is not one of lambdad's own.

        `owner` is whose function it is to be, None when that was judged before.

        Raises:
            ImageProblem: it would be here, and is not, or the owner may not have it.
        """
        ...
