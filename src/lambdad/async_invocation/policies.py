"""How a function wants its events treated: read from what is configured at that moment.

Knows where the configurations stand; what follows from them is decided in `retry_policy` and
`destinations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lambdad.domain.aliases import alias_key, from_resource, names_alias
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.concurrency import Reservation, reserved_key
from lambdad.domain.event_invoke_configs import event_invoke_config_key
from lambdad.domain.event_invoke_configs import from_resource as config_of
from lambdad.domain.functions import Function
from lambdad.domain.resources import Resource, ResourceKey

RETRY_ATTEMPTS = 2
EVENT_AGE_S = 21_600


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPolicy:
    """What is configured for a qualifier of a function.

    Attributes:
        retry_attempts: how often a function that failed is tried again.
        event_age_s: how long an event may wait.
        on_success: ARN of a destination, or None.
        on_failure: likewise.
        dead_letter_target: ARN of a queue or a topic, or None.
        reserved: the function's reserved concurrency, or None.
    """

    retry_attempts: int = RETRY_ATTEMPTS
    event_age_s: int = EVENT_AGE_S
    on_success: str | None = None
    on_failure: str | None = None
    dead_letter_target: str | None = None
    reserved: int | None = None


class FunctionReader(Protocol):
    """What is read of a `FunctionStore`."""

    def get(self, key: FunctionKey, version: str = LATEST) -> Function | None:
        """Return the stored version, or None."""
        ...


class ResourceReader(Protocol):
    """What is read of a `ResourceStore`."""

    def get(self, key: ResourceKey) -> Resource | None:
        """Return the resource, or None."""
        ...


class EventPolicies:
    """The policies of all functions."""

    def __init__(self, functions: FunctionReader, resources: ResourceReader) -> None:
        self._functions = functions
        self._resources = resources

    def exists(self, key: FunctionKey) -> bool:
        """Whether the function is there."""
        return self._functions.get(key) is not None

    def of(self, key: FunctionKey, qualifier: str | None) -> EventPolicy:
        """Return what holds for events of this qualifier now."""
        stored = self._resources.get(event_invoke_config_key(key, qualifier or LATEST))
        config = None if stored is None else config_of(stored)
        reserved = self._resources.get(reserved_key(key))
        limits = (None, None) if config is None else (config.retry_attempts, config.event_age_s)
        return EventPolicy(
            retry_attempts=RETRY_ATTEMPTS if limits[0] is None else limits[0],
            event_age_s=EVENT_AGE_S if limits[1] is None else limits[1],
            on_success=None if config is None else config.on_success,
            on_failure=None if config is None else config.on_failure,
            dead_letter_target=self._dead_letter_target(key, qualifier),
            reserved=None if reserved is None else Reservation.of(reserved).limit,
        )

    def _dead_letter_target(self, key: FunctionKey, qualifier: str | None) -> str | None:
        version = qualifier or LATEST
        if names_alias(version):
            alias = self._resources.get(alias_key(key, version))
            version = LATEST if alias is None else from_resource(key, alias).version
        function = self._functions.get(key, version)
        config = None if function is None else function.echoed.get("DeadLetterConfig")
        target = (config or {}).get("TargetArn")
        return str(target) if target else None
