"""Replays of archived events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.events.errors import (
    IllegalStatusException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
    ValidationException,
)
from lambdad.neighbours.events.model import Archive, BusKey, Replay
from lambdad.neighbours.events.service import EVENTS, Context, bus_key, paged


@EVENTS.operation("StartReplay")
async def start_replay(context: Context, params: Params) -> Result:
    """Let archived events arrive at their bus again."""
    name, destination = params["ReplayName"], params["Destination"]
    if context.services.find(Replay, str(_key(context, name))) is not None:
        raise ResourceAlreadyExistsException(f"Replay {name} already exists.")
    archive = context.services.find(
        Archive, str(_key(context, params["EventSourceArn"].partition("/")[2]))
    )
    if archive is None or archive.arn != params["EventSourceArn"]:
        raise ValidationException(
            "Parameter EventSourceArn is not valid. Reason: Archive "
            f"{params['EventSourceArn'].partition('/')[2]} does not exist."
        )
    context.services.bus(bus_key(context, destination["Arn"]))
    if destination["Arn"] != archive.source_arn:
        raise ValidationException(
            "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not "
            "permitted."
        )
    begin, end = params["EventStartTime"], params["EventEndTime"]
    if begin >= end:
        raise ValidationException(
            "Parameter EventEndTime is not valid. Reason: EventStartTime must be before "
            "EventEndTime."
        )
    now_ms = context.services.now_ms()
    replay = Replay(
        account_id=context.account_id,
        region=context.region,
        name=name,
        created_ms=now_ms,
        modified_ms=now_ms,
        settings={
            "Destination": destination,
            **({"Description": params["Description"]} if params.get("Description") else {}),
        },
        source_arn=archive.arn,
        from_ms=int(begin.timestamp() * 1_000),
        to_ms=int(end.timestamp() * 1_000),
        state="STARTING",
    )
    await context.services.put(replay)
    context.services.replayer.wake()
    return {"ReplayArn": replay.arn, "State": "STARTING", "ReplayStartTime": _moment(now_ms)}


@EVENTS.operation("DescribeReplay")
async def describe_replay(context: Context, params: Params) -> Result:
    """Return a replay."""
    replay = _replay_of(context, params)
    return {**_told(replay), "ReplayArn": replay.arn, **replay.settings}


@EVENTS.operation("ListReplays")
async def list_replays(context: Context, params: Params) -> Result:
    """Return replays by the beginning of their names, their state, or their archive."""
    prefix = params.get("NamePrefix") or ""
    found = [
        replay
        for replay in context.services.all(Replay)
        if (replay.account_id, replay.region) == (context.account_id, context.region)
        and replay.name.startswith(prefix)
        and params.get("State") in (None, replay.state)
        and params.get("EventSourceArn") in (None, replay.source_arn)
    ]
    page, token = paged(params, found, lambda replay: replay.name)
    return {"Replays": [_told(replay) for replay in page], "NextToken": token}


@EVENTS.operation("CancelReplay")
async def cancel_replay(context: Context, params: Params) -> Result:
    """Let a replay end before its time."""
    replay = _replay_of(context, params)
    if replay.state not in ("STARTING", "RUNNING"):
        raise IllegalStatusException(f"Replay {replay.name} is not in a valid state for this.")
    await context.services.put(replace(replay, state="CANCELLING"))
    context.services.replayer.wake()
    return {"ReplayArn": replay.arn, "State": "CANCELLING"}


def _key(context: Context, name: str) -> BusKey:
    return BusKey(account_id=context.account_id, region=context.region, name=name)


def _replay_of(context: Context, params: Params) -> Replay:
    replay = context.services.find(Replay, str(_key(context, params["ReplayName"])))
    if replay is None:
        raise ResourceNotFoundException(f"Replay {params['ReplayName']} does not exist.")
    return replay


def _moment(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1_000, UTC)


def _told(replay: Replay) -> Mapping[str, Any]:
    return {
        "ReplayName": replay.name,
        "EventSourceArn": replay.source_arn,
        "State": replay.state,
        "StateReason": replay.reason,
        "EventStartTime": _moment(replay.from_ms),
        "EventEndTime": _moment(replay.to_ms),
        "EventLastReplayedTime": None if replay.last_ms is None else _moment(replay.last_ms),
        "ReplayStartTime": _moment(replay.created_ms),
        "ReplayEndTime": None if replay.ended_ms is None else _moment(replay.ended_ms),
    }
