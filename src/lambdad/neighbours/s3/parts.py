"""All buckets of this daemon, and what is done in them without being asked.

Mutable: the buckets by name, on the event loop alone and only after the database has changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any, Self

from lambdad.authz.policies import account_root
from lambdad.domain.clock import Clock
from lambdad.domain.errors import LambdadError
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.pushing import FunctionPush
from lambdad.neighbours.s3 import bucket_rows, object_rows
from lambdad.neighbours.s3.access import may
from lambdad.neighbours.s3.bodies import Bodies
from lambdad.neighbours.s3.errors import access_denied, no_bucket, no_key, no_version
from lambdad.neighbours.s3.expiry import expire
from lambdad.neighbours.s3.model import Bucket, Version, to_text
from lambdad.neighbours.s3.object_rows import Change, Removal
from lambdad.neighbours.s3.outbox import Outbox
from lambdad.neighbours.s3.outbox_rows import Message
from lambdad.storage.database import Database

_SWEEP_S = 60.0
# What expires does so at midnight.
_LIFECYCLES_S = 1_800.0
_ABSENT: Any = object()
_LOGGER = logging.getLogger(__name__)


class Buckets:
    """What S3's operations call."""

    def __init__(self, db: Database, bodies: Bodies, outbox: Outbox, setup: Setup) -> None:
        self.db = db
        self.bodies = bodies
        self.outbox = outbox
        self.clock: Clock = setup.clock
        self.functions: FunctionPush = setup.functions
        self._buckets: dict[str, Bucket] = {}
        self._creating = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._swept = asyncio.Event()
        self._followed_s: float | None = None

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open the database, load the buckets and go on with what was begun."""
        db = setup.database()
        await db.open()
        bodies = Bodies(db, setup.directory)
        await bodies.open()
        buckets = cls(db, bodies, Outbox(db, setup), setup)
        for bucket in await db.read(bucket_rows.all_buckets):
            buckets._buckets[bucket.name] = bucket
        setup.spawn(buckets.outbox.run())
        setup.spawn(buckets._run())
        return buckets

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Stop what runs, then close the database."""
        self._stopping.set()
        await self.outbox.close()
        await self._swept.wait()
        await self.db.close()

    def now_ms(self) -> int:
        """The time, in milliseconds since 1970."""
        return int(self.clock.time() * 1_000)

    def find(self, name: str) -> Bucket:
        """Return a bucket.

        Raises:
            S3Error: there is none: `NoSuchBucket`.
        """
        bucket = self._buckets.get(name)
        if bucket is None:
            raise no_bucket(name)
        return bucket

    def all(self) -> list[Bucket]:
        """Return every bucket, by name."""
        return sorted(self._buckets.values(), key=lambda bucket: bucket.name)

    async def create(self, bucket: Bucket) -> Bucket:
        """Store a bucket, unless there is one of that name; returns the one that is there."""
        async with self._creating:
            existing = self._buckets.get(bucket.name)
            if existing is not None:
                return existing
            text = to_text(bucket.settings)
            bucket.id = await self.db.write(
                partial(bucket_rows.insert, bucket=bucket, settings=text)
            )
            self._buckets[bucket.name] = bucket
            return bucket

    async def delete(self, bucket: Bucket) -> None:
        """Forget a bucket.

        Raises:
            S3Error: it is not empty.
        """
        await self.db.write(partial(bucket_rows.remove, bucket=bucket))
        if self._buckets.get(bucket.name) is bucket:
            del self._buckets[bucket.name]

    async def configure(
        self, bucket: Bucket, name: str, value: Any, messages: Sequence[Message] = ()
    ) -> None:
        """Store one setting of a bucket."""
        await self._configure(bucket, {name: value}, messages)

    async def forget(self, bucket: Bucket, name: str, *, for_good: bool = False) -> None:
        """Remove a setting; `for_good` remembers that even its default is not wanted."""
        await self._configure(bucket, {name: None if for_good else _ABSENT}, ())

    async def _configure(
        self, bucket: Bucket, changes: Mapping[str, Any], messages: Sequence[Message]
    ) -> None:
        async with self._creating:
            both = {**bucket.settings, **changes}
            settings = {name: value for name, value in both.items() if value is not _ABSENT}
            await self.db.write(
                partial(
                    bucket_rows.configure,
                    bucket=bucket,
                    settings=to_text(settings),
                    messages=messages,
                    now_ms=self.now_ms(),
                )
            )
            bucket.settings = settings
        if messages:
            self.outbox.wake()

    async def content(
        self, bucket: str, key: str, version: str | None, *, account_id: str, most: int
    ) -> bytes | None:
        """Return an object that an account may read; None if it has more bytes than `most`.

        Raises:
            S3Error: there is none, or the account may not.
        """
        action = "s3:GetObject" if version is None else "s3:GetObjectVersion"
        reader = account_root(account_id)
        if not may(self.find(bucket), reader, action, key, now=self.clock.now()):
            raise access_denied()
        job = partial(
            object_rows.find_with_bytes,
            bucket_id=self.find(bucket).id,
            key=key,
            version_id=version,
        )
        found = await self.db.read(job)
        if found is None or found[0].marker:
            raise no_key(key) if version is None else no_version(key, version)
        size = found[0].size
        if size > most:
            return None
        return b"".join([piece async for piece in self.bodies.pieces(found[1], 0, size)])

    async def put(self, change: Change) -> Version:
        """Store a version of an object, with its notifications."""
        return await self.db.write(
            partial(object_rows.put, change=change), then=partial(self._wake, change.notify)
        )

    async def remove(self, removal: Removal) -> Version | None:
        """Remove a version for good, and store the notifications of that."""
        return await self.db.write(
            partial(object_rows.remove, removal=removal, now_ms=self.now_ms()),
            then=partial(self._wake, removal.notify),
        )

    async def change_details(
        self,
        bucket: Bucket,
        params: Mapping[str, Any],
        change: Any,
        notify: object_rows.Notify | None,
    ) -> Version:
        """Replace the details of the version that a request names."""
        return await self.db.write(
            partial(
                object_rows.change_details,
                bucket_id=bucket.id,
                key=params["Key"],
                version_id=params.get("VersionId"),
                change=change,
                notify=notify,
                now_ms=self.now_ms(),
            ),
            then=partial(self._wake, notify),
        )

    def _wake(self, notify: object_rows.Notify | None, _: object) -> None:
        if notify is not None:
            self.outbox.wake()

    async def _run(self) -> None:
        """Remove, now and then, what nobody has any more or what has expired."""
        try:
            await self._attempt(self.bodies.remove_strays())
            while not self._stopping.is_set():
                await self._attempt(self._sweep())
                try:
                    async with asyncio.timeout(_SWEEP_S):
                        await self._stopping.wait()
                except TimeoutError:
                    continue
        finally:
            self._swept.set()

    async def _attempt(self, work: Awaitable[None]) -> None:
        """Do what can be done again later: a full disk, for one, does not last."""
        try:
            await work
        except (LambdadError, OSError):
            _LOGGER.exception("what expired or is not needed any more could not be removed")

    async def _sweep(self) -> None:
        await self.bodies.collect()
        now_s = self.clock.monotonic()
        if self._followed_s is not None and now_s - self._followed_s < _LIFECYCLES_S:
            return
        self._followed_s = now_s
        for bucket in self.all():
            if self._stopping.is_set():
                return
            await expire(self, bucket)
