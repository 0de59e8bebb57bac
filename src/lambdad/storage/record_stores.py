"""What the stores of both engines have in common: every read, and writes that are one change."""

from __future__ import annotations

from collections.abc import Sequence

from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.functions import Function
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.base import (
    Apply,
    InsertFunction,
    PutResource,
    ReplaceFunction,
    RevisionMismatch,
)
from lambdad.storage.records import Records


class FunctionRecords:
    """A `FunctionStore` but for `delete`: what is deleted with a function, the engine knows."""

    def __init__(self, records: Records, apply: Apply) -> None:
        self._records = records
        self._apply = apply
        self._changes = records.changes

    @property
    def changes(self) -> int:
        """See `FunctionStore`."""
        return self._changes.count

    def get(self, key: FunctionKey, version: str = LATEST) -> Function | None:
        """Return the stored version, or None."""
        return self._records.functions.get(key, version)

    def list(
        self, account_id: str, region: str, *, after: str | None, limit: int
    ) -> Sequence[Function]:
        """Return a page by name."""
        return self._records.functions.page(account_id, region, after=after, limit=limit)

    def versions(self, key: FunctionKey) -> Sequence[Function]:
        """Return all versions, `$LATEST` first, then by number."""
        return self._records.functions.versions(key)

    def unfinished(self) -> Sequence[Function]:
        """Return versions that are still being made or updated."""
        return self._records.functions.unfinished()

    def digests(self) -> frozenset[str]:
        """Return the packages of all versions."""
        return self._records.functions.digests()

    def runtimes(self) -> frozenset[tuple[str, int]]:
        """See `FunctionStore`."""
        return self._records.functions.runtimes()

    def images(self) -> frozenset[str]:
        """See `FunctionStore`."""
        return self._records.functions.images()

    async def insert(self, function: Function) -> None:
        """Store a new version."""
        await self._apply(InsertFunction(function=function))

    async def replace(self, function: Function, *, expected_revision: str) -> None:
        """Replace a version of a known revision."""
        await self._apply(ReplaceFunction(function=function, expected_revision=expected_revision))


class ResourceRecords:
    """A `ResourceStore` but for `delete`, which has to say whether there was something."""

    def __init__(self, records: Records, apply: Apply) -> None:
        self._records = records
        self._apply = apply

    def get(self, key: ResourceKey) -> Resource | None:
        """Return the resource, or None."""
        return self._records.resources.get(key)

    def list(
        self,
        kind: str,
        account_id: str,
        region: str,
        *,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> Sequence[Resource]:
        """Return resources by name: those that begin with `prefix`, behind `after`."""
        return self._records.resources.page(
            kind, account_id, region, prefix=prefix, after=after, limit=limit
        )

    def all(self, kind: str) -> Sequence[Resource]:
        """Return the resources of a kind in all accounts and regions."""
        return self._records.resources.all(kind)

    async def insert(self, resource: Resource) -> None:
        """Store a new resource."""
        await self._apply(PutResource(resource=resource, expected_revision=""))

    async def put(self, resource: Resource) -> None:
        """Store a resource, whether or not there was one."""
        await self._apply(PutResource(resource=resource))

    async def replace(self, resource: Resource, *, expected_revision: str) -> None:
        """Replace a resource of a known revision."""
        if not expected_revision:
            raise RevisionMismatch(resource.key.name)
        await self._apply(PutResource(resource=resource, expected_revision=expected_revision))
