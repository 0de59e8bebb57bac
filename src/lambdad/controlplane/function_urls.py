"""Function URL configurations: create, read, change, delete, list.

Decides who may have a URL and finds the one that a host name means. Serving it, wire forms and host
names are unknown here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lambdad.controlplane import configuration
from lambdad.controlplane.existence import exists, refuse_tenants_of
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.references import Target
from lambdad.domain.clock import Clock
from lambdad.domain.errors import ResourceConflictException, ResourceNotFoundException
from lambdad.domain.function_urls import (
    FUNCTION_URL_KIND,
    FunctionUrl,
    from_resource,
    function_url_key,
    new_url_id,
    to_resource,
)
from lambdad.domain.resources import ResourceKey
from lambdad.storage.base import AlreadyExists, Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlChange:
    """What the caller configures; None leaves what is, or its default on creation.

    Attributes:
        cors: in wire form; replaces all of it, empty removes it.
    """

    auth_type: str | None = None
    invoke_mode: str | None = None
    cors: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlPage:
    """A page of URLs; `more` when others follow behind the last one."""

    urls: Sequence[FunctionUrl]
    more: bool


class FunctionUrls:
    """The URLs of all functions.

    Mutable state: `_by_id`, where the URL of an id was stored last; it may be gone meanwhile.
    """

    def __init__(self, engine: Engine, *, locks: FunctionLocks, clock: Clock) -> None:
        self._engine = engine
        self._locks = locks
        self._clock = clock
        self._by_id: dict[str, ResourceKey] | None = None

    def by_id(self, url_id: str) -> FunctionUrl | None:
        """Return the URL whose host name begins with this id, or None."""
        if self._by_id is None:
            stored = self._engine.resources.all(FUNCTION_URL_KIND)
            self._by_id = {resource.document["url_id"]: resource.key for resource in stored}
        key = self._by_id.get(url_id)
        resource = None if key is None else self._engine.resources.get(key)
        if resource is None or resource.document["url_id"] != url_id:
            self._by_id.pop(url_id, None)
            return None
        return from_resource(resource)

    def get(self, target: Target) -> FunctionUrl:
        """Return the URL of a function, or of the alias that the qualifier names.

        Raises:
            ResourceNotFoundException: there is none.
        """
        resource = self._engine.resources.get(function_url_key(target.key, target.qualifier))
        if resource is None:
            raise _no_url()
        return from_resource(resource)

    async def create(self, target: Target, change: UrlChange) -> FunctionUrl:
        """Give a function or an alias a URL.

        Raises:
            ResourceNotFoundException: there is no such function or alias.
            ResourceConflictException: it has a URL.
        """
        async with self._locks.of(target.key):
            self._check_exists(target)
            refuse_tenants_of(self._engine, target.key, "A function URL")
            now = _timestamp(self._clock.now())
            url = FunctionUrl(
                function=target.key,
                alias=target.qualifier,
                url_id=new_url_id(),
                auth_type=change.auth_type or "",
                invoke_mode=change.invoke_mode or "BUFFERED",
                cors=change.cors or None,
                created=now,
                modified=now,
                revision=configuration.new_revision(),
            )
            try:
                await self._engine.resources.insert(to_resource(url))
            except AlreadyExists as error:
                raise ResourceConflictException(
                    "Failed to create function url config for "
                    f"[functionArn = {url.function_arn}]. Error message:  "
                    "FunctionUrlConfig exists for this Lambda function"
                ) from error
            if self._by_id is not None:
                self._by_id[url.url_id] = function_url_key(url.function, url.alias)
        return url

    async def update(self, target: Target, change: UrlChange) -> FunctionUrl:
        """Change the members that are given; the address stays.

        Raises:
            ResourceNotFoundException: there is no such function, alias or URL.
        """
        async with self._locks.of(target.key):
            self._check_exists(target)
            current = self.get(target)
            url = replace(
                current,
                auth_type=change.auth_type or current.auth_type,
                invoke_mode=change.invoke_mode or current.invoke_mode,
                cors=current.cors if change.cors is None else change.cors or None,
                modified=_timestamp(self._clock.now()),
                revision=configuration.new_revision(),
            )
            await self._engine.resources.put(to_resource(url))
        return url

    async def delete(self, target: Target) -> None:
        """Remove the URL of a function or an alias; that of the other stays.

        Raises:
            ResourceNotFoundException: there is none.
        """
        async with self._locks.of(target.key):
            url = self.get(target)
            await self._engine.resources.delete(function_url_key(target.key, target.qualifier))
            if self._by_id is not None:
                self._by_id.pop(url.url_id, None)

    def list(self, target: Target, *, after: str | None, limit: int) -> UrlPage:
        """Return up to `limit` URLs of a function, its own first, then by alias, behind `after`.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        self._check_exists(replace(target, qualifier=None))
        key = target.key
        found = self._engine.resources.list(
            FUNCTION_URL_KIND,
            key.account_id,
            key.region,
            prefix=f"{key.name}:",
            after=None if after is None else f"{key.name}:{after}",
            limit=limit + 1,
        )
        urls = [from_resource(resource) for resource in found[:limit]]
        return UrlPage(urls=urls, more=len(found) > limit)

    def _check_exists(self, target: Target) -> None:
        if not exists(self._engine, target.key, target.qualifier):
            raise ResourceNotFoundException("Function does not exist")


def _no_url() -> ResourceNotFoundException:
    return ResourceNotFoundException("The resource you requested does not exist.")


def _timestamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
