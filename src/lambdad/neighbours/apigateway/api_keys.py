"""API keys: values that callers of a method must know, one by one or as a table."""

from __future__ import annotations

import csv
import io
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import (
    BadRequestException,
    ConflictException,
    not_found,
)
from lambdad.neighbours.apigateway.parts import Change
from lambdad.neighbours.apigateway.patches import EDIT, REPLACE, Rules, patched
from lambdad.neighbours.apigateway.service import (
    Context,
    answered,
    by,
    changes_account,
    given,
    listed,
    of_account,
    shape,
)
from lambdad.triggers.rest_api.model import Account, Document

_VALUE_MIN = 20
_VALUE_LENGTH = 40
_RULES = Rules(
    shape=shape("ApiKey"),
    paths={
        "/customerId": EDIT,
        "/description": EDIT,
        "/enabled": REPLACE,
        "/name": REPLACE,
    },
)
_STAGES = "/stages"


def key_of(account: Account, key_id: str) -> Document:
    """Return an API key.

    Raises:
        NotFoundException: the account has none of this identifier.
    """
    found = account.api_keys.get(key_id)
    if found is None:
        raise not_found("API Key")
    return found


def _without_value(document: Document) -> dict[str, Any]:
    return {name: each for name, each in answered(document).items() if name != "value"}


def _new(context: Context, account: Account, members: Document) -> dict[str, Any]:
    apis = context.services
    value = members.get("value") or apis.new_id(_VALUE_LENGTH)
    if len(value) < _VALUE_MIN:
        raise BadRequestException(f"API Key value should be at least {_VALUE_MIN} characters")
    if any(each["value"] == value for each in account.api_keys.values()):
        raise ConflictException("API Key already exists")
    now = apis.now()
    return {
        "id": apis.new_id(10),
        "enabled": False,
        "stageKeys": [],
        "createdDate": now,
        "lastUpdatedDate": now,
        **{name: each for name, each in members.items() if each is not None},
        "value": value,
    }


@changes_account("CreateApiKey")
async def create(context: Context, params: Params, account: Account) -> Result:
    """Make a key; its value is made too if none is given."""
    members = given(params, "stageKeys", "generateDistinctId")
    members["stageKeys"] = [
        f"{each.get('restApiId')}/{each.get('stageName')}" for each in params.get("stageKeys") or ()
    ]
    document = _new(context, account, members)
    await context.services.put(account, "api_keys", document["id"], document)
    return answered(document)


@of_account("GetApiKey")
async def get(context: Context, params: Params, account: Account) -> Result:
    """Return a key; its value only if that is asked for."""
    del context
    found = {"tags": {}, **key_of(account, params["apiKey"])}
    return answered(found) if params.get("includeValue") else _without_value(found)


@of_account("GetApiKeys")
async def get_all(context: Context, params: Params, account: Account) -> Result:
    """Return keys by the beginning of their name, or a customer's."""
    del context
    prefix, customer = params.get("nameQuery") or "", params.get("customerId")
    found = [
        each if params.get("includeValues") else {**each, "value": None}
        for each in account.api_keys.values()
        if str(each.get("name", "")).startswith(prefix)
        and customer in (None, each.get("customerId"))
    ]
    return listed(found, params, by("id"))


@changes_account("UpdateApiKey")
async def update(context: Context, params: Params, account: Account) -> Result:
    """Change what the patches say of a key."""
    key_id = params["apiKey"]
    operations = list(params.get("patchOperations") or ())
    usual = [each for each in operations if each.get("path") != _STAGES]
    document = patched(key_of(account, key_id), usual, _RULES)
    for each in operations:
        if each.get("path") == _STAGES:
            if not each.get("value") or each.get("op") not in ("add", "remove"):
                raise BadRequestException(f"Invalid patch path {_STAGES}")
            kept = [stage for stage in document["stageKeys"] if stage != each.get("value")]
            document["stageKeys"] = kept + ([each["value"]] if each["op"] == "add" else [])
    document["lastUpdatedDate"] = context.services.now()
    await context.services.put(account, "api_keys", key_id, document)
    return {"tags": {}, **_without_value(document)}


@changes_account("DeleteApiKey")
async def delete(context: Context, params: Params, account: Account) -> Result:
    """Forget a key, in the usage plans too."""
    key_id = params["apiKey"]
    key_of(account, key_id)
    plans = [plan for plan, keys in account.usage_plan_keys.items() if key_id in keys]
    gone = [Change("usage_plan_keys", f"{plan}/{key_id}", None) for plan in plans]
    await context.services.apply(account, [Change("api_keys", key_id, None), *gone])
    return {}


@changes_account("ImportApiKeys")
async def import_keys(context: Context, params: Params, account: Account) -> Result:
    """Make the keys of a table with the columns name, key, description, enabled, usageplanIds."""
    rows = _rows(params["body"])
    changes: list[Change] = []
    values: set[str] = set()
    ids: list[str] = []
    for row in rows:
        members = {
            "name": row.get("name"),
            "value": row.get("key"),
            "description": row.get("description") or None,
            "enabled": (row.get("enabled") or "true").lower() == "true",
        }
        document = _new(context, account, members)
        if document["value"] in values:
            raise ConflictException("API Key already exists")
        values.add(document["value"])
        ids.append(document["id"])
        changes.append(Change("api_keys", document["id"], document))
        for plan in filter(None, (row.get("usageplanids") or "").split(",")):
            if plan.strip() not in account.usage_plans:
                raise BadRequestException(f"Invalid Usage Plan ID specified: {plan.strip()}")
            key = f"{plan.strip()}/{document['id']}"
            changes.append(Change("usage_plan_keys", key, {"type": "API_KEY"}))
    await context.services.apply(account, changes)
    return {"ids": ids, "warnings": []}


def _rows(body: Any) -> list[dict[str, str]]:
    data = body if isinstance(body, bytes) else body.read()
    try:
        reader = csv.DictReader(io.StringIO(data.decode()))
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        if not {"name", "key"} <= set(names):
            raise BadRequestException(
                "The first line must name the columns; name and key are needed"
            )
        return [
            {name: (value or "").strip() for name, value in row.items() if name} for row in reader
        ]
    except UnicodeDecodeError as error:
        raise BadRequestException("The table of API keys must be text in UTF-8") from error
