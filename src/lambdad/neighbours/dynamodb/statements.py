"""PartiQL: ExecuteStatement, BatchExecuteStatement and ExecuteTransaction."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.domain.errors import ServiceException
from lambdad.neighbours.dynamodb import item_rows, keys, query_rows
from lambdad.neighbours.dynamodb.capacity import Consumed, read_units
from lambdad.neighbours.dynamodb.errors import (
    DuplicateItemException,
    ValidationException,
)
from lambdad.neighbours.dynamodb.execution import key_in, search_of, write_of
from lambdad.neighbours.dynamodb.expressions.paths import project
from lambdad.neighbours.dynamodb.item_rows import ConditionFailed, Outcome, Write
from lambdad.neighbours.dynamodb.model import Table
from lambdad.neighbours.dynamodb.partiql.parser import parse_statement
from lambdad.neighbours.dynamodb.partiql.statements import (
    Change,
    Check,
    Insert,
    Remove,
    Select,
    Statement,
)
from lambdad.neighbours.dynamodb.reads import start_key
from lambdad.neighbours.dynamodb.requests import shown, with_old_item
from lambdad.neighbours.dynamodb.service import DYNAMODB, Context, table_of
from lambdad.neighbours.dynamodb.transactions import run_transaction, token_of
from lambdad.neighbours.dynamodb.values import Item, dump, item_size, load

_DUPLICATE = "Duplicate primary key exists in table"


@DYNAMODB.operation("ExecuteStatement")
async def execute_statement(context: Context, params: Params) -> Result:
    """Run one statement."""
    statement = _parsed(params)
    if isinstance(statement, Check):
        raise ValidationException("EXISTS is only supported in transactions")
    table = table_of(context, statement.table)
    if isinstance(statement, Select):
        return await _select(context, table, statement, params)
    consumed = Consumed(table)
    items = await _write(context, table, statement, params, consumed)
    return {
        "Items": items,
        "ConsumedCapacity": consumed.answer(params.get("ReturnConsumedCapacity")),
    }


def _parsed(params: Mapping[str, Any]) -> Statement:
    return parse_statement(params["Statement"], params.get("Parameters") or ())


async def _select(context: Context, table: Table, select: Select, params: Params) -> Result:
    wanted = replace(search_of(table, select), limit=params.get("Limit"))
    token = params.get("NextToken")
    if token is not None:
        wanted = replace(wanted, start=start_key(table, wanted.index, _start(token)))
    page = await context.services.db.read(partial(query_rows.search, wanted=wanted))
    consumed = Consumed(table)
    consistent = params.get("ConsistentRead", False)
    consumed.read(read_units(page.size, consistent=consistent), wanted.index)
    last = None if page.last is None else base64.b64encode(dump(page.last).encode()).decode()
    return {
        "Items": [shown(item, select.paths) for item in page.items],
        "NextToken": last,
        "LastEvaluatedKey": page.last,
        "ConsumedCapacity": consumed.answer(params.get("ReturnConsumedCapacity")),
    }


def _start(token: str) -> Item:
    try:
        start: Any = load(base64.b64decode(token, validate=True).decode())
    except (binascii.Error, ValueError) as error:
        raise ValidationException("Invalid NextToken") from error
    if not isinstance(start, dict) or not all(isinstance(each, dict) for each in start.values()):
        raise ValidationException("Invalid NextToken")
    return dict(start)


async def _write(
    context: Context,
    table: Table,
    statement: Insert | Change | Remove,
    params: Mapping[str, Any],
    consumed: Consumed,
) -> list[Item]:
    """Do what a statement says; returns what it is to return."""
    try:
        (outcome,) = await context.services.apply([write_of(table, statement)])
    except ConditionFailed as error:
        if isinstance(statement, Insert):
            raise DuplicateItemException(_DUPLICATE) from None
        raise with_old_item(error, params) from None
    consumed.wrote(outcome)
    if isinstance(statement, Insert) or statement.returning == "NONE":
        return []
    found = outcome.old if statement.returning.endswith("OLD") else outcome.new
    if isinstance(statement, Change) and statement.returning.startswith("UPDATED"):
        found = project(found or {}, statement.update.paths)
    return [found] if found else []


# --- several --------------------------------------------------------------------------------


@DYNAMODB.operation("BatchExecuteStatement")
async def batch_execute_statement(context: Context, params: Params) -> Result:
    """Run statements on one item each, every one for itself."""
    consumed: list[Consumed] = []
    responses = [await _one(context, each, consumed) for each in params["Statements"]]
    wanted = params.get("ReturnConsumedCapacity")
    told = [each.answer(wanted) for each in consumed]
    return {
        "Responses": responses,
        "ConsumedCapacity": [each for each in told if each is not None] or None,
    }


async def _one(
    context: Context, params: Mapping[str, Any], consumed: list[Consumed]
) -> dict[str, Any]:
    name: str | None = None
    try:
        statement = _parsed(params)
        if isinstance(statement, Check):
            raise ValidationException("EXISTS is only supported in transactions")
        name = statement.table
        table = table_of(context, name)
        consumed.append(Consumed(table))
        if isinstance(statement, Select):
            get = partial(item_rows.get, table=table, key=_key(table, statement))
            item = await context.services.db.read(get)
            consumed[-1].read(read_units(item_size(item or {}), consistent=False))
            return {"TableName": name, "Item": _seen(statement, item)}
        items = await _write(context, table, statement, params, consumed[-1])
        return {"TableName": name, "Item": items[0] if items else None}
    except ServiceException as error:
        failed: dict[str, Any] = {"Code": _code(error), "Message": error.message}
        failed |= error.members
        return {"TableName": name, "Error": failed}


def _code(error: ServiceException) -> str:
    codes = {
        "ConditionalCheckFailedException": "ConditionalCheckFailed",
        "ValidationException": "ValidationError",
        "ResourceNotFoundException": "ResourceNotFound",
        "DuplicateItemException": "DuplicateItem",
    }
    return codes.get(error.code, "InternalServerError")


def _key(table: Table, select: Select) -> Item:
    key = key_in(table, select.where)
    if key is None or select.index is not None:
        raise ValidationException(
            "Select statements within BatchExecuteStatement must specify the primary key in the "
            "where clause."
        )
    return key


def _seen(select: Select, item: Item | None) -> Item | None:
    if item is None or (select.where is not None and not select.where.holds(item)):
        return None
    return shown(item, select.paths)


@DYNAMODB.operation("ExecuteTransaction")
async def execute_transaction(context: Context, params: Params) -> Result:
    """Run statements on one item each, all or none; either all read or all write."""
    given: Sequence[Mapping[str, Any]] = params["TransactStatements"]
    statements = [_parsed(each) for each in given]
    reads = [each for each in statements if isinstance(each, Select)]
    if reads and len(reads) < len(statements):
        raise ValidationException("Transaction can only contain either read or write statements")
    wanted = params.get("ReturnConsumedCapacity")
    consumed: dict[str, Consumed] = {}
    if reads:
        responses = await _read_all(context, reads, consumed)
    else:
        responses = [{} for _ in statements]
        writes = [_write_of(context, each) for each in statements]
        for write, outcome in await _write_all(context, writes, given, params):
            name = write.table.name
            consumed.setdefault(name, Consumed(write.table)).wrote(outcome, factor=2)
    told = [each.answer(wanted, split=True) for each in consumed.values()]
    return {
        "Responses": responses,
        "ConsumedCapacity": [each for each in told if each is not None] or None,
    }


def _write_of(context: Context, statement: Statement) -> Write:
    assert not isinstance(statement, Select)  # noqa: S101 - the caller looked
    name = statement.select.table if isinstance(statement, Check) else statement.table
    return write_of(table_of(context, name), statement)


async def _write_all(
    context: Context,
    writes: Sequence[Write],
    given: Sequence[Mapping[str, Any]],
    params: Params,
) -> list[tuple[Write, Outcome]]:
    places = {(write.table.id, keys.stored(write.table.schema, write.key)) for write in writes}
    if len(places) < len(writes):
        raise ValidationException(
            "Transaction request cannot include multiple operations on one item"
        )
    asked = json.dumps(given, sort_keys=True, default=bytes.hex)
    digest = hashlib.sha256(asked.encode()).hexdigest()
    token = token_of(context, params.get("ClientRequestToken"), digest)
    actions = [("Statement", each) for each in given]
    run = partial(run_transaction, actions=actions, token=token)
    outcomes = await context.services.apply(writes, run)
    return list(zip(writes, outcomes, strict=False))


async def _read_all(
    context: Context, selects: Sequence[Select], consumed: dict[str, Consumed]
) -> list[dict[str, Any]]:
    plans = []
    for select in selects:
        table = table_of(context, select.table)
        plans.append((table, _key(table, select), select))

    def job(db: sqlite3.Connection) -> list[Item | None]:
        return [item_rows.get(db, table, key) for table, key, _ in plans]

    responses = []
    for (table, _, select), item in zip(plans, await context.services.db.read(job), strict=True):
        units = 2 * read_units(item_size(item or {}), consistent=True)
        consumed.setdefault(table.name, Consumed(table)).read(units)
        found = _seen(select, item)
        responses.append({} if found is None else {"Item": found})
    return responses
