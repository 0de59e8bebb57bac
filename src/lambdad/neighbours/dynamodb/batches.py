"""Many items at once, each for itself: BatchGetItem and BatchWriteItem."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.dynamodb import item_rows, keys
from lambdad.neighbours.dynamodb.capacity import Consumed, read_units, told
from lambdad.neighbours.dynamodb.errors import ValidationException
from lambdad.neighbours.dynamodb.expressions.paths import Path
from lambdad.neighbours.dynamodb.item_rows import Write
from lambdad.neighbours.dynamodb.items import delete_write, put_write
from lambdad.neighbours.dynamodb.model import Table
from lambdad.neighbours.dynamodb.requests import (
    collection_metrics,
    paths_of,
    placeholders_of,
    shown,
)
from lambdad.neighbours.dynamodb.service import DYNAMODB, Context, table_of
from lambdad.neighbours.dynamodb.values import Item, item_size

_GET_MAX, _WRITE_MAX = 100, 25
_ANSWER_MAX = 16 * 1024 * 1024


@DYNAMODB.operation("BatchGetItem")
async def batch_get_item(context: Context, params: Params) -> Result:
    """Return up to 100 items; what does not fit into 16 MB is named as unprocessed."""
    requested: Mapping[str, Mapping[str, Any]] = params["RequestItems"]
    if not requested:
        raise _too_few()
    if sum(len(each["Keys"]) for each in requested.values()) > _GET_MAX:
        raise ValidationException("Too many items requested for the BatchGetItem call")
    plans = [_Gets(context, name, wanted) for name, wanted in requested.items()]

    def job(db: sqlite3.Connection) -> list[list[Item | None]]:
        return [[item_rows.get(db, plan.table, key) for key in plan.keys] for plan in plans]

    found = await context.services.db.read(job)
    responses: dict[str, list[Item]] = {}
    left: dict[str, Any] = {}
    consumed: dict[str, Consumed] = {}
    total = 0
    for plan, items in zip(plans, found, strict=True):
        responses[plan.name] = []
        units = consumed.setdefault(plan.name, Consumed(plan.table))
        for position, item in enumerate(items):
            size = item_size(item) if item else 0
            total += size
            if total > _ANSWER_MAX:
                left[plan.name] = {**plan.wanted, "Keys": plan.keys[position:]}
                break
            units.read(read_units(size, consistent=plan.wanted.get("ConsistentRead", False)))
            if item is not None:
                responses[plan.name].append(shown(item, plan.paths))
    return {
        "Responses": responses,
        "UnprocessedKeys": left,
        "ConsumedCapacity": told(consumed, params.get("ReturnConsumedCapacity")),
    }


class _Gets:
    """What is wanted of one table."""

    def __init__(self, context: Context, name: str, wanted: Mapping[str, Any]) -> None:
        placeholders = placeholders_of(wanted, ("ProjectionExpression",))
        self.name = name
        self.wanted = wanted
        self.paths: list[Path] | None = paths_of(wanted, placeholders)
        placeholders.check_all_used()
        self.table: Table = table_of(context, name)
        self.keys = [keys.read_key(self.table.schema, key) for key in wanted["Keys"]]
        places = {keys.stored(self.table.schema, key) for key in self.keys}
        if len(places) < len(self.keys):
            raise ValidationException("Provided list of item keys contains duplicates")


@DYNAMODB.operation("BatchWriteItem")
async def batch_write_item(context: Context, params: Params) -> Result:
    """Put and delete up to 25 items; none is left unprocessed."""
    requested: Mapping[str, Sequence[Mapping[str, Any]]] = params["RequestItems"]
    if not requested:
        raise _too_few()
    if sum(len(each) for each in requested.values()) > _WRITE_MAX:
        raise ValidationException("Too many items requested for the BatchWriteItem call")
    named: list[tuple[str, Write]] = []
    for name, requests in requested.items():
        table = table_of(context, name)
        writes = [_write(table, request) for request in requests]
        places = {keys.stored(table.schema, write.key) for write in writes}
        if len(places) < len(writes):
            raise ValidationException("Provided list of item keys contains duplicates")
        named += [(name, write) for write in writes]
    outcomes = await context.services.apply([write for _, write in named])
    consumed: dict[str, Consumed] = {}
    metrics: dict[str, list[Any]] = {}
    for (name, write), outcome in zip(named, outcomes, strict=True):
        consumed.setdefault(name, Consumed(write.table)).wrote(outcome)
        measured = collection_metrics(write.table, write.key, params)
        if measured:
            metrics.setdefault(name, []).append(measured)
    return {
        "UnprocessedItems": {},
        "ItemCollectionMetrics": metrics or None,
        "ConsumedCapacity": told(consumed, params.get("ReturnConsumedCapacity")),
    }


def _write(table: Table, request: Mapping[str, Any]) -> Write:
    put, delete = request.get("PutRequest"), request.get("DeleteRequest")
    if put is not None and delete is None:
        return put_write(table, put)
    if delete is None or put is not None:
        has = "is empty" if delete is None else "has more than one datatypes set"
        raise ValidationException(
            f"Supplied AttributeValue {has}, must contain exactly one of the supported datatypes"
        )
    return delete_write(table, delete)


def _too_few() -> ValidationException:
    return ValidationException(
        "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )
