"""Event source mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, marker_of, name_of, target_of
from lambdad.api.lambda_.tags import TAGGED
from lambdad.controlplane.event_source_mappings import MappingChange, NewMapping
from lambdad.controlplane.event_sources import SOURCES
from lambdad.domain.errors import ResourceNotFoundException
from lambdad.domain.event_source_mappings import EventSourceMapping, mapping_arn

_PAGE_MAX = 100

# Members that are no settings of the mapping itself.
_OTHERS = frozenset({"Enabled", "FunctionName", "Tags", "UUID"})


# AWS names the positions in an order of its own.
@LAMBDA.operation("CreateEventSourceMapping", lenient=("StartingPosition",))
async def create_event_source_mapping(context: RequestContext, params: Params) -> Result:
    """Begin to poll a source for a function."""
    new = NewMapping(
        target=target_of(context, params, "CreateEventSourceMapping"),
        settings=_settings(params),
        enabled=params.get("Enabled", True),
        tags=params.get("Tags") or {},
    )
    return _mapping(await context.services.attachments.event_source_mappings.create(new))


@LAMBDA.operation("GetEventSourceMapping")
async def get_event_source_mapping(context: RequestContext, params: Params) -> Result:
    """Return a mapping."""
    mappings = context.services.attachments.event_source_mappings
    return _mapping(await mappings.get(context.account_id, context.region, params["UUID"]))


@LAMBDA.operation("UpdateEventSourceMapping")
async def update_event_source_mapping(context: RequestContext, params: Params) -> Result:
    """Change a mapping; members that are left out stay."""
    given = "FunctionName" in params
    change = MappingChange(
        settings=_settings(params),
        target=target_of(context, params, "UpdateEventSourceMapping") if given else None,
        enabled=params.get("Enabled"),
    )
    mappings = context.services.attachments.event_source_mappings
    return _mapping(
        await mappings.update(context.account_id, context.region, params["UUID"], change)
    )


@LAMBDA.operation("DeleteEventSourceMapping")
async def delete_event_source_mapping(context: RequestContext, params: Params) -> Result:
    """End a mapping."""
    mappings = context.services.attachments.event_source_mappings
    return _mapping(await mappings.delete(context.account_id, context.region, params["UUID"]))


@LAMBDA.operation("ListEventSourceMappings")
async def list_event_source_mappings(context: RequestContext, params: Params) -> Result:
    """List mappings, of a function or of a source if one is given, at most 100 at a time."""
    given = "FunctionName" in params
    page = context.services.attachments.event_source_mappings.list(
        context.account_id,
        context.region,
        target=target_of(context, params, "ListEventSourceMappings") if given else None,
        source_arn=params.get("EventSourceArn"),
        after=name_of(params.get("Marker")),
        limit=min(params.get("MaxItems") or _PAGE_MAX, _PAGE_MAX),
    )
    answer: dict[str, Any] = {
        "EventSourceMappings": [_listed(mapping) for mapping in page.mappings]
    }
    if page.more:
        answer["NextMarker"] = marker_of(page.mappings[-1].uuid)
    return answer


def _settings(params: Params) -> Mapping[str, Any]:
    settings = {name: value for name, value in params.items() if name not in _OTHERS}
    timestamp = settings.get("StartingPositionTimestamp")
    if isinstance(timestamp, datetime):
        settings["StartingPositionTimestamp"] = timestamp.timestamp()
    return settings


def _mapping(mapping: EventSourceMapping) -> dict[str, Any]:
    wire: dict[str, Any] = {
        **mapping.settings,
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping.arn,
        "FunctionArn": mapping.function_arn,
        "LastModified": datetime.fromtimestamp(mapping.last_modified_s, UTC),
        "State": mapping.state.value,
        "StateTransitionReason": SOURCES[mapping.kind].reason,
    }
    if mapping.last_processing_result is not None:
        wire["LastProcessingResult"] = mapping.last_processing_result
    timestamp = wire.get("StartingPositionTimestamp")
    if timestamp is not None:
        wire["StartingPositionTimestamp"] = datetime.fromtimestamp(timestamp, UTC)
    return wire


def _listed(mapping: EventSourceMapping) -> dict[str, Any]:
    """Return a mapping as listings have it: encrypted filters are not shown."""
    wire = _mapping(mapping)
    if "KMSKeyArn" in wire:
        wire.pop("FilterCriteria", None)
    return wire


class MappingTags:
    """Tags of mappings."""

    async def tags(self, context: RequestContext, arn: str) -> Mapping[str, str]:
        """Return the tags."""
        mappings = context.services.attachments.event_source_mappings
        return mappings.tags(context.account_id, context.region, _uuid(context, arn))

    async def tag(self, context: RequestContext, arn: str, tags: Mapping[str, str]) -> None:
        """Add tags or overwrite them."""
        mappings = context.services.attachments.event_source_mappings
        uuid = _uuid(context, arn)
        await mappings.retag(context.account_id, context.region, uuid, add=tags)

    async def untag(self, context: RequestContext, arn: str, names: Sequence[str]) -> None:
        """Remove tags."""
        mappings = context.services.attachments.event_source_mappings
        uuid = _uuid(context, arn)
        await mappings.retag(context.account_id, context.region, uuid, remove=names)


def _uuid(context: RequestContext, arn: str) -> str:
    uuid = arn.rpartition(":")[2]
    if arn != mapping_arn(context.account_id, context.region, uuid):
        raise ResourceNotFoundException(f"Event source mapping not found: {arn}")
    return uuid


TAGGED["event-source-mapping"] = MappingTags()
