"""What UpdateTable makes of a table's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.dynamodb.errors import (
    LimitExceededException,
    ResourceNotFoundException,
    ValidationException,
    invalid,
)
from lambdad.neighbours.dynamodb.model import CREATING, Settings
from lambdad.neighbours.dynamodb.table_rules import (
    attribute_kinds,
    check_all_used,
    check_index,
    check_index_throughput,
    check_throughput,
)

_PLAIN = ("TableClass", "OnDemandThroughput", "WarmThroughput")
_GLOBAL = "GlobalSecondaryIndexes"


def changed(settings: Settings, params: Mapping[str, Any], now_ms: int) -> Settings:
    """Return other settings; the given ones are left alone.

    Raises:
        ValidationException: they do not fit together.
        ResourceNotFoundException: an index is not there.
        LimitExceededException: more than one index is made or deleted.
    """
    after = dict(settings)
    after |= {name: params[name] for name in _PLAIN if params.get(name)}
    if params.get("DeletionProtectionEnabled") is not None:
        after["DeletionProtectionEnabled"] = params["DeletionProtectionEnabled"]
    _change_billing(after, params, now_ms)
    updates = params.get("GlobalSecondaryIndexUpdates") or ()
    online = [each for each in updates if each.get("Create") or each.get("Delete")]
    if len(online) > 1:
        raise LimitExceededException(
            "Subscriber limit exceeded: Only 1 online index can be created or deleted "
            "simultaneously per table"
        )
    for update in updates:
        _change_index(after, update, params)
    if not after.get(_GLOBAL):
        after.pop(_GLOBAL, None)
    if params.get("BillingMode") == "PROVISIONED":
        check_throughput(after)
    return after


def _change_billing(after: Settings, params: Mapping[str, Any], now_ms: int) -> None:
    mode = params.get("BillingMode")
    throughput = params.get("ProvisionedThroughput")
    if mode is not None:
        if mode == "PAY_PER_REQUEST" and after.get("BillingMode") != mode:
            after["BillingMs"] = now_ms
        after["BillingMode"] = mode
    on_demand = after.get("BillingMode") == "PAY_PER_REQUEST"
    if throughput:
        if on_demand:
            check_throughput({**after, "ProvisionedThroughput": throughput})
        if mode is None and throughput == after.get("ProvisionedThroughput"):
            raise ValidationException(
                "The provisioned throughput for the table will not change. The requested value "
                "equals the current value. Current ReadCapacityUnits provisioned for the table: "
                f"{throughput['ReadCapacityUnits']}. Requested ReadCapacityUnits: "
                f"{throughput['ReadCapacityUnits']}. Current WriteCapacityUnits provisioned for "
                f"the table: {throughput['WriteCapacityUnits']}. Requested WriteCapacityUnits: "
                f"{throughput['WriteCapacityUnits']}. Refer to the Amazon DynamoDB Developer Guide "
                "for current limits and how to request higher limits."
            )
        after["ProvisionedThroughput"] = throughput
    if on_demand:
        after.pop("ProvisionedThroughput", None)
        if after.get(_GLOBAL):
            after[_GLOBAL] = [
                {name: value for name, value in each.items() if name != "ProvisionedThroughput"}
                for each in after[_GLOBAL]
            ]


def _change_index(after: Settings, update: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    indexes = list(after.get(_GLOBAL) or ())
    if update.get("Create"):
        _create_index(after, indexes, update["Create"], params)
        return
    action = update.get("Delete") or update.get("Update")
    if not action:
        raise invalid("At least one of Create, Update or Delete of an index is required")
    found = [each for each in indexes if each["IndexName"] == action["IndexName"]]
    if not found:
        raise ResourceNotFoundException("Requested resource not found")
    others = [each for each in indexes if each["IndexName"] != action["IndexName"]]
    if update.get("Delete"):
        after[_GLOBAL] = others
        _drop_unused(after)
        return
    changes = {name: value for name, value in action.items() if name != "IndexName" and value}
    after[_GLOBAL] = [{**each, **changes} if each is found[0] else each for each in indexes]


def _create_index(
    after: Settings,
    indexes: list[dict[str, Any]],
    definition: Mapping[str, Any],
    params: Mapping[str, Any],
) -> None:
    name = definition["IndexName"]
    others = (*indexes, *(after.get("LocalSecondaryIndexes") or ()))
    if any(each["IndexName"] == name for each in others):
        raise ValidationException(f"Attempting to create an index which already exists: {name}")
    known = attribute_kinds(after["AttributeDefinitions"])
    given = attribute_kinds(params.get("AttributeDefinitions") or ())
    for attribute, kind in given.items():
        if known.get(attribute, kind) != kind:
            raise invalid(f"The attribute {attribute} is a key already, of type {known[attribute]}")
    known |= given
    after["AttributeDefinitions"] = [
        {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in known.items()
    ]
    check_index(definition, known)
    check_index_throughput(definition, on_demand=after.get("BillingMode") == "PAY_PER_REQUEST")
    after[_GLOBAL] = [*indexes, {**definition, "IndexStatus": CREATING}]
    _drop_unused(after)
    check_all_used(after)


def _drop_unused(after: Settings) -> None:
    """Forget the attributes that no key needs any more."""
    schemas = [after["KeySchema"]]
    for group in ("LocalSecondaryIndexes", _GLOBAL):
        schemas += [each["KeySchema"] for each in after.get(group) or ()]
    used = {element["AttributeName"] for schema in schemas for element in schema}
    after["AttributeDefinitions"] = [
        each for each in after["AttributeDefinitions"] if each["AttributeName"] in used
    ]
