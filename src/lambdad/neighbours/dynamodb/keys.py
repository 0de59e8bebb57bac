"""Primary keys and keys of indexes: as bytes that order as DynamoDB orders them.

Decides how a key is stored and which keys are acceptable. Knows no database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.neighbours.dynamodb import numbers
from lambdad.neighbours.dynamodb.errors import ValidationException, invalid
from lambdad.neighbours.dynamodb.values import Item, Value, kind_of, read

_HASH_SIZE_MAX, _RANGE_SIZE_MAX = 2048, 1024
HASH_BITS = 32


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """An attribute of a key: its name and its type, S, N or B."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class KeySchema:
    """A partition key and perhaps a sort key."""

    hash: KeyAttribute
    range: KeyAttribute | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of its attributes."""
        return (self.hash.name,) if self.range is None else (self.hash.name, self.range.name)

    @property
    def attributes(self) -> tuple[KeyAttribute, ...]:
        """Its attributes."""
        return (self.hash,) if self.range is None else (self.hash, self.range)


@dataclass(frozen=True, slots=True, order=True)
class StoredKey:
    """A key as it is stored: items lie by `hash`, then by the bytes of both parts."""

    hash: int
    partition: bytes
    sort: bytes


def encoded(value: Value) -> bytes:
    """Return a key value as bytes that compare as DynamoDB orders the values of its type."""
    ((kind, content),) = value.items()
    if kind == "S":
        return str(content).encode()
    return numbers.ordered(content) if kind == "N" else bytes(content)


def hash_of(partition: bytes) -> int:
    """Return where a partition lies."""
    digest = hashlib.blake2b(partition, digest_size=HASH_BITS // 8).digest()
    return int.from_bytes(digest, "big")


def stored(schema: KeySchema, item: Mapping[str, Value]) -> StoredKey:
    """Return the key of an item that has it."""
    partition = encoded(item[schema.hash.name])
    sort = b"" if schema.range is None else encoded(item[schema.range.name])
    return StoredKey(hash_of(partition), partition, sort)


def indexed(schema: KeySchema, item: Mapping[str, Value]) -> StoredKey | None:
    """Return the key of an item in an index; None if it is not in there."""
    if any(name not in item for name in schema.names):
        return None
    return stored(schema, item)


def key_of(schema: KeySchema, item: Mapping[str, Value]) -> Item:
    """Return the key attributes of an item."""
    return {name: item[name] for name in schema.names}


def read_key(schema: KeySchema, given: Mapping[str, Any]) -> Item:
    """Return the key of a request.

    Raises:
        ValidationException: it does not fit the schema.
    """
    key = {name: read(value) for name, value in given.items()}
    if set(key) != set(schema.names):
        raise mismatch()
    for attribute in schema.attributes:
        if kind_of(key[attribute.name]) != attribute.kind:
            raise mismatch()
    check_sizes(schema, key)
    return key


def mismatch() -> ValidationException:
    """The error for a key that has not the attributes or types of the table's."""
    return ValidationException("The provided key element does not match the schema")


def check_item(schema: KeySchema, item: Mapping[str, Value]) -> None:
    """Refuse an item that has not the table's key."""
    for attribute in schema.attributes:
        value = item.get(attribute.name)
        if value is None:
            raise invalid(f"Missing the key {attribute.name} in the item")
        if kind_of(value) != attribute.kind:
            raise invalid(
                f"Type mismatch for key {attribute.name} expected: {attribute.kind} "
                f"actual: {kind_of(value)}"
            )
    check_sizes(schema, item)


def check_index_key(name: str, schema: KeySchema, item: Mapping[str, Value]) -> None:
    """Refuse an item whose attributes cannot be keys of an index."""
    for attribute in schema.attributes:
        value = item.get(attribute.name)
        if value is None:
            continue
        if kind_of(value) != attribute.kind:
            raise invalid(
                f"Type mismatch for Index Key {attribute.name} Expected: {attribute.kind} "
                f"Actual: {kind_of(value)} IndexName: {name}"
            )
        if not value[attribute.kind]:
            raise ValidationException(
                "One or more parameter values are not valid. A value specified for a secondary "
                f"index key is not supported. The AttributeValue for a key attribute cannot "
                f"contain an empty {_noun(attribute)} value. IndexName: {name}, "
                f"IndexKey: {attribute.name}"
            )
    check_sizes(schema, item)


def check_sizes(schema: KeySchema, item: Mapping[str, Value]) -> None:
    """Refuse keys that are empty or too long."""
    for attribute in schema.attributes:
        value = item.get(attribute.name)
        if value is None or attribute.kind == "N":
            continue
        length = len(encoded(value))
        if length == 0:
            raise ValidationException(
                "One or more parameter values are not valid. The AttributeValue for a key "
                f"attribute cannot contain an empty {_noun(attribute)} value. "
                f"Key: {attribute.name}"
            )
        if attribute is schema.hash and length > _HASH_SIZE_MAX:
            raise invalid(
                f"Size of hashkey has exceeded the maximum size limit of{_HASH_SIZE_MAX} bytes"
            )
        if attribute is schema.range and length > _RANGE_SIZE_MAX:
            raise invalid(
                "Aggregated size of all range keys has exceeded the size limit of "
                f"{_RANGE_SIZE_MAX} bytes"
            )


def _noun(attribute: KeyAttribute) -> str:
    return "string" if attribute.kind == "S" else "binary"
