"""What requests on items have in common: expressions, or the parameters that came before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.neighbours.dynamodb import legacy
from lambdad.neighbours.dynamodb.errors import ValidationException, invalid
from lambdad.neighbours.dynamodb.expressions.condition_parser import parse_condition
from lambdad.neighbours.dynamodb.expressions.conditions import Condition
from lambdad.neighbours.dynamodb.expressions.paths import Path, parse_projection, project
from lambdad.neighbours.dynamodb.expressions.tokens import Placeholders
from lambdad.neighbours.dynamodb.item_rows import ConditionFailed
from lambdad.neighbours.dynamodb.model import Table
from lambdad.neighbours.dynamodb.values import Item

_EXPRESSIONS = (
    "ProjectionExpression",
    "FilterExpression",
    "UpdateExpression",
    "ConditionExpression",
    "KeyConditionExpression",
)
_OLDER = (
    "AttributesToGet",
    "AttributeUpdates",
    "Expected",
    "QueryFilter",
    "ScanFilter",
    "KeyConditions",
    "ConditionalOperator",
)


def placeholders_of(params: Mapping[str, Any], expressions: Sequence[str]) -> Placeholders:
    """Return the names and values of a request; `expressions` are those that it may have.

    Raises:
        ValidationException: there are some and no expression, or older parameters beside one.
    """
    used = [name for name in _EXPRESSIONS if params.get(name) is not None]
    older = [name for name in _OLDER if params.get(name) is not None]
    if used and older:
        raise ValidationException(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(older)}}} "
            f"Expression parameters: {{{', '.join(used)}}}"
        )
    for kind in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        if params.get(kind) is not None and not used:
            reason = f": {expressions[0]} is null" if len(expressions) == 1 else ""
            if kind == "ExpressionAttributeNames":
                reason = ""
            raise ValidationException(
                f"{kind} can only be specified when using expressions{reason}"
            )
    return Placeholders(
        params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues")
    )


def condition_of(params: Mapping[str, Any], placeholders: Placeholders) -> Condition | None:
    """Return the condition of a write, or None."""
    text = params.get("ConditionExpression")
    if text is not None:
        return parse_condition(text, placeholders)
    return legacy.condition_of(params.get("Expected") or {}, params.get("ConditionalOperator"))


def paths_of(params: Mapping[str, Any], placeholders: Placeholders) -> list[Path] | None:
    """Return the paths that a read wants, or None for all attributes."""
    text = params.get("ProjectionExpression")
    if text is not None:
        return parse_projection(text, placeholders)
    names = params.get("AttributesToGet")
    if names is None:
        return None
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise invalid(f"Duplicate value in attribute name: {repeated}")
    return [(name,) for name in names]


def shown(item: Item, paths: Sequence[Path] | None) -> Item:
    """Return what of an item is wanted."""
    return item if paths is None else project(item, paths)


def with_old_item(error: ConditionFailed, params: Mapping[str, Any]) -> ConditionFailed:
    """Return the refusal, with the item that did not meet the condition if that is wanted."""
    if params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and error.old is not None:
        error.members = {"Item": error.old}
    return error


def collection_metrics(table: Table, key: Item, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the estimate of how large an item's collection is; only local indexes limit it."""
    if params.get("ReturnItemCollectionMetrics") != "SIZE":
        return None
    if not any(index.local for index in table.indexes):
        return None
    name = table.schema.hash.name
    return {"ItemCollectionKey": {name: key[name]}, "SizeEstimateRangeGB": [0.0, 1.0]}
