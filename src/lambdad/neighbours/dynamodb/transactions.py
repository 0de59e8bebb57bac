"""Many items at once, all or none: TransactGetItems and TransactWriteItems."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.domain.errors import ServiceException
from lambdad.neighbours.dynamodb import item_rows, keys, table_rows
from lambdad.neighbours.dynamodb.capacity import Consumed, read_units
from lambdad.neighbours.dynamodb.errors import (
    IdempotentParameterMismatchException,
    TransactionCanceledException,
    ValidationException,
)
from lambdad.neighbours.dynamodb.item_rows import ConditionFailed, Outcome, Write
from lambdad.neighbours.dynamodb.items import delete_write, put_write, update_write
from lambdad.neighbours.dynamodb.requests import (
    collection_metrics,
    condition_of,
    paths_of,
    placeholders_of,
    shown,
)
from lambdad.neighbours.dynamodb.service import DYNAMODB, Context, table_of
from lambdad.neighbours.dynamodb.values import Item, item_size

_TOKEN_MS = 10 * 60 * 1_000
_SIZE_MAX = 4 * 1024 * 1024
_NONE = {"Code": "None"}


@DYNAMODB.operation("TransactWriteItems")
async def transact_write_items(context: Context, params: Params) -> Result:
    """Do up to 100 writes and checks, all or none; a repeated client token does nothing again."""
    actions = [_action(each) for each in params["TransactItems"]]
    plans = [_write(context, name, action) for name, action in actions]
    places = {(write.table.id, keys.stored(write.table.schema, write.key)) for write in plans}
    if len(places) < len(plans):
        raise ValidationException(
            "Transaction request cannot include multiple operations on one item"
        )
    asked = json.dumps(params["TransactItems"], sort_keys=True, default=bytes.hex)
    digest = hashlib.sha256(asked.encode()).hexdigest()
    token = token_of(context, params.get("ClientRequestToken"), digest)
    run = partial(run_transaction, actions=actions, token=token)
    outcomes = await context.services.apply(plans, run)
    consumed: dict[str, Consumed] = {}
    metrics: dict[str, list[Any]] = {}
    for write, outcome in zip(plans, outcomes, strict=False):
        consumed.setdefault(write.table.name, Consumed(write.table)).wrote(outcome, factor=2)
        measured = collection_metrics(write.table, write.key, params)
        if measured:
            metrics.setdefault(write.table.name, []).append(measured)
    wanted = params.get("ReturnConsumedCapacity")
    found = [each.answer(wanted, split=True) for each in consumed.values()]
    return {
        "ConsumedCapacity": [each for each in found if each] or None,
        "ItemCollectionMetrics": metrics or None,
    }


def _action(item: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    given = [(name, action) for name, action in item.items() if action is not None]
    if len(given) != 1:
        raise ValidationException(
            "TransactItems can only contain one of Check, Put, Update or Delete"
        )
    return given[0]


def _write(context: Context, name: str, action: Mapping[str, Any]) -> Write:
    table = table_of(context, action["TableName"])
    if name == "Put":
        return put_write(table, action)
    if name == "Delete":
        return delete_write(table, action)
    if name == "Update":
        return update_write(table, action)[0]
    placeholders = placeholders_of(action, ("ConditionExpression",))
    condition = condition_of(action, placeholders)
    placeholders.check_all_used()
    key = keys.read_key(table.schema, action["Key"])
    return Write(table=table, key=key, change=lambda old: old, condition=condition)


Token = Callable[[sqlite3.Connection, int], bool]


def token_of(context: Context, name: str | None, digest: str) -> Token:
    """Return what says whether a transaction was done already; `digest` is of what it does."""
    if name is None:
        return lambda db, now_ms: False
    place = (context.account_id, context.region, name)

    def taken(db: sqlite3.Connection, now_ms: int) -> bool:
        before = table_rows.take_token(db, place, digest, now_ms, now_ms + _TOKEN_MS)
        if before is not None and before != digest:
            raise IdempotentParameterMismatchException(
                "The client token was used before with other parameters."
            )
        return before is not None

    return taken


def run_transaction(
    db: sqlite3.Connection,
    writes: Sequence[Write],
    now_ms: int,
    *,
    actions: Sequence[tuple[str, Mapping[str, Any]]],
    token: Token,
) -> list[Outcome]:
    """Do all writes; if one fails, say of each why or that it would have been done."""
    if token(db, now_ms):
        return []
    outcomes: list[Outcome] = []
    reasons: list[dict[str, Any]] = []
    for write, (_, action) in zip(writes, actions, strict=True):
        try:
            outcomes.append(item_rows.apply(db, write, now_ms))
            reasons.append(_NONE)
        except ConditionFailed as error:
            reasons.append(_failed(error, action))
        except ValidationException as error:
            reasons.append({"Code": "ValidationError", "Message": error.message})
    if len(outcomes) < len(writes):
        raise _cancelled(reasons)
    if sum(outcome.size for outcome in outcomes) > _SIZE_MAX:
        raise ValidationException("Transaction size has exceeded the maximum allowed size of 4 MB")
    return outcomes


def _failed(error: ConditionFailed, action: Mapping[str, Any]) -> dict[str, Any]:
    reason: dict[str, Any] = {"Code": "ConditionalCheckFailed", "Message": error.message}
    if action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and error.old:
        reason["Item"] = error.old
    return reason


def _cancelled(reasons: Sequence[Mapping[str, Any]]) -> ServiceException:
    codes = ", ".join(str(reason["Code"]) for reason in reasons)
    return TransactionCanceledException(
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=reasons,
    )


@DYNAMODB.operation("TransactGetItems")
async def transact_get_items(context: Context, params: Params) -> Result:
    """Return up to 100 items as they were at one moment."""
    plans = []
    for each in params["TransactItems"]:
        wanted = each["Get"]
        placeholders = placeholders_of(wanted, ("ProjectionExpression",))
        paths = paths_of(wanted, placeholders)
        placeholders.check_all_used()
        table = table_of(context, wanted["TableName"])
        plans.append((table, keys.read_key(table.schema, wanted["Key"]), paths))

    def job(db: sqlite3.Connection) -> list[Item | None]:
        return [item_rows.get(db, table, key) for table, key, _ in plans]

    items = await context.services.db.read(job)
    consumed: dict[str, Consumed] = {}
    responses = []
    for (table, _, paths), item in zip(plans, items, strict=True):
        units = 2 * read_units(item_size(item) if item else 0, consistent=True)
        consumed.setdefault(table.name, Consumed(table)).read(units)
        responses.append({} if item is None else {"Item": shown(item, paths)})
    wanted_costs = params.get("ReturnConsumedCapacity")
    found = [each.answer(wanted_costs, split=True) for each in consumed.values()]
    return {
        "Responses": responses,
        "ConsumedCapacity": [each for each in found if each] or None,
    }
