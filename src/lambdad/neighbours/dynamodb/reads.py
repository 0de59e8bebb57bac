"""Many items in the order of their keys: Query and Scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.dynamodb import keys, legacy, query_rows
from lambdad.neighbours.dynamodb.capacity import Consumed, read_units
from lambdad.neighbours.dynamodb.errors import ValidationException, invalid
from lambdad.neighbours.dynamodb.expressions.condition_parser import parse_condition
from lambdad.neighbours.dynamodb.expressions.conditions import Condition
from lambdad.neighbours.dynamodb.expressions.inspection import attributes_of
from lambdad.neighbours.dynamodb.expressions.key_conditions import KeyRange, key_range
from lambdad.neighbours.dynamodb.expressions.paths import Path
from lambdad.neighbours.dynamodb.expressions.tokens import Placeholders
from lambdad.neighbours.dynamodb.model import Index, Table
from lambdad.neighbours.dynamodb.query_rows import Page, Search
from lambdad.neighbours.dynamodb.requests import paths_of, placeholders_of, shown
from lambdad.neighbours.dynamodb.service import DYNAMODB, Context, table_of
from lambdad.neighbours.dynamodb.values import Item, kind_of, read_item

_ON_KEYS = ("EQ", "LE", "LT", "GE", "GT", "BEGINS_WITH", "BETWEEN")


@DYNAMODB.operation("Query")
async def query(context: Context, params: Params) -> Result:
    """Return items of one partition, by their sort keys."""
    table = table_of(context, params["TableName"])
    index = _index(table, params)
    schema = table.schema if index is None else index.schema
    placeholders = placeholders_of(params, ("KeyConditionExpression", "FilterExpression"))
    sought = key_range(_key_condition(params, placeholders), schema)
    condition = _filter(params, placeholders, "QueryFilter")
    if condition is not None:
        _check_no_keys(condition, schema, params)
    wanted = _search(table, index, params, sought)
    if wanted.start is not None:
        _check_inside(wanted, sought)
    return await _answer(context, wanted, condition, params, placeholders)


@DYNAMODB.operation("Scan")
async def scan(context: Context, params: Params) -> Result:
    """Return all items, or those of a segment."""
    table = table_of(context, params["TableName"])
    index = _index(table, params)
    placeholders = placeholders_of(params, ("FilterExpression",))
    condition = _filter(params, placeholders, "ScanFilter")
    wanted = _search(table, index, params, None)
    if wanted.start is not None and "Segment" in params:
        first, last = wanted.hashes
        schema = table.schema if index is None else index.schema
        if not first <= keys.stored(schema, wanted.start).hash <= last:
            raise ValidationException(
                "The provided Exclusive start key does not map to the provided segment"
            )
    return await _answer(context, wanted, condition, params, placeholders)


def _index(table: Table, params: Params) -> Index | None:
    name = params.get("IndexName")
    if name is None:
        return None
    index = table.index(name)
    if index is None:
        raise ValidationException(f"The table does not have the specified index: {name}")
    if not index.local and params.get("ConsistentRead"):
        raise ValidationException("Consistent reads are not supported on global secondary indexes")
    if index.status != "ACTIVE":
        raise ValidationException(f"Cannot read from backfilling global secondary index: {name}")
    return index


def _key_condition(params: Params, placeholders: Placeholders) -> Condition:
    text = params.get("KeyConditionExpression")
    for older in (params.get("KeyConditions") or {}).values():
        if older.get("ComparisonOperator") not in _ON_KEYS:
            raise ValidationException(
                "Attempted conditional constraint is not an indexable operation"
            )
    condition = (
        legacy.condition_of(params.get("KeyConditions") or {})
        if text is None
        else parse_condition(text, placeholders, "KeyConditionExpression")
    )
    if condition is None:
        raise ValidationException(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
            "request."
        )
    return condition


def _filter(params: Params, placeholders: Placeholders, older: str) -> Condition | None:
    text = params.get("FilterExpression")
    if text is not None:
        return parse_condition(text, placeholders, "FilterExpression")
    return legacy.condition_of(params.get(older) or {}, params.get("ConditionalOperator"))


def _check_no_keys(condition: Condition, schema: keys.KeySchema, params: Params) -> None:
    for name in attributes_of(condition):
        if name in schema.names:
            noun = "Filter Expression" if "FilterExpression" in params else "QueryFilter"
            raise ValidationException(
                f"{noun} can only contain non-primary key attributes: Primary key attribute: {name}"
            )


def _search(table: Table, index: Index | None, params: Params, sought: KeyRange | None) -> Search:
    start = params.get("ExclusiveStartKey")
    return Search(
        table=table,
        index=index,
        sought=sought,
        hashes=_segment(params),
        forward=params.get("ScanIndexForward", True),
        start=None if start is None else start_key(table, index, start),
        limit=params.get("Limit"),
        whole=index is not None and index.local and _wants_all(params),
    )


def _wants_all(params: Params) -> bool:
    """Whether attributes may be wanted that a local index has not; they are fetched then."""
    chosen = params.get("Select")
    wanted = params.get("ProjectionExpression") or params.get("AttributesToGet")
    return chosen == "ALL_ATTRIBUTES" or bool(wanted)


def _segment(params: Params) -> tuple[int, int]:
    segment, total = params.get("Segment"), params.get("TotalSegments")
    every = 2**keys.HASH_BITS
    if segment is None and total is None:
        return 0, every - 1
    if segment is None or total is None:
        given, missing = (
            ("TotalSegments", "Segment") if segment is None else ("Segment", "TotalSegments")
        )
        raise ValidationException(
            f"The {missing} parameter is required but was not present in the request when "
            f"{given} parameter is present"
        )
    if segment >= total:
        raise ValidationException(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    return segment * every // total, (segment + 1) * every // total - 1


def start_key(table: Table, index: Index | None, given: Mapping[str, Any]) -> Item:
    """Return the key after which to go on; raises ValidationException if it is none."""
    start = read_item(given)
    attributes = {each.name: each.kind for each in table.schema.attributes}
    if index is not None:
        attributes |= {each.name: each.kind for each in index.schema.attributes}
    if set(start) != set(attributes) or any(
        kind_of(value) != attributes[name] for name, value in start.items()
    ):
        raise ValidationException("The provided starting key is invalid")
    return start


def _check_inside(wanted: Search, sought: KeyRange) -> None:
    schema = wanted.table.schema if wanted.index is None else wanted.index.schema
    at = keys.stored(schema, wanted.start or {})
    if at.partition != sought.partition or not sought.covers(at.sort):
        raise ValidationException(
            "The provided starting key is outside query boundaries based on provided conditions"
        )


async def _answer(
    context: Context,
    wanted: Search,
    condition: Condition | None,
    params: Params,
    placeholders: Placeholders,
) -> Result:
    paths = paths_of(params, placeholders)
    placeholders.check_all_used()
    chosen = params.get("Select")
    _check_select(wanted, chosen, paths)
    if condition is not None:
        wanted = _keeping(wanted, condition)
    page: Page = await context.services.db.read(partial(query_rows.search, wanted=wanted))
    consumed = Consumed(wanted.table)
    units = read_units(page.size, consistent=params.get("ConsistentRead", False))
    consumed.read(units, wanted.index)
    found = [shown(item, paths) for item in page.items]
    return {
        "Items": None if chosen == "COUNT" else found,
        "Count": len(found),
        "ScannedCount": page.scanned,
        "LastEvaluatedKey": page.last,
        "ConsumedCapacity": consumed.answer(params.get("ReturnConsumedCapacity")),
    }


def _keeping(wanted: Search, condition: Condition) -> Search:
    """Return a search that keeps what meets a condition."""
    return replace(wanted, keep=condition.holds)


def _check_select(wanted: Search, chosen: str | None, paths: list[Path] | None) -> None:
    index = wanted.index
    if chosen == "ALL_PROJECTED_ATTRIBUTES" and index is None:
        raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if paths is not None and chosen not in (None, "SPECIFIC_ATTRIBUTES"):
        raise ValidationException(
            "Cannot specify the ProjectionExpression when choosing to get "
            f"{'only the Count' if chosen == 'COUNT' else chosen}"
        )
    if paths is None and chosen == "SPECIFIC_ATTRIBUTES":
        raise invalid("Must specify the attributes to get when choosing SPECIFIC_ATTRIBUTES")
    if index is None or index.local or index.included is None:
        return
    if chosen == "ALL_ATTRIBUTES":
        raise invalid(
            "Select type ALL_ATTRIBUTES is not supported for global secondary index "
            f"{index.name} because its projection type is not ALL"
        )
    has = {*index.included, *index.schema.names, *wanted.table.schema.names}
    missing = [str(path[0]) for path in paths or () if path[0] not in has]
    if missing:
        raise invalid(
            f"Global secondary index {index.name} does not project [{', '.join(missing)}]"
        )
