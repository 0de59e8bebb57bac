"""Tables, their indexes and streams, as they are kept in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdad.neighbours.dynamodb.keys import KeyAttribute, KeySchema, key_of
from lambdad.neighbours.dynamodb.values import Item, Value

TableKey = tuple[str, str, str]
Settings = dict[str, Any]

ACTIVE, CREATING = "ACTIVE", "CREATING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A secondary index.

    Attributes:
        included: names of the attributes it has beside keys; None if all.
        status: `CREATING` until it has all items of the table.
    """

    id: int
    name: str
    schema: KeySchema
    included: frozenset[str] | None
    local: bool
    status: str

    def projected(self, item: Mapping[str, Value], table: KeySchema) -> Item:
        """Return what the index has of an item."""
        if self.included is None:
            return dict(item)
        names = {*self.included, *self.schema.names, *table.names}
        return {name: value for name, value in item.items() if name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream of a table's changes.

    Attributes:
        first_sequence: no record of it is older.
        closed_ms: when it was switched off, or None; then `last_sequence` is known.
    """

    id: int
    account_id: str
    region: str
    table_name: str
    label: str
    view_type: str
    key_schema: Sequence[Mapping[str, str]]
    created_ms: int
    first_sequence: int
    closed_ms: int | None = None
    last_sequence: int | None = None

    @property
    def arn(self) -> str:
        """Of the stream."""
        table = f"arn:aws:dynamodb:{self.region}:{self.account_id}:table/{self.table_name}"
        return f"{table}/stream/{self.label}"

    @property
    def shard_id(self) -> str:
        """Of its one shard."""
        return f"shardId-{self.created_ms:020}-{self.id:08x}"


@dataclass(slots=True, eq=False)
class Table:
    """A table. Mutable: all but `id`, `key` and `schema`, on the event loop after commits.

    Writes look at `indexes`, `stream`, `ttl_attribute` and `deleted` when their transaction runs.

    Attributes:
        settings: as the API has them, beside what it is made of: `LocalSecondaryIndexes`,
            `GlobalSecondaryIndexes` (each with its `Id`), `Tags`, `TimeToLive`, `CreatedMs`, …
    """

    id: int
    key: TableKey
    settings: Settings
    stream: Stream | None = None
    deleted: bool = False
    schema: KeySchema = field(init=False)
    indexes: tuple[Index, ...] = field(init=False)
    ttl_attribute: str | None = field(init=False)

    def __post_init__(self) -> None:
        self.take(self.settings)

    def take(self, settings: Settings) -> None:
        """Have other settings."""
        kinds = {
            each["AttributeName"]: each["AttributeType"]
            for each in settings["AttributeDefinitions"]
        }
        self.schema = key_schema(settings["KeySchema"], kinds)
        self.indexes = tuple(
            _index(definition, kinds, local=local)
            for group, local in (("LocalSecondaryIndexes", True), ("GlobalSecondaryIndexes", False))
            for definition in settings.get(group, ())
        )
        ttl = settings.get("TimeToLive") or {}
        self.ttl_attribute = ttl.get("AttributeName")
        self.settings = settings

    @property
    def name(self) -> str:
        """Of the table."""
        return self.key[2]

    @property
    def arn(self) -> str:
        """Of the table."""
        account_id, region, name = self.key
        return f"arn:aws:dynamodb:{region}:{account_id}:table/{name}"

    def index(self, name: str) -> Index | None:
        """Return an index by its name, or None."""
        return next((each for each in self.indexes if each.name == name), None)

    def key_of(self, item: Mapping[str, Value]) -> Item:
        """Return the key attributes of an item."""
        return key_of(self.schema, item)


def key_schema(elements: Sequence[Mapping[str, str]], kinds: Mapping[str, str]) -> KeySchema:
    """Return a key schema of the API as ours."""
    parts = {
        each["KeyType"]: KeyAttribute(each["AttributeName"], kinds[each["AttributeName"]])
        for each in elements
    }
    return KeySchema(parts["HASH"], parts.get("RANGE"))


def _index(definition: Mapping[str, Any], kinds: Mapping[str, str], *, local: bool) -> Index:
    projection = definition["Projection"]
    kind = projection.get("ProjectionType", "ALL")
    included = frozenset(projection.get("NonKeyAttributes") or ())
    return Index(
        id=definition["Id"],
        name=definition["IndexName"],
        schema=key_schema(definition["KeySchema"], kinds),
        included=None if kind == "ALL" else included,
        local=local,
        status=definition.get("IndexStatus", ACTIVE),
    )
