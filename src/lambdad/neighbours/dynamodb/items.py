"""One item at a time: GetItem, PutItem, UpdateItem, DeleteItem."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.dynamodb import item_rows, keys, legacy
from lambdad.neighbours.dynamodb.capacity import Consumed, read_units
from lambdad.neighbours.dynamodb.errors import ValidationException, invalid
from lambdad.neighbours.dynamodb.expressions.paths import project
from lambdad.neighbours.dynamodb.expressions.tokens import Placeholders
from lambdad.neighbours.dynamodb.expressions.update_parser import parse_update
from lambdad.neighbours.dynamodb.expressions.updates import Update
from lambdad.neighbours.dynamodb.item_rows import ConditionFailed, Outcome, Write
from lambdad.neighbours.dynamodb.model import Table
from lambdad.neighbours.dynamodb.requests import (
    collection_metrics,
    condition_of,
    paths_of,
    placeholders_of,
    shown,
    with_old_item,
)
from lambdad.neighbours.dynamodb.service import DYNAMODB, Context, table_of
from lambdad.neighbours.dynamodb.values import Item, item_size, read_item

_UPDATE_TOO_LARGE = "Item size to update has exceeded the maximum allowed size"


@DYNAMODB.operation("GetItem")
async def get_item(context: Context, params: Params) -> Result:
    """Return an item, or a part of it."""
    placeholders = placeholders_of(params, ("ProjectionExpression",))
    paths = paths_of(params, placeholders)
    placeholders.check_all_used()
    table = table_of(context, params["TableName"])
    key = keys.read_key(table.schema, params["Key"])
    item = await context.services.db.read(partial(item_rows.get, table=table, key=key))
    consumed = Consumed(table)
    size = item_size(item) if item else 0
    consumed.read(read_units(size, consistent=params.get("ConsistentRead", False)))
    return {
        "Item": None if item is None else shown(item, paths),
        "ConsumedCapacity": consumed.answer(params.get("ReturnConsumedCapacity")),
    }


@DYNAMODB.operation("PutItem")
async def put_item(context: Context, params: Params) -> Result:
    """Store an item, whether or not there is one with its key."""
    _check_return_values(params, ("NONE", "ALL_OLD"))
    write = put_write(table_of(context, params["TableName"]), params)
    outcome = await _done(context, write, params)
    old = outcome.old if params.get("ReturnValues") == "ALL_OLD" else None
    return {"Attributes": old, **_costs(write, outcome, params)}


def put_write(table: Table, params: Mapping[str, Any]) -> Write:
    """Return what a put does; also of a transaction or a batch."""
    placeholders = placeholders_of(params, ("ConditionExpression",))
    condition = condition_of(params, placeholders)
    placeholders.check_all_used()
    item = read_item(params["Item"])
    keys.check_item(table.schema, item)
    for index in table.indexes:
        keys.check_index_key(index.name, index.schema, item)
    return Write(table=table, key=table.key_of(item), change=lambda _: item, condition=condition)


@DYNAMODB.operation("DeleteItem")
async def delete_item(context: Context, params: Params) -> Result:
    """Delete an item; it is no error if there is none."""
    _check_return_values(params, ("NONE", "ALL_OLD"))
    write = delete_write(table_of(context, params["TableName"]), params)
    outcome = await _done(context, write, params)
    old = outcome.old if params.get("ReturnValues") == "ALL_OLD" else None
    return {"Attributes": old, **_costs(write, outcome, params)}


def delete_write(table: Table, params: Mapping[str, Any]) -> Write:
    """Return what a delete does; also of a transaction or a batch."""
    placeholders = placeholders_of(params, ("ConditionExpression",))
    condition = condition_of(params, placeholders)
    placeholders.check_all_used()
    key = keys.read_key(table.schema, params["Key"])
    return Write(table=table, key=key, change=lambda _: None, condition=condition)


@DYNAMODB.operation("UpdateItem")
async def update_item(context: Context, params: Params) -> Result:
    """Change attributes of an item, which is made if there is none."""
    table = table_of(context, params["TableName"])
    write, update = update_write(table, params)
    outcome = await _done(context, write, params)
    wanted = params.get("ReturnValues", "NONE")
    return {
        "Attributes": _returned(wanted, update, outcome),
        **_costs(write, outcome, params),
    }


def update_write(table: Table, params: Mapping[str, Any]) -> tuple[Write, Update]:
    """Return what an update does, and its actions; also of a transaction."""
    placeholders = placeholders_of(params, ("UpdateExpression", "ConditionExpression"))
    update = _update(params, placeholders)
    condition = condition_of(params, placeholders)
    placeholders.check_all_used()
    key = keys.read_key(table.schema, params["Key"])
    for path in update.paths:
        if path[0] in table.schema.names:
            raise invalid(f"Cannot update attribute {path[0]}. This attribute is part of the key")

    def change(old: Item | None) -> Item:
        return update.applied(key if old is None else old)

    write = Write(
        table=table, key=key, change=change, condition=condition, too_large=_UPDATE_TOO_LARGE
    )
    return write, update


def _update(params: Mapping[str, Any], placeholders: Placeholders) -> Update:
    text = params.get("UpdateExpression")
    if text is not None:
        return parse_update(text, placeholders)
    return legacy.update_of(params.get("AttributeUpdates") or {})


def _returned(wanted: str, update: Update, outcome: Outcome) -> Item | None:
    if wanted in ("ALL_OLD", "UPDATED_OLD"):
        found = outcome.old
    elif wanted in ("ALL_NEW", "UPDATED_NEW"):
        found = outcome.new
    else:
        return None
    if wanted.startswith("UPDATED") and found is not None:
        found = project(found, update.paths)
    return found or None


async def _done(context: Context, write: Write, params: Params) -> Outcome:
    try:
        (outcome,) = await context.services.apply([write])
    except ConditionFailed as error:
        raise with_old_item(error, params) from None
    return outcome


def _costs(write: Write, outcome: Outcome, params: Params) -> dict[str, Any]:
    consumed = Consumed(write.table)
    consumed.wrote(outcome)
    return {
        "ConsumedCapacity": consumed.answer(params.get("ReturnConsumedCapacity")),
        "ItemCollectionMetrics": collection_metrics(write.table, write.key, params),
    }


def _check_return_values(params: Params, allowed: tuple[str, ...]) -> None:
    wanted = params.get("ReturnValues")
    if wanted is not None and wanted not in allowed:
        raise ValidationException("Return values set to invalid value")
