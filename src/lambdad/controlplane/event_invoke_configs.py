"""Configurations of asynchronous invocation: put, change, read, delete, list.

Decides which destinations are acceptable. Sending anything there is none of this module's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lambdad.controlplane import configuration
from lambdad.controlplane.existence import exists
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.references import Target
from lambdad.domain.arns import LATEST, FunctionKey, parse_function_reference
from lambdad.domain.clock import Clock
from lambdad.domain.errors import InvalidParameterValueException, ResourceNotFoundException
from lambdad.domain.event_invoke_configs import (
    EVENT_INVOKE_CONFIG_KIND,
    EventInvokeConfig,
    event_invoke_config_key,
    from_resource,
    to_resource,
)
from lambdad.storage.base import Engine

_SUCCESS_SERVICES = frozenset({"sqs", "sns", "lambda", "events"})
_FAILURE_SERVICES = _SUCCESS_SERVICES | {"s3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInvokeChange:
    """What the caller configures; None was not given.

    Attributes:
        on_success: an ARN; empty for no destination.
        on_failure: likewise.
        destinations_given: whether there was a `DestinationConfig` at all.
    """

    retry_attempts: int | None = None
    event_age_s: int | None = None
    on_success: str | None = None
    on_failure: str | None = None
    destinations_given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInvokePage:
    """A page of configurations; `more` when others follow behind the last one."""

    configs: Sequence[EventInvokeConfig]
    more: bool


class EventInvokeConfigs:
    """The configurations of all functions, by qualifier."""

    def __init__(self, engine: Engine, *, locks: FunctionLocks, clock: Clock) -> None:
        self._engine = engine
        self._locks = locks
        self._clock = clock

    def find(self, key: FunctionKey, qualifier: str | None) -> EventInvokeConfig | None:
        """Return the configuration of a qualifier, or None."""
        resource = self._engine.resources.get(event_invoke_config_key(key, qualifier or LATEST))
        return None if resource is None else from_resource(resource)

    def get(self, target: Target) -> EventInvokeConfig:
        """Return the configuration of a qualifier, `$LATEST` without one.

        Raises:
            ResourceNotFoundException: there is none, or no such function.
        """
        config = self.find(target.key, target.qualifier)
        if config is None:
            raise _no_config(target)
        return config

    async def put(self, target: Target, change: EventInvokeChange) -> EventInvokeConfig:
        """Configure a qualifier anew: what is not given takes its default.

        Raises:
            ResourceNotFoundException: there is no such function, version or alias.
            InvalidParameterValueException: nothing is given, or a destination is not acceptable.
        """
        async with self._locks.of(target.key):
            self._check(target, change)
            return await self._store(
                EventInvokeConfig(
                    function=target.key,
                    qualifier=target.qualifier or LATEST,
                    last_modified_s=self._clock.time(),
                    retry_attempts=change.retry_attempts,
                    event_age_s=change.event_age_s,
                    on_success=change.on_success or None,
                    on_failure=change.on_failure or None,
                )
            )

    async def update(self, target: Target, change: EventInvokeChange) -> EventInvokeConfig:
        """Change what is given of an existing configuration.

        Raises:
            ServiceException: as :meth:`put`, and when there is no configuration.
        """
        async with self._locks.of(target.key):
            self._check(target, change)
            return await self._store(_merged(self.get(target), change, self._clock.time()))

    async def delete(self, target: Target) -> None:
        """Remove the configuration of a qualifier.

        Raises:
            ResourceNotFoundException: there is none, or no such function.
        """
        key = event_invoke_config_key(target.key, target.qualifier or LATEST)
        async with self._locks.of(target.key):
            if not await self._engine.resources.delete(key):
                raise _no_config(target)

    def list(self, target: Target, *, after: str | None, limit: int) -> EventInvokePage:
        """Return up to `limit` configurations of a function by qualifier, behind `after`.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        key = target.key
        if not exists(self._engine, key):
            raise _no_function()
        found = self._engine.resources.list(
            EVENT_INVOKE_CONFIG_KIND,
            key.account_id,
            key.region,
            prefix=f"{key.name}:",
            after=None if after is None else f"{key.name}:{after}",
            limit=limit + 1,
        )
        configs = [from_resource(resource) for resource in found[:limit]]
        return EventInvokePage(configs=configs, more=len(found) > limit)

    async def _store(self, config: EventInvokeConfig) -> EventInvokeConfig:
        stored = replace(config, revision=configuration.new_revision())
        await self._engine.resources.put(to_resource(stored))
        return stored

    def _check(self, target: Target, change: EventInvokeChange) -> None:
        given = (change.retry_attempts, change.event_age_s)
        if given == (None, None) and not change.destinations_given:
            raise InvalidParameterValueException(
                "You must specify at least one of error handling or destination setting."
            )
        if not exists(self._engine, target.key, target.qualifier):
            raise _no_function()
        self._check_destination(target.key, change, change.on_success, _SUCCESS_SERVICES)
        self._check_destination(target.key, change, change.on_failure, _FAILURE_SERVICES)

    def _check_destination(
        self,
        function: FunctionKey,
        change: EventInvokeChange,
        arn: str | None,
        services: frozenset[str],
    ) -> None:
        if not arn:
            return
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[2] not in services:
            raise _invalid_destinations(change)
        if parts[2] == "events" and not parts[5].startswith("event-bus/"):
            raise _invalid_destinations(change)
        if parts[2] == "lambda":
            self._check_function_destination(function, arn)

    def _check_function_destination(self, function: FunctionKey, arn: str) -> None:
        reference = parse_function_reference(arn)
        if reference is not None and reference.account_id and reference.region:
            key = FunctionKey(
                account_id=reference.account_id, region=reference.region, name=reference.name
            )
            if key == function:
                raise InvalidParameterValueException(
                    "You can't specify the function as a destination for itself."
                )
            if exists(self._engine, key, reference.qualifier):
                return
        raise InvalidParameterValueException(f"The destination ARN {arn} is invalid.")


def _merged(
    current: EventInvokeConfig, change: EventInvokeChange, now_s: float
) -> EventInvokeConfig:
    """Return the configuration with what is given; an empty destination removes that one."""
    success, failure = change.on_success, change.on_failure
    attempts, age_s = change.retry_attempts, change.event_age_s
    return replace(
        current,
        last_modified_s=now_s,
        retry_attempts=current.retry_attempts if attempts is None else attempts,
        event_age_s=current.event_age_s if age_s is None else age_s,
        on_success=(current.on_success if success is None else success) or None,
        on_failure=(current.on_failure if failure is None else failure) or None,
    )


def _no_function() -> ResourceNotFoundException:
    return ResourceNotFoundException("The function doesn't exist.")


def _no_config(target: Target) -> ResourceNotFoundException:
    return ResourceNotFoundException(
        f"The function {target.key.arn(target.qualifier or LATEST)} doesn't have an "
        "EventInvokeConfig"
    )


def _invalid_destinations(change: EventInvokeChange) -> InvalidParameterValueException:
    def said(name: str, arn: str | None) -> str:
        return "null" if arn is None else f"{name}(destination={arn})"

    return InvalidParameterValueException(
        "The provided destination config "
        f"DestinationConfig(onSuccess={said('OnSuccess', change.on_success)}, "
        f"onFailure={said('OnFailure', change.on_failure)}) is invalid."
    )
