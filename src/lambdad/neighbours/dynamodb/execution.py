"""What PartiQL's statements do to tables: as writes, and as searches."""

from __future__ import annotations

from dataclasses import replace

from lambdad.neighbours.dynamodb import keys
from lambdad.neighbours.dynamodb.errors import ValidationException, invalid
from lambdad.neighbours.dynamodb.expressions.conditions import (
    All,
    Attribute,
    BeginsWith,
    Between,
    Comparison,
    Condition,
    Exists,
    Literal,
)
from lambdad.neighbours.dynamodb.expressions.key_conditions import key_range
from lambdad.neighbours.dynamodb.item_rows import Write
from lambdad.neighbours.dynamodb.model import Table
from lambdad.neighbours.dynamodb.partiql.statements import Change, Check, Insert, Remove, Select
from lambdad.neighbours.dynamodb.query_rows import Search
from lambdad.neighbours.dynamodb.values import Item, Value, kind_of


def conjuncts(condition: Condition | None) -> list[Condition]:
    """Return the conditions all of which have to hold."""
    if condition is None:
        return []
    if isinstance(condition, All):
        return [part for each in condition.conditions for part in conjuncts(each)]
    return [condition]


def equalities(condition: Condition | None) -> dict[str, Value]:
    """Return the attributes that must equal a value, with it."""
    found: dict[str, Value] = {}
    for part in conjuncts(condition):
        if isinstance(part, Comparison) and part.sign == "=":
            sides = (part.left, part.right)
            for one, other in (sides, sides[::-1]):
                if isinstance(one, Attribute) and isinstance(other, Literal) and len(one.path) == 1:
                    found[str(one.path[0])] = other.value
    return found


def key_in(table: Table, condition: Condition | None) -> Item | None:
    """Return the whole primary key that a condition names, or None."""
    equal = equalities(condition)
    if any(name not in equal for name in table.schema.names):
        return None
    return keys.read_key(table.schema, {name: equal[name] for name in table.schema.names})


def write_of(table: Table, statement: Insert | Change | Remove | Check) -> Write:
    """Return what a statement does to its item.

    Raises:
        ValidationException: it does not name one item.
    """
    if isinstance(statement, Insert):
        return _insertion(table, statement.item)
    where = statement.select.where if isinstance(statement, Check) else statement.where
    key = key_in(table, where)
    if key is None:
        raise ValidationException(
            "Where clause does not contain a mandatory equality on all key attributes"
        )
    if isinstance(statement, Check):
        return Write(table=table, key=key, change=lambda old: old, condition=where)
    if isinstance(statement, Remove):
        names = set(table.schema.names)
        rest = [each for each in conjuncts(where) if not names & set(equalities(each))]
        # An item that is not there is deleted already, unless more is demanded of it.
        condition = All(tuple(rest)) if rest else None
        return Write(table=table, key=key, change=lambda _: None, condition=condition)
    for path in statement.update.paths:
        if path[0] in table.schema.names:
            raise invalid(f"Cannot update attribute {path[0]}. This attribute is part of the key")
    update = statement.update
    return Write(
        table=table,
        key=key,
        change=lambda old: update.applied(old or key),
        condition=where,
        too_large="Item size to update has exceeded the maximum allowed size",
    )


def _insertion(table: Table, item: Item) -> Write:
    keys.check_item(table.schema, item)
    absent = Exists(Attribute((table.schema.hash.name,)), wanted=False)
    return Write(table=table, key=table.key_of(item), change=lambda _: item, condition=absent)


def search_of(table: Table, select: Select) -> Search:
    """Return where a SELECT looks: in one partition if its condition names it, else everywhere.

    Raises:
        ValidationException: there is no such index, or the order is not that of the sort key.
    """
    index = None if select.index is None else table.index(select.index)
    if select.index is not None and index is None:
        raise ValidationException(f"The table does not have the specified index: {select.index}")
    if index is not None and index.status != "ACTIVE":
        raise ValidationException(
            f"Cannot read from backfilling global secondary index: {index.name}"
        )
    schema = table.schema if index is None else index.schema
    on_keys = [part for part in conjuncts(select.where) if _on_key(part, schema)]
    sought = None
    value = equalities(select.where).get(schema.hash.name)
    if value is not None and kind_of(value) == schema.hash.kind:
        sought = key_range(All(tuple(on_keys)), schema)
    wanted = Search(table=table, index=index, sought=sought)
    if select.where is not None:
        wanted = replace(wanted, keep=select.where.holds)
    if select.order is None:
        return wanted
    attribute, rising = select.order
    if sought is None or attribute not in schema.names:
        raise ValidationException(
            "Must have WHERE clause in the statement when using ORDER BY clause."
            if sought is None
            else f"Variable reference {attribute} in ORDER BY clause must be part of the primary "
            "key"
        )
    return replace(wanted, forward=rising)


def _on_key(part: Condition, schema: keys.KeySchema) -> bool:
    """Whether a condition narrows the range of keys; one that does not is a filter alone."""
    if isinstance(part, Comparison):
        attribute, given = part.left, [part.right]
        usable = part.sign != "<>"
    elif isinstance(part, Between):
        attribute, given, usable = part.operand, [part.low, part.high], True
    elif isinstance(part, BeginsWith):
        attribute, given = part.operand, [part.prefix]
        usable = schema.range is None or schema.range.kind != "N"
    else:
        return False
    if not usable or not isinstance(attribute, Attribute) or len(attribute.path) != 1:
        return False
    name = attribute.path[0]
    if name == schema.hash.name:
        return isinstance(part, Comparison) and part.sign == "=" and isinstance(part.right, Literal)
    if schema.range is None or name != schema.range.name:
        return False
    return all(
        isinstance(each, Literal) and kind_of(each.value) == schema.range.kind for each in given
    )
