"""Event buses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.events.errors import (
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
    ValidationException,
    too_many,
)
from lambdad.neighbours.events.inputs import compact
from lambdad.neighbours.events.model import DEFAULT, Bus, BusKey
from lambdad.neighbours.events.service import EVENTS, Context, bus_of, paged, tags_of

_BUSES_MAX = 100
_SETTINGS = ("Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")


@EVENTS.operation("CreateEventBus")
async def create_event_bus(context: Context, params: Params) -> Result:
    """Make a bus."""
    name, now_ms = params["Name"], context.services.now_ms()
    if name.startswith("aws.") or "/" in name:
        raise ResourceNotFoundException(f"Event source {params.get('EventSourceName')} not found.")
    key = BusKey(account_id=context.account_id, region=context.region, name=name)
    own = _own(context)
    if name == DEFAULT or any(each.name == name for each in own):
        raise ResourceAlreadyExistsException(f"Event bus {name} already exists.")
    if len(own) >= _BUSES_MAX:
        raise too_many()
    settings = _settings(params)
    await context.services.put(
        Bus(
            account_id=key.account_id,
            region=key.region,
            name=name,
            created_ms=now_ms,
            modified_ms=now_ms,
            settings=settings,
            tags=tags_of(params),
        )
    )
    return {"EventBusArn": key.arn, **settings}


@EVENTS.operation("UpdateEventBus")
async def update_event_bus(context: Context, params: Params) -> Result:
    """Change what is set of a bus."""
    bus = bus_of(context, params, "Name")
    settings = {**bus.settings, **_settings(params)}
    changed = replace(bus, settings=settings, modified_ms=context.services.now_ms())
    await context.services.put(changed)
    return {"Arn": bus.key.arn, "Name": bus.name, **settings}


@EVENTS.operation("DescribeEventBus")
async def describe_event_bus(context: Context, params: Params) -> Result:
    """Return a bus."""
    bus = bus_of(context, params, "Name")
    return {**_told(bus), **bus.settings}


@EVENTS.operation("ListEventBuses")
async def list_event_buses(context: Context, params: Params) -> Result:
    """Return the buses whose names begin with a text."""
    default = BusKey(account_id=context.account_id, region=context.region, name=DEFAULT)
    found = [bus for bus in _own(context) if bus.name != DEFAULT]
    found.append(context.services.bus(default))
    prefix = params.get("NamePrefix") or ""
    matching = [bus for bus in found if bus.name.startswith(prefix)]
    page, token = paged(params, matching, lambda bus: bus.name)
    return {"EventBuses": [_told(bus) for bus in page], "NextToken": token}


@EVENTS.operation("DeleteEventBus")
async def delete_event_bus(context: Context, params: Params) -> Result:
    """Delete a bus, if it is there, with its rules."""
    if params["Name"] == DEFAULT:
        raise ValidationException("Cannot delete event bus default.")
    try:
        bus = bus_of(context, params, "Name")
    except ResourceNotFoundException:
        return {}
    for rule in context.services.rules(bus.key):
        await context.services.remove(rule)
    await context.services.remove(bus)
    return {}


def _own(context: Context) -> list[Bus]:
    return [
        bus
        for bus in context.services.all(Bus)
        if (bus.account_id, bus.region) == (context.account_id, context.region)
    ]


def _settings(params: Params) -> dict[str, Any]:
    return {name: params[name] for name in _SETTINGS if params.get(name) is not None}


def _told(bus: Bus) -> Mapping[str, Any]:
    made = {
        "CreationTime": datetime.fromtimestamp(bus.created_ms / 1_000, UTC),
        "LastModifiedTime": datetime.fromtimestamp(bus.modified_ms / 1_000, UTC),
    }
    return {
        "Name": bus.name,
        "Arn": bus.key.arn,
        "Description": bus.settings.get("Description"),
        "Policy": None if bus.policy is None else compact(bus.policy),
        **(made if bus.created_ms else {}),
    }
