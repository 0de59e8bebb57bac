"""Tags of buses and rules."""

from __future__ import annotations

from dataclasses import replace

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.events.errors import ValidationException
from lambdad.neighbours.events.model import DEFAULT, Bus, BusKey
from lambdad.neighbours.events.service import EVENTS, Context, listed, tags_of

_PARTS = 6


@EVENTS.operation("ListTagsForResource")
async def list_tags_for_resource(context: Context, params: Params) -> Result:
    """Return the tags of a bus or a rule."""
    return {"Tags": listed(_tagged(context, params).tags)}


@EVENTS.operation("TagResource")
async def tag_resource(context: Context, params: Params) -> Result:
    """Add tags, or give some another value."""
    item = _tagged(context, params)
    await context.services.put(replace(item, tags={**item.tags, **tags_of(params)}))
    return {}


@EVENTS.operation("UntagResource")
async def untag_resource(context: Context, params: Params) -> Result:
    """Take tags away."""
    item, gone = _tagged(context, params), set(params["TagKeys"])
    kept = {key: value for key, value in item.tags.items() if key not in gone}
    await context.services.put(replace(item, tags=kept))
    return {}


def _tagged(context: Context, params: Params) -> Bus:
    """Return what an ARN names.

    Raises:
        ResourceNotFoundException: it is not there.
        ValidationException: it is no ARN of a bus or a rule.
    """
    parts = params["ResourceARN"].split(":", 5)
    kind, _, path = parts[5].partition("/") if len(parts) == _PARTS else ("", "", "")
    if kind not in ("rule", "event-bus"):
        raise ValidationException("Parameter ResourceARN is not valid.")
    bus, _, name = path.rpartition("/") if kind == "rule" else (path, "", "")
    key = BusKey(account_id=parts[4], region=parts[3], name=bus or DEFAULT)
    return context.services.rule(key, name) if kind == "rule" else context.services.bus(key)
