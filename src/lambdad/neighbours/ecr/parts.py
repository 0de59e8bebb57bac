"""All repositories of this daemon, the bytes in them, and what is uploaded to them.

Mutable: the repositories, on the event loop alone and only after the database has changed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Self

from lambdad.authz.policies import account_root
from lambdad.domain.clock import Clock
from lambdad.domain.errors import LambdadError
from lambdad.domain.images import ImageDenied, ImageReference
from lambdad.neighbours import documents
from lambdad.neighbours.ecr import rows
from lambdad.neighbours.ecr.access import Grant, may, seal, unseal
from lambdad.neighbours.ecr.blobs import BlobFiles
from lambdad.neighbours.ecr.errors import no_repository
from lambdad.neighbours.ecr.model import Manifest, Repository
from lambdad.neighbours.ecr.source import RepositorySource
from lambdad.neighbours.ecr.uploads import Uploads
from lambdad.neighbours.hosting import Setup
from lambdad.storage.database import Database

_SWEEP_S = 3_600.0
_REPOSITORY = "repository"
_SEAL = "seal"
_READ = "ecr:BatchGetImage"
_LOGGER = logging.getLogger(__name__)


class Registry:
    """What ECR's operations and the clients of its registry call."""

    def __init__(self, db: Database, files: BlobFiles, clock: Clock, key: bytes) -> None:
        self.db = db
        self.files = files
        self.clock = clock
        self.uploads = Uploads(db, files, clock)
        self._key = key
        self._repositories: dict[str, Repository] = {}
        self._naming = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._swept = asyncio.Event()

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open the database and load the repositories."""
        db = setup.database()
        await db.open()
        files = BlobFiles(setup.directory)
        await asyncio.to_thread(files.prepare)
        registry = cls(db, files, setup.clock, await _key(db))
        for document in (await db.read(partial(documents.load, kind=_REPOSITORY))).values():
            repository = Repository(**document)
            registry._repositories[repository.key] = repository
        setup.spawn(registry._run())
        return registry

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Stop what runs, then close the database."""
        self._stopping.set()
        await self._swept.wait()
        await self.db.close()

    def now_ms(self) -> int:
        """The time, in milliseconds since 1970."""
        return int(self.clock.time() * 1_000)

    def password(self, grant: Grant) -> str:
        """Return a password that speaks for somebody."""
        return seal(grant, self._key)

    def granted(self, password: str) -> Grant | None:
        """Return whom a password speaks for, if it is one."""
        return unseal(password, self._key, now_s=self.clock.time())

    def find(self, account_id: str, region: str, name: str) -> Repository:
        """Return a repository.

        Raises:
            RepositoryNotFoundException: there is none of that name.
        """
        repository = self._repositories.get(f"{account_id}/{region}/{name}")
        if repository is None:
            raise no_repository(account_id, name)
        return repository

    def of(self, account_id: str, region: str) -> list[Repository]:
        """Return an account's repositories."""
        owner = (account_id, region)
        return [
            each for each in self._repositories.values() if (each.account_id, each.region) == owner
        ]

    async def create(self, repository: Repository) -> bool:
        """Store a repository; False if there is one of that name."""
        async with self._naming:
            if repository.key in self._repositories:
                return False
            await self._store(repository)
            return True

    async def change(
        self, repository: Repository, change: Callable[[Repository], Repository]
    ) -> Repository:
        """Store what `change` makes of a repository as it is now, and return that.

        Raises:
            RepositoryNotFoundException: it was deleted meanwhile.
        """
        async with self._naming:
            current = self.find(repository.account_id, repository.region, repository.name)
            changed = change(current)
            await self._store(changed)
            return changed

    async def remove(self, repository: Repository, *, force: bool) -> bool:
        """Remove a repository; False if there are images in it, and no force."""

        def then(removed: bool) -> None:
            if removed:
                self._repositories.pop(repository.key, None)

        job = partial(rows.remove_repository, key=repository.key, force=force)
        async with self._naming:
            return await self.db.write(job, then=then)

    async def _store(self, repository: Repository) -> None:
        job = partial(
            documents.put, kind=_REPOSITORY, key=repository.key, document=repository.document()
        )

        def then(_: None) -> None:
            self._repositories[repository.key] = repository

        await self.db.write(job, then=then)

    def source(
        self, account_id: str, region: str, reference: ImageReference, *, reader: str | None
    ) -> RepositorySource | None:
        """See `lambdad.neighbours.images.Repositories`."""
        name = reference.repository
        repository = self._repositories.get(f"{account_id}/{region}/{name}")
        if repository is None:
            return None
        now = self.clock.now()
        if reader is not None and not may(repository, account_root(reader), _READ, now=now):
            raise ImageDenied(
                f"The account {reader} may not read the repository {repository.arn}. Allow it "
                f"{_READ} in the policy of that."
            )
        return RepositorySource(self.db, self.files, repository, reference.tag)

    async def put_image(self, repository: Repository, manifest: Manifest, tag: str | None) -> bool:
        """Store an image; see `rows.put_image`."""
        return await self.db.write(
            partial(
                rows.put_image,
                repository=repository,
                manifest=manifest,
                tag=tag,
                now_ms=self.now_ms(),
            )
        )

    async def find_image(
        self, repository: Repository, digest: str | None, tag: str | None
    ) -> tuple[rows.ImageRow, bytes] | None:
        """Return an image with its manifest, by digest or tag or both."""
        job = partial(rows.find, key=repository.key, digest=digest, tag=tag)
        return await self.db.read(job)

    async def size_of(self, repository: Repository, digest: str) -> int | None:
        """Return the size of a blob that a repository has."""
        return await self.db.read(partial(rows.size_of, key=repository.key, digest=digest))

    async def _run(self) -> None:
        """Remove, now and then, what nobody has any more."""
        try:
            while not self._stopping.is_set():
                try:
                    await self.uploads.collect()
                except (LambdadError, OSError):
                    _LOGGER.exception("layers that nobody has any more could not be removed")
                try:
                    async with asyncio.timeout(_SWEEP_S):
                        await self._stopping.wait()
                except TimeoutError:
                    continue
        finally:
            self._swept.set()


async def _key(db: Database) -> bytes:
    """Return the secret that seals passwords, made the first time."""

    def job(connection: sqlite3.Connection) -> str:
        found = documents.load(connection, _SEAL).get(_SEAL)
        if found is None:
            found = {"key": secrets.token_hex(32)}
            documents.put(connection, _SEAL, _SEAL, found)
        return str(found["key"])

    return bytes.fromhex(await db.write(job))
