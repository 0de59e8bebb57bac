"""Methods tried without a deployment, and how much of usage plans was used: asked of the front."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import BadRequestException
from lambdad.neighbours.apigateway.resources import NO_RESOURCE, method_of, resource_of
from lambdad.neighbours.apigateway.service import Context, of_account, of_api
from lambdad.neighbours.apigateway.usage_plans import plan_of
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.triggers.rest_api.model import Account, RestApi

_STAGE = "test-invoke-stage"
_DAYS_MAX = 366


@of_api("TestInvokeMethod", missing=NO_RESOURCE)
async def test_invoke_method(context: Context, params: Params, api: RestApi) -> Result:
    """Answer a request as a method would that was deployed now, without authorizer and key."""
    apis = context.services
    resource = resource_of(api, params["resourceId"])
    method = method_of(api, resource["id"], params["httpMethod"])
    if "methodIntegration" not in method:
        raise BadRequestException("No integration defined for method")
    snapshot = api.snapshot(apis.new_id(), created_at=apis.clock.time())
    stage = {"stageName": _STAGE, "variables": dict(params.get("stageVariables") or {})}
    request = _request(params, resource["path"])
    began = apis.clock.monotonic()
    response = await apis.front.test(snapshot, stage, api, request)
    latency_ms = int((apis.clock.monotonic() - began) * 1000)
    lines = (
        f"Execution log for request {context.request_id}",
        f"Starting execution for request: {context.request_id}",
        f"HTTP Method: {request.method}, Resource Path: {request.path}",
        f"Method completed with status: {response.status}",
    )
    return {**_answer(response), "latency": latency_ms, "log": "\n".join(lines)}


def _request(params: Params, path: str) -> HttpRequest:
    verb = str(params["httpMethod"])
    whole, _, query = (params.get("pathWithQueryString") or quote(path)).partition("?")
    many: Mapping[str, Any] = params.get("multiValueHeaders") or {}
    headers = {
        **{name.lower(): ",".join(values) for name, values in many.items()},
        **{name.lower(): value for name, value in (params.get("headers") or {}).items()},
    }
    return HttpRequest(
        method="GET" if verb == "ANY" else verb,
        path=whole if whole.startswith("/") else f"/{whole}",
        query=query,
        headers=headers,
        body=str(params.get("body") or "").encode(),
    )


def _answer(response: HttpResponse) -> dict[str, Any]:
    lines = [*response.headers.items(), *response.repeated]
    lines += [("Set-Cookie", cookie) for cookie in response.cookies]
    many: dict[str, list[str]] = {}
    for name, value in lines:
        many.setdefault(name, []).append(value)
    return {
        "status": response.status,
        "body": response.body.decode("utf-8", "replace"),
        "headers": {name: values[-1] for name, values in many.items()},
        "multiValueHeaders": many,
    }


@of_account("GetUsage")
async def get_usage(context: Context, params: Params, account: Account) -> Result:
    """Return what each key of a plan used and had left, day by day, since the daemon began."""
    plan_id = params["usagePlanId"]
    plan = plan_of(account, plan_id)
    try:
        first = date.fromisoformat(params["startDate"])
        last = date.fromisoformat(params["endDate"])
    except ValueError as error:
        raise BadRequestException(
            "Usage start and end date must be of the form YYYY-MM-DD"
        ) from error
    if not 0 <= (last - first).days < _DAYS_MAX:
        raise BadRequestException("The end date of usage must follow its start within a year")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    wanted = params.get("keyId")
    limit = int((plan.get("quota") or {}).get("limit") or 0)
    items = {
        key_id: _days(context.services.front.used(plan_id, key_id), days, limit)
        for key_id in sorted(account.usage_plan_keys.get(plan_id, ()))
        if wanted in (None, key_id)
    }
    named = {"usagePlanId": plan_id, "startDate": params["startDate"], "endDate": params["endDate"]}
    return {**named, "items": items}


def _days(used: Mapping[date, int], days: list[date], limit: int) -> list[list[int]]:
    """Return used and remaining of each day; quotas of weeks and months count from the first."""
    found, total = [], 0
    for day in days:
        total += used.get(day, 0)
        found.append([used.get(day, 0), max(0, limit - total)])
    return found
