"""Images of a repository as functions are made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, TypeVar

from lambdad.domain.images import ImageAbsent
from lambdad.neighbours.ecr import rows
from lambdad.neighbours.ecr.blobs import BlobFiles
from lambdad.neighbours.ecr.model import Repository
from lambdad.storage.database import Database, Job

T = TypeVar("T")

_PATIENCE_S = 60.0


class RepositorySource:
    """One repository; see `lambdad.images.base.BlobSource`.

    Made on the event loop that the database belongs to, used in threads.
    """

    def __init__(
        self, db: Database, files: BlobFiles, repository: Repository, tag: str | None
    ) -> None:
        self._db = db
        self._files = files
        self._repository = repository
        self._tag = tag
        self._loop = asyncio.get_running_loop()

    def manifest(self, digest: str | None) -> bytes:
        """See `BlobSource`."""
        tag = (self._tag or "latest") if digest is None else None
        found = self._ask(partial(rows.find, key=self._repository.key, digest=digest, tag=tag))
        if found is None:
            raise ImageAbsent(f"The repository {self._repository.name} has no {digest or tag}.")
        return found[1]

    @contextmanager
    def blob(self, digest: str) -> Iterator[BinaryIO]:
        """See `BlobSource`."""
        there = self._ask(partial(rows.size_of, key=self._repository.key, digest=digest))
        try:
            if there is None:
                raise FileNotFoundError(digest)
            file = self._files.path(digest).open("rb")
        except FileNotFoundError as error:
            raise ImageAbsent(
                f"The repository {self._repository.name} lacks the layer {digest}."
            ) from error
        with file:
            yield file

    def _ask(self, job: Job[T]) -> T:
        asked = asyncio.run_coroutine_threadsafe(self._db.read(job), self._loop)
        return asked.result(_PATIENCE_S)
