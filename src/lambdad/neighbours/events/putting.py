"""PutEvents: what an entry must have, and which document comes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.events.deliveries import Arrival
from lambdad.neighbours.events.errors import ResourceNotFoundException, ValidationException
from lambdad.neighbours.events.model import Bus, timestamp
from lambdad.neighbours.events.service import EVENTS, Context, bus_key
from lambdad.neighbours.resource_policies import lets_account

_ENTRIES_MAX = 10
_BYTES_MAX = 1_048_576
_TIME_BYTES = 14


@EVENTS.operation("PutEvents", lenient=("Entries",))
async def put_events(context: Context, params: Params) -> Result:
    """Accept events; an entry that is refused does not hinder the others."""
    entries = params["Entries"]
    if not 1 <= len(entries) <= _ENTRIES_MAX:
        bound = "greater than or equal to 1" if not entries else "less than or equal to 10"
        raise ValidationException(
            f"1 validation error detected: Value '{_listed(entries)}' at 'entries' failed to "
            f"satisfy constraint: Member must have length {bound}"
        )
    if sum(map(size_of, entries)) > _BYTES_MAX:
        raise ValidationException("Total size of the entries in the request is over the limit.")
    results: list[dict[str, str]] = []
    arrivals = []
    for entry in entries:
        problem = _problem(entry)
        if problem is not None:
            results.append(problem)
            continue
        key = bus_key(context, entry.get("EventBusName"))
        event = _event(context, entry)
        try:
            bus = context.services.bus(key)
        except ResourceNotFoundException:
            results.append({"EventId": event["id"]})
            continue  # AWS takes and forgets it
        if not _may_put(context, bus):
            results.append(_refused(context, bus))
            continue
        results.append({"EventId": event["id"]})
        trace = entry.get("TraceHeader") or context.trace_header
        arrivals.append(Arrival(bus=key, event=event, trace=trace))
    await context.services.accept(arrivals)
    return {"FailedEntryCount": sum("ErrorCode" in each for each in results), "Entries": results}


def _may_put(context: Context, bus: Bus) -> bool:
    return lets_account(
        bus.policy,
        owner=bus.key.account_id,
        principal=context.caller.principal,
        account_id=context.account_id,
        action="events:PutEvents",
        resource=bus.key.arn,
    )


def _refused(context: Context, bus: Bus) -> dict[str, str]:
    return {
        "ErrorCode": "AccessDeniedException",
        "ErrorMessage": f"User: {context.caller.arn} is not authorized to perform: "
        f"events:PutEvents on resource: {bus.key.arn} because no resource-based policy allows the "
        "events:PutEvents action",
    }


def size_of(entry: Mapping[str, Any]) -> int:
    """Return the size of an entry in bytes, as EventBridge counts."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")]
    size = sum(len(text.encode()) for text in [*texts, *(entry.get("Resources") or ())])
    return size + (_TIME_BYTES if entry.get("Time") else 0)


def _listed(entries: Any) -> str:
    return "[]" if not entries else f"[{len(entries)} entries]"


def _problem(entry: Mapping[str, Any]) -> dict[str, str] | None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return {
                "ErrorCode": "InvalidArgument",
                "ErrorMessage": f"Parameter {name} is not valid. Reason: {name} is a required "
                "argument.",
            }
    if entry["Source"].startswith("aws."):
        return {
            "ErrorCode": "NotAuthorizedForSourceException",
            "ErrorMessage": "Not authorized for the source.",
        }
    try:
        detail = json.loads(entry["Detail"])
    except (ValueError, RecursionError):
        detail = None
    if not isinstance(detail, dict):
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    return None


def _event(context: Context, entry: Mapping[str, Any]) -> dict[str, Any]:
    given: datetime | None = entry.get("Time")
    now_ms = context.services.now_ms()
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": context.account_id,
        "time": timestamp(now_ms if given is None else int(given.timestamp() * 1_000)),
        "region": context.region,
        "resources": list(entry.get("Resources") or ()),
        "detail": json.loads(entry["Detail"]),
    }
