"""How a function's asynchronous invocations are retried and where their outcome is sent. Pure.

Decides how such a configuration is stored as a resource.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdad.domain.arns import FunctionKey
from lambdad.domain.resources import Resource, ResourceKey

EVENT_INVOKE_CONFIG_KIND = "event-invoke-config"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventInvokeConfig:
    """The configuration of one qualifier.

    Attributes:
        qualifier: a version's number, `$LATEST` or an alias.
        last_modified_s: seconds since the Unix epoch.
        retry_attempts: 0 to 2; None where nothing was said: 2.
        event_age_s: 60 to 21600; None where nothing was said: 21600.
        on_success: ARN of a destination, or None.
        on_failure: likewise.
    """

    function: FunctionKey
    qualifier: str
    last_modified_s: float
    retry_attempts: int | None = None
    event_age_s: int | None = None
    on_success: str | None = None
    on_failure: str | None = None
    revision: str = ""

    @property
    def function_arn(self) -> str:
        """Always qualified."""
        return self.function.arn(self.qualifier)


def event_invoke_config_key(function: FunctionKey, qualifier: str) -> ResourceKey:
    """Return the key under which a configuration is stored; a function's sort by qualifier."""
    return ResourceKey(
        kind=EVENT_INVOKE_CONFIG_KIND,
        account_id=function.account_id,
        region=function.region,
        name=f"{function.name}:{qualifier}",
    )


def to_resource(config: EventInvokeConfig) -> Resource:
    """Return a configuration as it is stored."""
    return Resource(
        key=event_invoke_config_key(config.function, config.qualifier),
        function=config.function.name,
        revision=config.revision,
        document={
            "last_modified_s": config.last_modified_s,
            "retry_attempts": config.retry_attempts,
            "event_age_s": config.event_age_s,
            "on_success": config.on_success,
            "on_failure": config.on_failure,
        },
    )


def from_resource(resource: Resource) -> EventInvokeConfig:
    """Return the configuration that a stored resource describes."""
    key = resource.key
    name, _, qualifier = key.name.partition(":")
    return EventInvokeConfig(
        function=FunctionKey(account_id=key.account_id, region=key.region, name=name),
        qualifier=qualifier,
        revision=resource.revision,
        **resource.document,
    )
