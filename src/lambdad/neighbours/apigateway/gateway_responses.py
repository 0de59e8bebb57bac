"""Gateway responses: what an API says itself when no integration answers."""

from __future__ import annotations

from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import BadRequestException, NotFoundException
from lambdad.neighbours.apigateway.patches import EDIT, REPLACE, Rules, patched, split
from lambdad.neighbours.apigateway.service import (
    Context,
    answered,
    by,
    changes_api,
    given,
    listed,
    of_api,
    shape,
)
from lambdad.triggers.rest_api.model import Document, RestApi

_TEMPLATE = {"application/json": '{"message":$context.error.messageString}'}
# The status of each; the two defaults have none of their own.
STATUSES: dict[str, str | None] = {
    "ACCESS_DENIED": "403",
    "API_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_FAILURE": "500",
    "BAD_REQUEST_BODY": "400",
    "BAD_REQUEST_PARAMETERS": "400",
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
    "EXPIRED_TOKEN": "403",
    "INTEGRATION_FAILURE": "504",
    "INTEGRATION_TIMEOUT": "504",
    "INVALID_API_KEY": "403",
    "INVALID_SIGNATURE": "403",
    "MISSING_AUTHENTICATION_TOKEN": "403",
    "QUOTA_EXCEEDED": "429",
    "REQUEST_TOO_LARGE": "413",
    "RESOURCE_NOT_FOUND": "404",
    "THROTTLED": "429",
    "UNAUTHORIZED": "401",
    "UNSUPPORTED_MEDIA_TYPE": "415",
    "WAF_FILTERED": "403",
}
_RULES = Rules(
    shape=shape("GatewayResponse"),
    paths={
        "/responseParameters/*": EDIT,
        "/responseTemplates/*": EDIT,
        "/statusCode": REPLACE,
    },
)


def plain(response_type: str) -> dict[str, Any]:
    """Return what an API says unless it was told otherwise."""
    status = STATUSES[response_type]
    return {
        "responseType": response_type,
        "responseParameters": {},
        "responseTemplates": dict(_TEMPLATE),
        **({} if status is None else {"statusCode": status}),
    }


def customised(response_type: str, members: Document) -> dict[str, Any]:
    """Return a response with what is not given as it is by default."""
    own = {name: value for name, value in members.items() if value not in (None, {}, "")}
    return {**plain(response_type), **own, "responseType": response_type, "defaultResponse": False}


def _shown(api: RestApi, response_type: str) -> dict[str, Any]:
    """Return a response; where it was not set, that of its class may have been."""
    if response_type in api.gateway_responses:
        return dict(api.gateway_responses[response_type])
    found = plain(response_type)
    general = f"DEFAULT_{(found.get('statusCode') or '0')[0]}XX"
    own = api.gateway_responses.get(general) or {}
    inherited = {name: value for name, value in own.items() if name != "responseType"}
    return {**found, **inherited, "defaultResponse": True}


@of_api("GetGatewayResponses")
async def get_all(context: Context, params: Params, api: RestApi) -> Result:
    """Return all responses, set or not."""
    del context
    found = [_shown(api, each) for each in STATUSES]
    return listed(found, {"limit": len(STATUSES), **given(params)}, by("responseType"))


@of_api("GetGatewayResponse")
async def get(context: Context, params: Params, api: RestApi) -> Result:
    """Return a response, set or not."""
    del context
    return answered(_shown(api, params["responseType"]))


@changes_api("PutGatewayResponse")
async def put(context: Context, params: Params, api: RestApi) -> Result:
    """Set a response."""
    response_type = params["responseType"]
    document = customised(response_type, given(params, "restApiId"))
    await context.services.put(api, "gateway_responses", response_type, document)
    return answered(document)


@changes_api("UpdateGatewayResponse")
async def update(context: Context, params: Params, api: RestApi) -> Result:
    """Change what the patches say of a response."""
    response_type = params["responseType"]
    before = customised(response_type, _shown(api, response_type))
    operations = list(params.get("patchOperations") or ())
    for operation in operations:
        _RULES.check(operation)
        member, *key = split(operation["path"])
        if key and operation["op"] != "remove" and not operation.get("value"):
            raise BadRequestException(f"Invalid null or empty value in {member}")
        if key and operation["op"] == "replace" and key[0] not in before[member]:
            raise NotFoundException("Invalid parameter name specified")
    document = patched(before, operations, _RULES)
    await context.services.put(api, "gateway_responses", response_type, document)
    return answered(document)


@changes_api("DeleteGatewayResponse")
async def delete(context: Context, params: Params, api: RestApi) -> Result:
    """Let a response be as it is by default again."""
    if params["responseType"] not in api.gateway_responses:
        raise NotFoundException("Gateway response type not defined on api")
    await context.services.take(api, "gateway_responses", params["responseType"])
    return {}
