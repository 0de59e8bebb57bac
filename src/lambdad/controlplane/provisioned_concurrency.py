"""Configurations of provisioned concurrency: put, read, remove, list.

Decides what may have some, and how much. Making the environments, and how far that has come, is the
data plane's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdad.controlplane import configuration
from lambdad.controlplane.account_concurrency import AccountConcurrency
from lambdad.controlplane.existence import exists, refuse_tenants_of
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.ports import ConcurrencyObserver
from lambdad.controlplane.references import Target, not_found
from lambdad.domain import snapstart
from lambdad.domain.aliases import ALIAS_KIND, Alias, alias_key, from_resource, names_alias
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.clock import Clock
from lambdad.domain.concurrency import (
    PROVISIONED_KIND,
    ProvisionedConfig,
    ProvisionedState,
    ProvisionedStatus,
    provisioned_key,
    provisioned_prefix,
)
from lambdad.domain.errors import (
    InvalidParameterValueException,
    ProvisionedConcurrencyConfigNotFoundException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from lambdad.storage.base import Engine

_BEGUN = ProvisionedState(status=ProvisionedStatus.IN_PROGRESS, allocated=0, available=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """A configuration and how far it has come."""

    config: ProvisionedConfig
    state: ProvisionedState


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedPage:
    """A page of configurations; `more` when others follow behind the last one."""

    items: Sequence[Provisioned]
    more: bool


class ProvisionedConcurrencyConfigs:
    """The configurations of all functions, by version and alias."""

    def __init__(
        self,
        engine: Engine,
        account: AccountConcurrency,
        *,
        locks: FunctionLocks,
        clock: Clock,
        observer: ConcurrencyObserver,
    ) -> None:
        self._engine = engine
        self._account = account
        self._locks = locks
        self._clock = clock
        self._observer = observer

    async def put(self, target: Target, requested: int) -> Provisioned:
        """Ask for so many environments for a version or an alias; returns it as just begun.

        Raises:
            ResourceNotFoundException: there is no such version or alias.
            ResourceConflictException: a version and an alias of it would both have some.
            InvalidParameterValueException: it is `$LATEST`, or more than there is.
        """
        key = target.key
        qualifier = _published(
            target,
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        )
        async with self._account.lock(key), self._locks.of(key):
            self._check_exists(key, qualifier)
            refuse_tenants_of(self._engine, key, "Provisioned concurrency")
            self._check_exclusive(key, qualifier)
            self._refuse_snapshots(key, qualifier)
            self._check_amount(key, qualifier, requested)
            config = ProvisionedConfig(
                key=key,
                qualifier=qualifier,
                requested=requested,
                last_modified=_timestamp(self._clock.now()),
                revision=configuration.new_revision(),
            )
            await self._engine.resources.put(config.resource)
            self._observer.provisioned_changed(key)
        return Provisioned(config=config, state=_BEGUN)

    def get(self, target: Target) -> Provisioned:
        """Return the configuration of a version or an alias.

        Raises:
            ResourceNotFoundException: there is no such version or alias.
            ProvisionedConcurrencyConfigNotFoundException: it has none.
            InvalidParameterValueException: it is `$LATEST`.
        """
        qualifier = self._existing(target)
        resource = self._engine.resources.get(provisioned_key(target.key, qualifier))
        if resource is None:
            raise ProvisionedConcurrencyConfigNotFoundException(
                "No Provisioned Concurrency Config found for this function"
            )
        states = self._observer.provisioned_states(target.key)
        return _with_state(ProvisionedConfig.of(resource), states)

    async def delete(self, target: Target) -> None:
        """Remove the configuration of a version or an alias; having none is no error.

        Raises:
            ServiceException: as :meth:`get`.
        """
        async with self._account.lock(target.key), self._locks.of(target.key):
            qualifier = self._existing(target)
            if await self._engine.resources.delete(provisioned_key(target.key, qualifier)):
                self._observer.provisioned_changed(target.key)

    def list(self, target: Target, *, after: str | None, limit: int) -> ProvisionedPage:
        """Return up to `limit` configurations of a function by qualifier, behind `after`.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        key = target.key
        if not exists(self._engine, key):
            raise not_found(Target(key=key, qualifier=None))
        prefix = provisioned_prefix(key)
        found = self._engine.resources.list(
            PROVISIONED_KIND,
            key.account_id,
            key.region,
            prefix=prefix,
            after=None if after is None else f"{prefix}{after}",
            limit=limit + 1,
        )
        states = self._observer.provisioned_states(key)
        items = [_with_state(ProvisionedConfig.of(resource), states) for resource in found[:limit]]
        return ProvisionedPage(items=items, more=len(found) > limit)

    def _existing(self, target: Target) -> str:
        """Return the qualifier of an existing version or alias."""
        qualifier = _published(
            target, "The function resource provided must be an alias or a published version."
        )
        self._check_exists(target.key, qualifier)
        return qualifier

    def _check_exists(self, key: FunctionKey, qualifier: str) -> None:
        if exists(self._engine, key, qualifier):
            return
        if names_alias(qualifier):
            raise ResourceNotFoundException(f"Cannot find alias arn: {key.arn(qualifier)}")
        raise not_found(Target(key=key, qualifier=qualifier))

    def _check_exclusive(self, key: FunctionKey, qualifier: str) -> None:
        """Refuse a version of which an alias has some, and the other way round."""
        if not names_alias(qualifier):
            if any(self._has(key, alias.name) for alias in self._aliases_of(key, qualifier)):
                raise ResourceConflictException(
                    "Version is pointed by a Provisioned Concurrency alias"
                )
            return
        alias = self._alias(key, qualifier)
        if LATEST in alias.versions:
            raise InvalidParameterValueException(
                "Provisioned Concurrency Configs cannot be applied to unpublished function "
                "versions."
            )
        if alias.weights:
            raise InvalidParameterValueException(
                "Alias with weights can not be used with Provisioned Concurrency"
            )
        if self._has(key, alias.version):
            raise ResourceConflictException(
                "Alias can't be used for Provisioned Concurrency configuration on an already "
                "Provisioned version"
            )

    def _refuse_snapshots(self, key: FunctionKey, qualifier: str) -> None:
        version = self._alias(key, qualifier).version if names_alias(qualifier) else qualifier
        function = self._engine.functions.get(key, version)
        if function is not None:
            snapstart.refuse(function, "Provisioned Concurrency")

    def _check_amount(self, key: FunctionKey, qualifier: str, requested: int) -> None:
        account = self._account
        others = account.provisioned(key, but=qualifier)
        reserved = account.reserved(key)
        if reserved is not None:
            if others + requested > reserved:
                raise InvalidParameterValueException(
                    "Requested Provisioned Concurrency should not be greater than the "
                    "reservedConcurrentExecution for function"
                )
            return
        before = account.provisioned(key) - others
        free = account.unreserved(key.account_id, key.region) + before
        if requested <= before:
            return
        if requested > free:
            raise InvalidParameterValueException(
                "Specified ConcurrentExecutions for function is greater than account's unreserved "
                f"concurrency [{max(0, free)}]."
            )
        if free - requested < account.unreserved_min:
            raise InvalidParameterValueException(
                "Specified ConcurrentExecutions for function decreases account's "
                "UnreservedConcurrentExecution below its minimum value of "
                f"[{account.unreserved_min}]."
            )

    def _has(self, key: FunctionKey, qualifier: str) -> bool:
        return self._engine.resources.get(provisioned_key(key, qualifier)) is not None

    def _alias(self, key: FunctionKey, name: str) -> Alias:
        resource = self._engine.resources.get(alias_key(key, name))
        if resource is None:
            raise ResourceNotFoundException(f"Cannot find alias arn: {key.arn(name)}")
        return from_resource(key, resource)

    def _aliases_of(self, key: FunctionKey, version: str) -> Sequence[Alias]:
        found = self._engine.resources.list(
            ALIAS_KIND, key.account_id, key.region, prefix=f"{key.name}:"
        )
        aliases = [from_resource(key, resource) for resource in found]
        return [alias for alias in aliases if version in alias.versions]


def _published(target: Target, otherwise: str) -> str:
    """Return the qualifier; refuse `$LATEST`, named or meant, with this text."""
    if target.qualifier is None or target.qualifier == LATEST:
        raise InvalidParameterValueException(otherwise)
    return target.qualifier


def _with_state(config: ProvisionedConfig, states: Mapping[str, ProvisionedState]) -> Provisioned:
    return Provisioned(config=config, state=states.get(config.qualifier, _BEGUN))


def _timestamp(moment: datetime) -> str:
    """Format like `LastModified` of provisioned concurrency, which has no fractions."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}+0000"
