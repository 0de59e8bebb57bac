"""Event source mappings: create, read, change, delete, list, tag.

Decides in which order a mapping is checked and stored. What may be configured stands in
`event_sources` and `mapping_validation`, when a mapping is in its state in `mapping_transitions`.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from lambdad.controlplane import configuration, mapping_validation, validation
from lambdad.controlplane.broker_validation import check_group
from lambdad.controlplane.event_sources import (
    SOURCES,
    identify,
    initial_settings,
    merged_settings,
)
from lambdad.controlplane.existence import exists, refuse_tenants_of
from lambdad.controlplane.mapping_transitions import EventSourcePollers, MappingTransitions
from lambdad.controlplane.references import Target
from lambdad.domain.clock import Clock
from lambdad.domain.errors import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceInUseException,
    ResourceNotFoundException,
)
from lambdad.domain.event_source_mappings import (
    EVENT_SOURCE_MAPPING_KIND,
    KAFKA,
    QUEUES,
    SETTLED,
    EventSourceMapping,
    MappingState,
    from_resource,
    mapping_arn,
    mapping_key,
    to_resource,
)
from lambdad.domain.resources import Resource
from lambdad.storage.base import Engine

_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMapping:
    """What `CreateEventSourceMapping` asks for.

    Attributes:
        settings: given members under AWS's names, as in `EventSourceMapping`.
    """

    target: Target
    settings: Mapping[str, Any]
    enabled: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingChange:
    """What `UpdateEventSourceMapping` asks for; None leaves what is.

    Attributes:
        settings: given members; empty values remove.
    """

    settings: Mapping[str, Any]
    target: Target | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingPage:
    """A page of mappings; `more` when others follow behind the last one."""

    mappings: Sequence[EventSourceMapping]
    more: bool


class EventSourceMappings:
    """The mappings of all accounts and regions; an async context manager that owns its tasks."""

    def __init__(
        self, engine: Engine, *, clock: Clock, pollers: EventSourcePollers | None = None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._pollers = pollers
        # One writer at a time: whether a mapping is a duplicate depends on all others.
        self._writing = asyncio.Lock()
        self._transitions = MappingTransitions(engine.resources, self._writing, pollers)

    async def __aenter__(self) -> Self:
        await self._transitions.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transitions.__aexit__(kind, error, trace)

    async def create(self, new: NewMapping) -> EventSourceMapping:
        """Store a mapping and return it, Creating; it becomes Enabled or Disabled by itself.

        Raises:
            InvalidParameterValueException: the function, the source or a setting is not acceptable.
            ResourceConflictException: there is a mapping of this source to this function.
        """
        given = new.settings
        mapping_validation.check_position_name(given.get("StartingPosition"))
        mapping_validation.check_success_destination(given)
        kind = identify(given)
        mapping_validation.check_new(kind, given, now_s=self._clock.time())
        validation.check_tag_count(new.tags)
        own_id = str(uuid.uuid4())
        mapping = EventSourceMapping(
            uuid=own_id,
            function=new.target.key,
            qualifier=new.target.qualifier,
            kind=kind,
            settings=initial_settings(kind, given, uuid=own_id),
            enabled=new.enabled,
            state=MappingState.CREATING,
            last_processing_result=SOURCES[kind].processing_result,
            last_modified_s=self._clock.time(),
            tags=dict(new.tags),
            revision=configuration.new_revision(),
        )
        mapping_validation.check_settings(kind, mapping.settings)
        self._check_function(new.target)
        if self._pollers is not None:
            await self._pollers.check(mapping)
        async with self._writing:
            self._check_function(new.target)
            self._check_duplicate(mapping)
            await self._engine.resources.insert(to_resource(mapping))
            self._transitions.begin(mapping)
        return mapping

    def find(self, account_id: str, region: str, mapping_id: str) -> EventSourceMapping:
        """Return a mapping by its UUID.

        Raises:
            ResourceNotFoundException: there is none.
        """
        resource = self._engine.resources.get(mapping_key(account_id, region, mapping_id))
        if resource is None:
            raise ResourceNotFoundException("The resource you requested does not exist.")
        return from_resource(resource)

    async def get(self, account_id: str, region: str, mapping_id: str) -> EventSourceMapping:
        """Return a mapping as :meth:`find` does, after a change that is just being written."""
        await self._transitions.settled(mapping_id)
        return self.find(account_id, region, mapping_id)

    async def update(
        self, account_id: str, region: str, mapping_id: str, change: MappingChange
    ) -> EventSourceMapping:
        """Change a mapping; returns it in the state it passes through.

        Raises:
            ResourceNotFoundException: there is none.
            ResourceInUseException: it is being created, changed or deleted.
            InvalidParameterValueException: the function or a setting is not acceptable.
        """
        await self._transitions.settled(mapping_id)
        async with self._writing:
            current = self.find(account_id, region, mapping_id)
            _check_settled(current, "update")
            mapping_validation.check_success_destination(change.settings)
            mapping_validation.check_given(current.kind, change.settings)
            changed = _changed(current, change, self._clock.time())
            mapping_validation.check_settings(changed.kind, changed.settings)
            check_group(current.kind, current.settings, changed.settings)
            if change.target is not None:
                self._check_function(change.target)
                self._check_duplicate(changed)
            await self._replace(current, changed)
        return changed

    async def delete(self, account_id: str, region: str, mapping_id: str) -> EventSourceMapping:
        """Begin to remove a mapping; returns it, Deleting.

        Raises:
            ResourceNotFoundException: there is none.
            ResourceInUseException: it is being created, changed or deleted.
        """
        await self._transitions.settled(mapping_id)
        async with self._writing:
            current = self.find(account_id, region, mapping_id)
            _check_settled(current, "delete")
            deleting = replace(
                current,
                enabled=False,
                state=MappingState.DELETING,
                last_modified_s=self._clock.time(),
                revision=configuration.new_revision(),
            )
            await self._replace(current, deleting)
        return deleting

    def list(
        self,
        account_id: str,
        region: str,
        *,
        target: Target | None = None,
        source_arn: str | None = None,
        after: str | None = None,
        limit: int,
    ) -> MappingPage:
        """Return up to `limit` mappings by UUID behind `after`, of one function or source."""
        found: list[EventSourceMapping] = []
        while page := self._page(account_id, region, after):
            for mapping in map(from_resource, page):
                if target not in (None, _target_of(mapping)):
                    continue
                if source_arn in (None, mapping.settings.get("EventSourceArn")):
                    found.append(mapping)
            if len(found) > limit:
                break
            after = page[-1].key.name
        return MappingPage(mappings=found[:limit], more=len(found) > limit)

    def tags(self, account_id: str, region: str, mapping_id: str) -> Mapping[str, str]:
        """Return the tags of a mapping.

        Raises:
            ResourceNotFoundException: there is none.
        """
        return self._tagged(account_id, region, mapping_id).tags

    async def retag(
        self,
        account_id: str,
        region: str,
        mapping_id: str,
        *,
        add: Mapping[str, str] | None = None,
        remove: Sequence[str] = (),
    ) -> None:
        """Add or overwrite tags, and remove some; its state and revision stay.

        Raises:
            ResourceNotFoundException: there is none.
            InvalidParameterValueException: too many tags.
        """
        async with self._writing:
            current = self._tagged(account_id, region, mapping_id)
            merged = {**current.tags, **(add or {})}
            tags = {name: value for name, value in merged.items() if name not in remove}
            validation.check_tag_count(tags)
            resource = to_resource(replace(current, tags=tags))
            await self._engine.resources.replace(resource, expected_revision=current.revision)

    async def note_result(self, mapping: EventSourceMapping, text: str | None) -> None:
        """Store what the poller says of its last attempt; state and revision stay."""
        async with self._writing:
            resource = self._engine.resources.get(mapping.key)
            if resource is None:
                return
            current = from_resource(resource)
            changed = to_resource(replace(current, last_processing_result=text))
            await self._engine.resources.replace(changed, expected_revision=current.revision)

    def _tagged(self, account_id: str, region: str, mapping_id: str) -> EventSourceMapping:
        try:
            return self.find(account_id, region, mapping_id)
        except ResourceNotFoundException as error:
            arn = mapping_arn(account_id, region, mapping_id)
            raise ResourceNotFoundException(f"Event source mapping not found: {arn}") from error

    def _page(self, account_id: str, region: str, after: str | None) -> Sequence[Resource]:
        return self._engine.resources.list(
            EVENT_SOURCE_MAPPING_KIND, account_id, region, after=after, limit=_PAGE
        )

    def _check_function(self, target: Target) -> None:
        if not exists(self._engine, target.key, target.qualifier):
            raise InvalidParameterValueException("Function does not exist")
        refuse_tenants_of(self._engine, target.key, "An event source mapping")

    def _check_duplicate(self, mapping: EventSourceMapping) -> None:
        function = mapping.function
        stored = self._engine.resources.list(
            EVENT_SOURCE_MAPPING_KIND, function.account_id, function.region
        )
        for other in map(from_resource, stored):
            if other.uuid != mapping.uuid and _overlap(mapping, other):
                raise _duplicate(mapping, other)

    async def _replace(self, current: EventSourceMapping, changed: EventSourceMapping) -> None:
        await self._engine.resources.replace(
            to_resource(changed), expected_revision=current.revision
        )
        self._transitions.begin(changed)


def _target_of(mapping: EventSourceMapping) -> Target:
    return Target(key=mapping.function, qualifier=mapping.qualifier)


def _check_settled(mapping: EventSourceMapping, verb: str) -> None:
    if mapping.state not in SETTLED:
        raise ResourceInUseException(
            f"Cannot {verb} the event source mapping because it is in use."
        )


def _changed(
    current: EventSourceMapping, change: MappingChange, now_s: float
) -> EventSourceMapping:
    enabled = current.enabled if change.enabled is None else change.enabled
    state = MappingState.UPDATING
    if enabled != current.enabled:
        state = MappingState.ENABLING if enabled else MappingState.DISABLING
    target = change.target or _target_of(current)
    return replace(
        current,
        function=target.key,
        qualifier=target.qualifier,
        settings=merged_settings(current.settings, change.settings, current.kind),
        enabled=enabled,
        state=state,
        last_modified_s=now_s,
        revision=configuration.new_revision(),
    )


def _sources(mapping: EventSourceMapping) -> Sequence[str]:
    """What is polled: an ARN, or the addresses of Kafka brokers."""
    if arn := mapping.settings.get("EventSourceArn"):
        return [arn]
    endpoints = mapping.settings["SelfManagedEventSource"]["Endpoints"]
    return list(endpoints["KAFKA_BOOTSTRAP_SERVERS"])


def _overlap(one: EventSourceMapping, other: EventSourceMapping) -> bool:
    if one.function_arn != other.function_arn or set(_sources(one)).isdisjoint(_sources(other)):
        return False
    if one.kind in KAFKA:
        return not set(one.settings["Topics"]).isdisjoint(other.settings.get("Topics", ()))
    return True


def _duplicate(mapping: EventSourceMapping, other: EventSourceMapping) -> ResourceConflictException:
    name = mapping.function.name
    ending = f"Please update or delete the existing mapping with UUID {other.uuid}"
    if mapping.kind in QUEUES:
        return ResourceConflictException(
            f'An event source mapping with SQS arn (" {other.settings["EventSourceArn"]} ") and '
            f'function (" {name} ") already exists. {ending}'
        )
    if mapping.kind in KAFKA:
        return ResourceConflictException(
            f'An event source mapping with event source ("{",".join(_sources(mapping))}"), '
            f'function ("{mapping.function_arn}"), topics '
            f'("{",".join(mapping.settings["Topics"])}") already exists. {ending}'
        )
    return ResourceConflictException(
        f'The event source arn (" {other.settings["EventSourceArn"]} ") and function '
        f'(" {name} ") provided mapping already exists. {ending}'
    )
