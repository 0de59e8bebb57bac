"""Provisioned concurrency: environments that are initialised before anybody asks for them.

Decides how many of which version there are, makes and replaces them, and says how far it has come.
Who gets them, and how many invocations may run, is decided elsewhere.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from lambdad.dataplane.counting import ConcurrencyLedger
from lambdad.dataplane.environment import ExecutionEnvironment
from lambdad.dataplane.environment_owner import EnvironmentOwner
from lambdad.dataplane.fleet import Fleet
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.routing import FunctionReader
from lambdad.domain.aliases import alias_key, from_resource, names_alias
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.concurrency import (
    PROVISIONED_KIND,
    ProvisionedConfig,
    ProvisionedState,
    ProvisionedStatus,
    provisioned_prefix,
    share,
)
from lambdad.domain.environments import InitializationType
from lambdad.domain.errors import FunctionError, PlatformError, TooManyRequestsException
from lambdad.domain.functions import Function, State
from lambdad.domain.resources import Resource, ResourceKey

_LOGGER = logging.getLogger(__name__)

# AWS: the init phase may take this long, or as long as the function's timeout if that is more.
_INIT_TIMEOUT_S = 130.0
# So many that end by themselves in a row, before they get any work, will not be replaced.
_UNUSED_DEATHS_MAX = 3

_INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"
_UNPUBLISHED = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."


class ConfigReader(Protocol):
    """What this reads of a `ResourceStore`."""

    def get(self, key: ResourceKey) -> Resource | None:
        """Return the resource, or None."""
        ...

    def list(
        self, kind: str, account_id: str, region: str, *, prefix: str = ""
    ) -> Sequence[Resource]:
        """Return resources of a kind by name."""
        ...

    def all(self, kind: str) -> Sequence[Resource]:
        """Return the resources of a kind in all accounts and regions."""
        ...


class FleetOwner(EnvironmentOwner, Protocol):
    """Who has the fleets."""

    def find_fleet(self, key: FunctionKey, version: str) -> Fleet | None:
        """The fleet of a version, if there is one."""
        ...

    def fleet_of(self, function: Function) -> Fleet:
        """The fleet of a version, made if there was none."""
        ...

    async def make_room(self, fleet: Fleet, environment: ExecutionEnvironment) -> None:
        """Count an environment of a fleet on the host, and wait until there is room for it.

        Raises:
            TooManyRequestsException: the host is full.
        """
        ...

    def discard(self, environment: ExecutionEnvironment) -> None:
        """Take down an environment that no fleet has any more."""
        ...


class ProvisionedConcurrency:
    """Keeps as many environments initialised as is asked for.

    Mutable: how many are wanted by function and version, and whether new ones are made at all.
    """

    def __init__(
        self,
        *,
        functions: FunctionReader,
        resources: ConfigReader,
        host: EnvironmentHost,
        owner: FleetOwner,
        ledger: ConcurrencyLedger,
    ) -> None:
        self._functions = functions
        self._resources = resources
        self._host = host
        self._owner = owner
        self._ledger = ledger
        self._wanted: dict[FunctionKey, Mapping[str, int]] = {}
        self._stopped = False

    def resume(self) -> None:
        """Make what is asked for after a start."""
        configs = map(ProvisionedConfig.of, self._resources.all(PROVISIONED_KIND))
        for key in dict.fromkeys(config.key for config in configs):
            self.changed(key)

    def stop(self) -> None:
        """Make no environment any more."""
        self._stopped = True

    def changed(self, key: FunctionKey) -> None:
        """Configurations or aliases of a function are new; what has failed is tried again."""
        before = self._wanted.pop(key, {})
        wanted = self._counted(key)
        if wanted:
            self._wanted[key] = wanted
        for version in sorted(before.keys() | wanted.keys()):
            number = wanted.get(version, 0)
            self._ledger.allot(key, version, number)
            self._begin_anew(self._owner.find_fleet(key, version))
            self._want(key, version, number)

    def version_changed(self, function: Function) -> None:
        """A version may have come into service."""
        number = self._wanted.get(function.key, {}).get(function.version)
        if number is not None:
            self._want(function.key, function.version, number)

    def reconcile(self, fleet: Fleet) -> None:
        """Make what a fleet lacks and take down what it has too much of."""
        kept = fleet.provisioned
        for environment in kept.surplus():
            self._owner.discard(environment)
        if kept.unused_deaths >= _UNUSED_DEATHS_MAX and kept.failure is None:
            kept.failure = _INIT_FAILURE
        if self._stopped or kept.failure or fleet.function.status.state is not State.ACTIVE:
            return
        while len(kept.members) < kept.target:
            environment = ExecutionEnvironment(
                fleet.function, self._host, self._owner, InitializationType.PROVISIONED
            )
            kept.members.add(environment)
            kept.starting.add(environment)
            self._host.spawn_task(self._start(fleet, environment))

    def states(self, key: FunctionKey) -> Mapping[str, ProvisionedState]:
        """How far a function's provisioned concurrency has come, by qualifier.

        Where several share a version, those that sort first get its environments first.
        """
        left: dict[str, int] = {}
        return {config.qualifier: self._state(config, left) for config in self._configs(key)}

    def _state(self, config: ProvisionedConfig, left: dict[str, int]) -> ProvisionedState:
        shares = self._shares(config)
        allocated, failure = 0, None if shares else _UNPUBLISHED
        for version, number in shares.items():
            fleet = self._owner.find_fleet(config.key, version)
            if fleet is None:
                continue
            have = left.get(version, fleet.provisioned.initialised)
            given = min(have, number)
            left[version] = have - given
            allocated += given
            failure = failure or fleet.provisioned.failure
        if allocated >= config.requested:
            status, failure = ProvisionedStatus.READY, None
        else:
            status = ProvisionedStatus.FAILED if failure else ProvisionedStatus.IN_PROGRESS
        return ProvisionedState(
            status=status, allocated=allocated, available=allocated, reason=failure
        )

    def _begin_anew(self, fleet: Fleet | None) -> None:
        """Forget a failure, and those attempts that may still end in it."""
        if fleet is None or fleet.provisioned.failure is None:
            return
        kept = fleet.provisioned
        kept.failure, kept.unused_deaths = None, 0
        for environment in list(kept.starting):
            kept.drop(environment)
            self._owner.discard(environment)

    def _want(self, key: FunctionKey, version: str, number: int) -> None:
        function = self._functions.get(key, version) if number else None
        if function is not None:
            fleet: Fleet | None = self._owner.fleet_of(function.serving)
        else:
            fleet = self._owner.find_fleet(key, version)
        if fleet is not None:
            fleet.provisioned.target = number
            self.reconcile(fleet)

    async def _start(self, fleet: Fleet, environment: ExecutionEnvironment) -> None:
        kept = fleet.provisioned
        async with kept.gate:
            if environment not in kept.starting:
                return
            if kept.failure is not None:
                kept.drop(environment)
                return
            failure = await self._initialise(fleet, environment)
        if environment not in kept.starting:
            return  # taken out and down meanwhile
        if failure is not None:
            kept.drop(environment)
            kept.failure = failure
        elif environment.function is fleet.function:
            kept.starting.discard(environment)
            kept.idle.append(environment)
        else:
            kept.drop(environment)
            self._owner.discard(environment)
            self.reconcile(fleet)

    async def _initialise(self, fleet: Fleet, environment: ExecutionEnvironment) -> str | None:
        """Initialise an environment; why that failed, else None."""
        limit_s = max(_INIT_TIMEOUT_S, environment.function.timeout_s)
        try:
            await self._owner.make_room(fleet, environment)
            await environment.initialise_ahead(limit_s)
        except FunctionError:
            return _INIT_FAILURE
        except TooManyRequestsException as full:
            return full.message
        except PlatformError as error:
            _LOGGER.warning("%s cannot be provisioned: %s", environment.function.arn, error)
            return str(error)
        except Exception:
            _LOGGER.exception("%s cannot be provisioned", environment.function.arn)
            return "An internal error occurred."
        return None

    def _counted(self, key: FunctionKey) -> Mapping[str, int]:
        wanted: Counter[str] = Counter()
        for config in self._configs(key):
            wanted.update(self._shares(config))
        return +wanted

    def _configs(self, key: FunctionKey) -> Sequence[ProvisionedConfig]:
        found = self._resources.list(
            PROVISIONED_KIND, key.account_id, key.region, prefix=provisioned_prefix(key)
        )
        return [ProvisionedConfig.of(resource) for resource in found]

    def _shares(self, config: ProvisionedConfig) -> Mapping[str, int]:
        """The versions that a configuration means, with the number of environments of each."""
        if not names_alias(config.qualifier):
            return {config.qualifier: config.requested}
        resource = self._resources.get(alias_key(config.key, config.qualifier))
        if resource is None:
            return {}
        alias = from_resource(config.key, resource)
        if LATEST in alias.versions:
            return {}
        rest = 1.0 - sum(alias.weights.values())
        return share(config.requested, {alias.version: rest, **alias.weights})
