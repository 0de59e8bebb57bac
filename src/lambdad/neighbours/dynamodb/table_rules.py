"""What a table may be made of: the rules on keys, indexes and throughput, in DynamoDB's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.neighbours.dynamodb.errors import ValidationException, invalid
from lambdad.neighbours.dynamodb.service import check_name

_LOCAL_MAX, _GLOBAL_MAX = 5, 20
_NON_KEY_MAX = 100
Params = Mapping[str, Any]


def check_table(settings: Params) -> None:
    """Refuse a table that cannot be.

    Raises:
        ValidationException: says why.
    """
    kinds = attribute_kinds(settings["AttributeDefinitions"])
    _check_schema(settings["KeySchema"], kinds)
    local, others = (
        settings.get("LocalSecondaryIndexes") or (),
        settings.get("GlobalSecondaryIndexes") or (),
    )
    for group in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if settings.get(group) is not None and not settings[group]:
            noun = "Global" if group.startswith("Global") else "Local"
            raise invalid(f"List of {noun}SecondaryIndexes is empty")
    for definition in local:
        check_index(definition, kinds)
        _check_local(definition, settings["KeySchema"])
    for definition in others:
        check_index(definition, kinds)
    if len(local) > _LOCAL_MAX:
        raise invalid("Number of LocalSecondaryIndexes exceeds per-table limit of 5")
    if len(others) > _GLOBAL_MAX:
        raise invalid("GlobalSecondaryIndex count exceeds the per-table limit of 20")
    names = [each["IndexName"] for each in (*local, *others)]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"Duplicate index name: {name}")
    check_all_used(settings)


def _check_local(definition: Params, schema: Sequence[Mapping[str, str]]) -> None:
    if len(schema) == 1:
        raise invalid(
            "Table KeySchema does not have a range key, which is required when specifying a "
            "LocalSecondaryIndex"
        )
    mine, hash_name = definition["KeySchema"], schema[0]["AttributeName"]
    if mine[0]["AttributeName"] != hash_name:
        raise invalid(
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: "
            f"{definition['IndexName']}. index hash key: {mine[0]['AttributeName']}, table hash "
            f"key: {hash_name}"
        )
    if len(mine) == 1:
        raise invalid(
            "Index KeySchema does not have a range key for index: " + definition["IndexName"]
        )


def attribute_kinds(definitions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the types of attributes by their names."""
    kinds: dict[str, str] = {}
    for each in definitions:
        if each["AttributeName"] in kinds:
            raise invalid(
                f"Duplicate AttributeName in AttributeDefinitions: {each['AttributeName']}"
            )
        kinds[each["AttributeName"]] = each["AttributeType"]
    return kinds


def check_all_used(settings: Params) -> None:
    """Refuse attribute definitions that no key needs."""
    schemas = [settings["KeySchema"]]
    for group in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        schemas += [each["KeySchema"] for each in settings.get(group) or ()]
    used = {element["AttributeName"] for schema in schemas for element in schema}
    defined = [each["AttributeName"] for each in settings["AttributeDefinitions"]]
    if used == set(defined):
        return
    if len(schemas) == 1:
        raise invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes "
            "defined in AttributeDefinitions"
        )
    raise invalid(
        f"Some AttributeDefinitions are not used. AttributeDefinitions: [{', '.join(defined)}], "
        f"keys used: [{', '.join(sorted(used))}]"
    )


def _check_schema(schema: Sequence[Mapping[str, str]], kinds: Mapping[str, str]) -> None:
    missing = [each["AttributeName"] for each in schema if each["AttributeName"] not in kinds]
    if missing:
        raise invalid(
            f"Some index key attributes are not defined in AttributeDefinitions. Keys: "
            f"[{', '.join(missing)}], AttributeDefinitions: [{', '.join(kinds)}]"
        )
    if len(schema) > 2:
        raise ValidationException(
            "1 validation error detected: Value at 'keySchema' failed to satisfy constraint: "
            "Member must have length less than or equal to 2"
        )
    if schema[0]["KeyType"] != "HASH":
        raise ValidationException(
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
        )
    if len(schema) == 1:
        return
    if schema[1]["KeyType"] != "RANGE":
        raise ValidationException(
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"
        )
    if schema[0]["AttributeName"] == schema[1]["AttributeName"]:
        raise ValidationException(
            "Both the Hash Key and the Range Key element in the KeySchema have the same name"
        )


def check_index(definition: Params, kinds: Mapping[str, str]) -> None:
    """Refuse an index that cannot be."""
    check_name(definition["IndexName"])
    _check_schema(definition["KeySchema"], kinds)
    projection = definition.get("Projection") or {}
    kind, names = projection.get("ProjectionType"), projection.get("NonKeyAttributes")
    if kind is None:
        raise invalid("Unknown ProjectionType: null")
    if names is not None and kind != "INCLUDE":
        raise invalid(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    if names is None and kind == "INCLUDE":
        raise invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if names is not None and len(names) > _NON_KEY_MAX:
        raise invalid("NonKeyAttributes exceeds the limit of 100")


def check_throughput(settings: Params) -> None:
    """Refuse throughput that does not suit the billing mode."""
    on_demand = settings.get("BillingMode") == "PAY_PER_REQUEST"
    if on_demand and settings.get("ProvisionedThroughput"):
        raise invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
            "PAY_PER_REQUEST"
        )
    if not on_demand and not settings.get("ProvisionedThroughput"):
        raise invalid(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is "
            "PROVISIONED"
        )
    for definition in settings.get("GlobalSecondaryIndexes") or ():
        check_index_throughput(definition, on_demand=on_demand)


def check_index_throughput(definition: Params, *, on_demand: bool) -> None:
    """Refuse throughput of a global index that does not suit the table's billing mode."""
    if on_demand and definition.get("ProvisionedThroughput"):
        raise invalid(
            "ProvisionedThroughput should not be specified for index: "
            f"{definition['IndexName']} when BillingMode is PAY_PER_REQUEST"
        )
    if not on_demand and not definition.get("ProvisionedThroughput"):
        raise invalid(
            "ProvisionedThroughput must be specified for index: " + definition["IndexName"]
        )


def check_stream(specification: Mapping[str, Any]) -> None:
    """Refuse a stream without a view, or a view without a stream."""
    if specification["StreamEnabled"] and not specification.get("StreamViewType"):
        raise invalid("StreamViewType is required when StreamEnabled is true")
    if not specification["StreamEnabled"] and specification.get("StreamViewType"):
        raise invalid("StreamViewType cannot be specified when StreamEnabled is false")
