"""Aliases: create, read, change, delete, list.

Decides which versions an alias may point to. Which of two versions a request runs is decided in
`lambdad.domain.aliases`; wire forms are unknown here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lambdad.controlplane import configuration
from lambdad.controlplane.belongings import belongings
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.ports import VersionObserver
from lambdad.controlplane.preconditions import busy, check_revision
from lambdad.controlplane.references import Target, not_found
from lambdad.controlplane.transitions import Transitions
from lambdad.domain.aliases import ALIAS_KIND, Alias, alias_key, from_resource, to_resource
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.errors import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from lambdad.domain.resources import Resource
from lambdad.storage.base import (
    AlreadyExists,
    Change,
    DeleteResource,
    Engine,
    PutResource,
    RevisionMismatch,
)

_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasChange:
    """What `CreateAlias` or `UpdateAlias` asks for; None leaves what is.

    Attributes:
        weights: replaces all weights; empty, the alias points to one version.
    """

    version: str | None = None
    description: str | None = None
    weights: Mapping[str, float] | None = None
    revision_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasPage:
    """A page of aliases; `more` when others follow behind the last one."""

    aliases: Sequence[Alias]
    more: bool


class Aliases:
    """The aliases of all functions."""

    def __init__(
        self,
        engine: Engine,
        observer: VersionObserver,
        *,
        locks: FunctionLocks,
        transitions: Transitions,
    ) -> None:
        self._engine = engine
        self._locks = locks
        self._transitions = transitions
        self._observer = observer

    def find(self, key: FunctionKey, name: str) -> Alias | None:
        """Return an alias, or None."""
        resource = self._engine.resources.get(alias_key(key, name))
        return None if resource is None else from_resource(key, resource)

    def get(self, target: Target, name: str) -> Alias:
        """Return an alias.

        Raises:
            ResourceNotFoundException: there is no such function or alias.
        """
        self._check_function(target.key)
        alias = self.find(target.key, name)
        if alias is None:
            raise no_alias(target.key, name)
        return alias

    async def create(self, target: Target, name: str, change: AliasChange) -> Alias:
        """Store a new alias.

        Raises:
            ResourceNotFoundException: a version does not exist.
            ResourceConflictException: there is one of this name.
            InvalidParameterValueException: the versions cannot share its traffic.
        """
        async with self._locks.of(target.key):
            alias = Alias(
                function=target.key,
                name=name,
                version=change.version or LATEST,
                description=change.description or "",
                weights=change.weights or {},
                revision_id=configuration.new_revision(),
            )
            self._check_version(target.key, alias.version)
            if self.find(target.key, name) is not None:
                raise _exists(alias)
            self._check_routing(alias)
            await self._transitions.uninterrupted(self._put(alias, expected=""))
            return alias

    async def update(self, target: Target, name: str, change: AliasChange) -> Alias:
        """Change an alias; its revision changes in any case.

        Raises:
            ServiceException: as :meth:`create`, and for a wrong revision.
        """
        async with self._locks.of(target.key):
            self._check_function(target.key)
            current = self.find(target.key, name)
            if current is None:
                raise ResourceNotFoundException(f"Alias not found: {target.key.arn(name)}")
            check_revision(change.revision_id, current.revision_id)
            alias = _changed(current, change)
            self._check_version(target.key, alias.version)
            self._check_routing(alias)
            await self._transitions.uninterrupted(self._put(alias, expected=current.revision_id))
            return alias

    async def delete(self, target: Target, name: str) -> None:
        """Remove an alias with what belongs to it; one that is not there is no error.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        async with self._locks.of(target.key):
            self._check_function(target.key)
            if self.find(target.key, name) is not None:
                await self._transitions.uninterrupted(self._delete(target.key, name))

    def list(
        self, target: Target, *, version: str | None, after: str | None, limit: int
    ) -> AliasPage:
        """Return up to `limit` aliases by name, behind `after`; of one version if it is given.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        self._check_function(target.key)
        key = target.key
        found: list[Alias] = []
        while page := self._page(key, after):
            aliases = (from_resource(key, resource) for resource in page)
            found += [alias for alias in aliases if version in (None, alias.version)]
            if len(found) > limit:
                break
            after = from_resource(key, page[-1]).name
        return AliasPage(aliases=found[:limit], more=len(found) > limit)

    def of_version(self, key: FunctionKey, version: str) -> Sequence[str]:
        """Return the names of the aliases through which requests may run this version."""
        resources = self._engine.resources.list(
            ALIAS_KIND, key.account_id, key.region, prefix=f"{key.name}:"
        )
        aliases = (from_resource(key, resource) for resource in resources)
        return [alias.name for alias in aliases if version in alias.versions]

    def _page(self, key: FunctionKey, after: str | None) -> Sequence[Resource]:
        return self._engine.resources.list(
            ALIAS_KIND,
            key.account_id,
            key.region,
            prefix=f"{key.name}:",
            after=None if after is None else f"{key.name}:{after}",
            limit=_PAGE,
        )

    def _check_function(self, key: FunctionKey) -> None:
        if self._engine.functions.get(key) is None:
            raise not_found(Target(key=key, qualifier=None))

    def _check_version(self, key: FunctionKey, version: str) -> None:
        if self._engine.functions.get(key, version) is None:
            raise not_found(Target(key=key, qualifier=version))

    def _check_routing(self, alias: Alias) -> None:
        if len(alias.weights) > 1:
            raise InvalidParameterValueException(
                "Number of items in AdditionalVersionWeights cannot be greater than 1"
            )
        for version in alias.weights:
            if version == alias.version:
                raise InvalidParameterValueException(
                    f"Invalid function version {version}. Function version {version} is already "
                    "included in routing configuration."
                )
            if alias.version.startswith(LATEST):
                raise InvalidParameterValueException(
                    "$LATEST is not supported for an alias pointing to more than 1 version"
                )
            self._check_version(alias.function, version)

    async def _put(self, alias: Alias, *, expected: str) -> None:
        try:
            await self._engine.apply(
                PutResource(resource=to_resource(alias), expected_revision=expected)
            )
        except (AlreadyExists, RevisionMismatch) as error:
            raise busy(alias.function) from error
        self._observer.aliases_changed(alias.function)

    async def _delete(self, key: FunctionKey, name: str) -> None:
        changes: list[Change] = [DeleteResource(key=alias_key(key, name))]
        await self._engine.apply(*changes, *belongings(self._engine.resources, key, name))
        self._observer.aliases_changed(key)


def no_alias(key: FunctionKey, name: str) -> ResourceNotFoundException:
    """The error that says that this alias does not exist."""
    return ResourceNotFoundException(f"Cannot find alias arn: {key.arn(name)}")


def _exists(alias: Alias) -> ResourceConflictException:
    return ResourceConflictException(f"Alias already exists: {alias.arn}")


def _changed(current: Alias, change: AliasChange) -> Alias:
    return replace(
        current,
        version=current.version if change.version is None else change.version,
        description=current.description if change.description is None else change.description,
        weights=current.weights if change.weights is None else change.weights,
        revision_id=configuration.new_revision(),
    )
