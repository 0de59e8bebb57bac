"""Usage plans: how much may be called with which keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.api_keys import key_of
from lambdad.neighbours.apigateway.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
)
from lambdad.neighbours.apigateway.parts import Change
from lambdad.neighbours.apigateway.patches import EDIT, REPLACE, Operation, Rules, patched, split
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

_PERIODS = ("DAY", "WEEK", "MONTH")
_PAIR = 2
_RULES = Rules(
    shape=shape("UsagePlan"),
    paths={
        "/description": EDIT,
        "/name": REPLACE,
        "/productCode": EDIT,
        "/quota": frozenset({"remove"}),
        "/quota/limit": EDIT,
        "/quota/offset": EDIT,
        "/quota/period": EDIT,
        "/throttle": frozenset({"remove"}),
        "/throttle/burstLimit": EDIT,
        "/throttle/rateLimit": EDIT,
    },
)
_STAGES = "apiStages"


def plan_of(account: Account, plan_id: str) -> Document:
    """Return a usage plan.

    Raises:
        NotFoundException: the account has none of this identifier.
    """
    found = account.usage_plans.get(plan_id)
    if found is None:
        raise NotFoundException("Invalid Usage Plan ID specified")
    return found


def _check(context: Context, plan: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Refuse a plan that cannot be; stages that it had before may have gone since."""
    if not plan.get("name"):
        raise BadRequestException("Usage Plan name cannot be blank")
    held = [(each["apiId"], each["stage"]) for each in before.get(_STAGES) or ()]
    for stage in plan.get(_STAGES) or ():
        if (stage.get("apiId"), stage.get("stage")) in held:
            continue
        api = context.services.directory.apis.get(str(stage.get("apiId")))
        owner = (context.account_id, context.region)
        if api is None or (api.account_id, api.region) != owner:
            raise NotFoundException(f"Invalid API identifier specified {stage.get('apiId')}")
        if stage.get("stage") not in api.stages:
            raise NotFoundException("API Stage not found: " + f"{api.api_id}:{stage.get('stage')}")
    quota = plan.get("quota")
    if quota and (not quota.get("limit") or quota.get("period") not in _PERIODS):
        raise BadRequestException("Usage Plan quota must have a limit and a period")


def _whole(plan: dict[str, Any]) -> dict[str, Any]:
    quota, throttle = plan.get("quota"), plan.get("throttle")
    if quota:
        plan["quota"] = {"offset": 0, **quota}
    if throttle:
        plan["throttle"] = {"burstLimit": 0, "rateLimit": 0.0, **throttle}
    return {name: value for name, value in plan.items() if value not in (None, {}, "")}


@changes_account("CreateUsagePlan")
async def create(context: Context, params: Params, account: Account) -> Result:
    """Make a usage plan."""
    plan_id = context.services.new_id()
    document = _whole({"id": plan_id, _STAGES: [], **given(params)})
    _check(context, document, {})
    await context.services.put(account, "usage_plans", plan_id, document)
    return answered(document)


@of_account("GetUsagePlan")
async def get(context: Context, params: Params, account: Account) -> Result:
    """Return a usage plan."""
    del context
    return {"tags": {}, **plan_of(account, params["usagePlanId"])}


@of_account("GetUsagePlans")
async def get_all(context: Context, params: Params, account: Account) -> Result:
    """Return all usage plans, or those of a key."""
    del context
    key_id = params.get("keyId")
    found = [
        plan
        for plan_id, plan in account.usage_plans.items()
        if key_id is None or key_id in account.usage_plan_keys.get(plan_id, ())
    ]
    return listed(found, params, by("id"))


@changes_account("UpdateUsagePlan")
async def update(context: Context, params: Params, account: Account) -> Result:
    """Change what the patches say of a usage plan."""
    plan_id = params["usagePlanId"]
    before = plan_of(account, plan_id)
    document = json.loads(json.dumps(before))
    for operation in params.get("patchOperations") or ():
        if str(operation.get("path")).startswith(f"/{_STAGES}") and operation.get("op"):
            _patch_stages(document, operation)
        else:
            document = patched(document, [operation], _RULES)
    document = _whole(document)
    _check(context, document, before)
    await context.services.put(account, "usage_plans", plan_id, document)
    return {"tags": {}, **document}


def _patch_stages(plan: dict[str, Any], operation: Operation) -> None:
    """Add or remove a stage, `api:stage`, or set what a method of one may take."""
    parts, value = split(operation["path"])[1:], operation.get("value")
    stages: list[dict[str, Any]] = plan.setdefault(_STAGES, [])
    if not parts:
        api_id, _, stage = str(value or "").partition(":")
        named = {"apiId": api_id, "stage": stage}
        kept = [each for each in stages if (each["apiId"], each["stage"]) != (api_id, stage)]
        if operation["op"] == "remove" and len(kept) == len(stages):
            raise NotFoundException(f"API Stage not found: {value}")
        if operation["op"] == "add" and len(kept) < len(stages):
            raise ConflictException(f"API Stage already exists: {value}")
        plan[_STAGES] = kept + ([named] if operation["op"] == "add" else [])
        return
    found = [each for each in stages if f"{each['apiId']}:{each['stage']}" == parts[0]]
    if not found or parts[1:2] != ["throttle"]:
        raise BadRequestException(f"Invalid patch path {operation['path']}")
    try:
        _patch_throttle(found[0], parts[_PAIR:], operation)
    except (TypeError, ValueError) as error:
        raise BadRequestException(f"Invalid value for {operation['path']}") from error


def _patch_throttle(stage: dict[str, Any], parts: list[str], operation: Operation) -> None:
    limits = {"rateLimit": float, "burstLimit": int}
    throttle = stage.setdefault("throttle", {})
    member = parts[-1] if parts and parts[-1] in limits else None
    method = "/".join(parts if member is None else parts[:-1])
    if operation["op"] == "remove":
        if member is None and method:
            throttle.pop(method, None)
        elif member is None:
            throttle.clear()
        else:
            throttle.get(method, {}).pop(member, None)
    elif member is None:
        throttle.update(json.loads(operation.get("value") or "{}"))
    else:
        entry = throttle.setdefault(method, {"burstLimit": 0, "rateLimit": 0.0})
        entry[member] = limits[member](operation.get("value") or 0)
    if not throttle:
        del stage["throttle"]


@changes_account("DeleteUsagePlan")
async def delete(context: Context, params: Params, account: Account) -> Result:
    """Forget a usage plan; its keys stay."""
    plan_id = params["usagePlanId"]
    plan_of(account, plan_id)
    keys = account.usage_plan_keys.get(plan_id, set())
    gone = [Change("usage_plan_keys", f"{plan_id}/{key}", None) for key in keys]
    await context.services.apply(account, [Change("usage_plans", plan_id, None), *gone])
    return {}


# --- Keys -----------------------------------------------------------------------------------


def _key_shown(account: Account, plan_id: str, key_id: str) -> dict[str, Any]:
    if key_id not in account.usage_plan_keys.get(plan_id, ()):
        raise NotFoundException("Invalid API Key identifier specified")
    key = key_of(account, key_id)
    named = {"name": key["name"]} if key.get("name") else {}
    return {"id": key_id, "type": "API_KEY", "value": key["value"], **named}


@changes_account("CreateUsagePlanKey")
async def create_key(context: Context, params: Params, account: Account) -> Result:
    """Let a key have a usage plan."""
    plan_id, key_id = params["usagePlanId"], params["keyId"]
    plan = plan_of(account, plan_id)
    key_of(account, key_id)
    if params["keyType"] != "API_KEY":
        raise BadRequestException("Invalid key type specified. Valid options are API_KEY")
    if key_id in account.usage_plan_keys.get(plan_id, ()):
        raise ConflictException(f"{key_id} is already associated with Usage plan {plan['name']}")
    document = {"type": "API_KEY"}
    await context.services.put(account, "usage_plan_keys", f"{plan_id}/{key_id}", document)
    return _key_shown(account, plan_id, key_id)


@of_account("GetUsagePlanKey")
async def get_key(context: Context, params: Params, account: Account) -> Result:
    """Return a key of a usage plan."""
    del context
    plan_of(account, params["usagePlanId"])
    return _key_shown(account, params["usagePlanId"], params["keyId"])


@of_account("GetUsagePlanKeys")
async def get_keys(context: Context, params: Params, account: Account) -> Result:
    """Return all keys of a usage plan, or those whose names begin so."""
    del context
    plan_id, prefix = params["usagePlanId"], params.get("nameQuery") or ""
    plan_of(account, plan_id)
    shown = [
        _key_shown(account, plan_id, each) for each in account.usage_plan_keys.get(plan_id, ())
    ]
    found = [each for each in shown if str(each.get("name", "")).startswith(prefix)]
    return listed(found, params, by("id"))


@changes_account("DeleteUsagePlanKey")
async def delete_key(context: Context, params: Params, account: Account) -> Result:
    """Take a usage plan from a key."""
    plan_id, key_id = params["usagePlanId"], params["keyId"]
    plan_of(account, plan_id)
    _key_shown(account, plan_id, key_id)
    await context.services.take(account, "usage_plan_keys", f"{plan_id}/{key_id}")
    return {}
