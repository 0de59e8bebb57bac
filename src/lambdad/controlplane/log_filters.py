"""Filters of log groups, and how far each subscription has come. Rules of neither kind of target.

A filter is a document with AWS's names. Its name in the store begins with the group's; neither can
contain a colon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from lambdad.domain.errors import ServiceException
from lambdad.domain.logs import LogGroupKey
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.base import ResourceStore

SUBSCRIPTION = "log-subscription"
METRIC = "log-metric-filter"
_POSITION = "log-subscription-position"
_MOST = {SUBSCRIPTION: 2, METRIC: 100}

Document = Mapping[str, Any]


class LimitExceededException(ServiceException):
    """A group has as many filters as it may."""


class LogFilters:
    """Filters by kind, log group and name."""

    def __init__(self, store: ResourceStore) -> None:
        self._store = store

    def find(self, kind: str, key: LogGroupKey, name: str) -> Document | None:
        """Return a filter, or None."""
        found = self._store.get(_key(kind, key, name))
        return None if found is None else found.document

    def of(self, kind: str, key: LogGroupKey, *, prefix: str = "") -> Sequence[Document]:
        """Return a group's filters by name."""
        found = self._store.list(kind, key.account_id, key.region, prefix=f"{key.name}:{prefix}")
        return [each.document for each in found]

    def everywhere(self, kind: str, account_id: str, region: str) -> Sequence[Document]:
        """Return the filters of all groups, by group and name."""
        return [each.document for each in self._store.list(kind, account_id, region)]

    def all(self, kind: str) -> Sequence[tuple[LogGroupKey, Document]]:
        """Return every filter with its group."""
        return [
            (
                LogGroupKey(
                    account_id=each.key.account_id,
                    region=each.key.region,
                    name=each.document["logGroupName"],
                ),
                each.document,
            )
            for each in self._store.all(kind)
        ]

    async def put(self, kind: str, key: LogGroupKey, document: Document) -> None:
        """Store a filter, whether or not there was one of its name.

        Raises:
            LimitExceededException: the group would have too many.
        """
        name = document["filterName"]
        if self.find(kind, key, name) is None and len(self.of(kind, key)) >= _MOST[kind]:
            raise LimitExceededException("Resource limit exceeded.")
        await self._put(_key(kind, key, name), document)

    async def delete(self, kind: str, key: LogGroupKey, name: str) -> bool:
        """Remove a filter; False when there was none."""
        await self._store.delete(_key(_POSITION, key, name))
        return await self._store.delete(_key(kind, key, name))

    def position(self, key: LogGroupKey, name: str) -> int | None:
        """Return the id of the last event that a subscription has dealt with."""
        found = self._store.get(_key(_POSITION, key, name))
        return None if found is None else int(found.document["eventId"])

    async def advance(self, key: LogGroupKey, name: str, event_id: int) -> None:
        """Store durably that a subscription has dealt with all events up to this one."""
        await self._put(_key(_POSITION, key, name), {"eventId": event_id})

    async def _put(self, key: ResourceKey, document: Document) -> None:
        await self._store.put(
            Resource(key=key, function=None, revision=str(uuid4()), document=document)
        )


def _key(kind: str, key: LogGroupKey, name: str) -> ResourceKey:
    return ResourceKey(
        kind=kind, account_id=key.account_id, region=key.region, name=f"{key.name}:{name}"
    )
