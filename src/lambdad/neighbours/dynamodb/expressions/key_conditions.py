"""Conditions on keys: one partition, and perhaps a range of sort keys, as bytes."""

from __future__ import annotations

from dataclasses import dataclass

from lambdad.neighbours.dynamodb.errors import ValidationException, invalid
from lambdad.neighbours.dynamodb.expressions.conditions import (
    All,
    Attribute,
    BeginsWith,
    Between,
    Comparison,
    Condition,
    Literal,
    Operand,
)
from lambdad.neighbours.dynamodb.keys import KeyAttribute, KeySchema, encoded
from lambdad.neighbours.dynamodb.values import Value, kind_of

_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NAME = "KeyConditionExpression"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A partition and the sort keys of it that are sought.

    Attributes:
        low: the least one, or None; belongs to it if `low_included`.
        high: the greatest one, or None; belongs to it if `high_included`.
    """

    partition: bytes
    low: bytes | None = None
    high: bytes | None = None
    low_included: bool = True
    high_included: bool = True

    def covers(self, sort: bytes) -> bool:
        """Whether a sort key is sought."""
        if self.low is not None and (
            sort < self.low or (sort == self.low and not self.low_included)
        ):
            return False
        return self.high is None or sort < self.high or (sort == self.high and self.high_included)


def key_range(condition: Condition, schema: KeySchema) -> KeyRange:
    """Return the keys that a condition asks for.

    Raises:
        ValidationException: it is none on this schema's keys.
    """
    parts = _parts(condition)
    found: dict[str, Condition] = {}
    for part in parts:
        name = _attribute(part)
        if name in found:
            raise ValidationException(
                f"Invalid {_NAME}: KeyConditionExpressions must only contain one condition per key"
            )
        found[name] = part
    partition = found.pop(schema.hash.name, None)
    if partition is None:
        raise ValidationException(f"Query condition missed key schema element: {schema.hash.name}")
    if not isinstance(partition, Comparison) or partition.sign != "=":
        raise ValidationException("Query key condition not supported")
    sought = encoded(_typed(_value(partition), schema.hash))
    if not found:
        return KeyRange(sought)
    sort = None if schema.range is None else found.pop(schema.range.name, None)
    if found or sort is None or schema.range is None:
        if schema.range is not None and sort is None:
            raise ValidationException(
                f"Query condition missed key schema element: {schema.range.name}"
            )
        raise ValidationException("Query key condition not supported")
    return _sort_range(sought, sort, schema.range)


def _parts(condition: Condition) -> list[Condition]:
    if isinstance(condition, All):
        return [part for each in condition.conditions for part in _parts(each)]
    if isinstance(condition, Comparison | Between | BeginsWith):
        if isinstance(condition, Comparison) and condition.sign == "<>":
            raise _operator("<>")
        return [condition]
    names = {"Either": "OR", "Not": "NOT", "In": "IN"}
    raise _operator(names.get(type(condition).__name__, type(condition).__name__.lower()))


def _operator(name: str) -> ValidationException:
    return ValidationException(f"Invalid {_NAME}: Invalid operator used in {_NAME}: {name}")


def _attribute(part: Condition) -> str:
    """Return the attribute that a condition is on."""
    sides: tuple[Operand, ...]
    if isinstance(part, Comparison):
        sides = (part.left, part.right)
    elif isinstance(part, Between):
        sides = (part.operand,)
    else:
        assert isinstance(part, BeginsWith)  # noqa: S101 - nothing else is left
        sides = (part.operand,)
    paths = [each.path for each in sides if isinstance(each, Attribute)]
    if len(paths) != 1:
        raise ValidationException(
            f"Invalid {_NAME}: No key attribute specified in a condition"
            if not paths
            else f"Invalid {_NAME}: Multiple attribute names used in one condition"
        )
    if len(paths[0]) > 1:
        raise ValidationException(
            f"Invalid {_NAME}: KeyConditionExpressions cannot have conditions on nested attributes"
        )
    return str(paths[0][0])


def _value(part: Comparison) -> Value:
    side = part.right if isinstance(part.left, Attribute) else part.left
    return _literal(side)


def _literal(operand: Operand) -> Value:
    if not isinstance(operand, Literal):
        raise ValidationException("Query key condition not supported")
    return operand.value


def _typed(value: Value, attribute: KeyAttribute) -> Value:
    if kind_of(value) != attribute.kind:
        raise invalid("Condition parameter type does not match schema type")
    if not value[attribute.kind]:
        raise ValidationException(
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            f"cannot contain an empty {'string' if attribute.kind == 'S' else 'binary'} value. "
            f"Key: {attribute.name}"
        )
    return value


def _sort_range(partition: bytes, part: Condition, attribute: KeyAttribute) -> KeyRange:
    if isinstance(part, Between):
        low, high = (encoded(_typed(_literal(each), attribute)) for each in (part.low, part.high))
        return KeyRange(partition, low, high)
    if isinstance(part, BeginsWith):
        if attribute.kind == "N":
            raise ValidationException(
                f"Invalid {_NAME}: Incorrect operand type for operator or function; operator or "
                "function: begins_with, operand type: N"
            )
        prefix = encoded(_typed(_literal(part.prefix), attribute))
        return KeyRange(partition, prefix, _after(prefix), high_included=False)
    assert isinstance(part, Comparison)  # noqa: S101 - nothing else is left
    sign = part.sign if isinstance(part.left, Attribute) else _MIRRORED[part.sign]
    bound = encoded(_typed(_value(part), attribute))
    if sign == "=":
        return KeyRange(partition, bound, bound)
    if sign in ("<", "<="):
        return KeyRange(partition, high=bound, high_included=sign == "<=")
    return KeyRange(partition, low=bound, low_included=sign == ">=")


def _after(prefix: bytes) -> bytes | None:
    """Return the least bytes that are greater than all that begin with a prefix, if any are."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else None
