"""HTTP APIs themselves, and their tags."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigatewayv2.errors import BadRequestException, no_api
from lambdad.neighbours.apigatewayv2.service import HTTP_APIS, Context, answered, api_of, changed
from lambdad.neighbours.paging import InvalidToken, page
from lambdad.triggers.http_api.model import Api

_PAGE = 100
_QUICK = frozenset({"RouteKey", "Target", "CredentialsArn"})


@HTTP_APIS.operation("CreateApi")
async def create_api(context: Context, params: Params) -> Result:
    """Make an API; with a target, also a route to that and a stage that is always up to date."""
    protocol = params["ProtocolType"]
    if protocol == "WEBSOCKET" and not params.get("RouteSelectionExpression"):
        raise BadRequestException("RouteSelectionExpression is required for WEBSOCKET protocol")
    apis = context.services
    document = new_api(context, protocol)
    document |= {name: value for name, value in params.items() if name not in _QUICK}
    document["ProtocolType"] = protocol
    api = Api(context.account_id, context.region, document)
    await apis.put(api, document)
    if params.get("Target"):
        await _create_quickly(context, api, params)
    return answered(api.document)


def new_api(context: Context, protocol: str) -> dict[str, Any]:
    """Return what an API is before anybody says anything of it."""
    api_id = context.services.new_id()
    endpoint = urlsplit(context.base_url)
    port = f":{endpoint.port}" if endpoint.port else ""
    scheme = "ws" if protocol == "WEBSOCKET" else "http"
    return {
        "ApiEndpoint": f"{scheme}://{api_id}.execute-api.{context.region}.localhost{port}",
        "ApiId": api_id,
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "CreatedDate": context.services.clock.now(),
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "RouteSelectionExpression": "$request.method $request.path",
        "ProtocolType": protocol,
        "Tags": {},
    }


async def _create_quickly(context: Context, api: Api, params: Params) -> None:
    apis = context.services
    integration_id, route_id = apis.new_id(7), apis.new_id(7)
    target = str(params["Target"])
    web = target.startswith(("http://", "https://"))
    integration = {
        "ConnectionType": "INTERNET",
        "IntegrationId": integration_id,
        "IntegrationMethod": "ANY" if web else "POST",
        "IntegrationType": "HTTP_PROXY" if web else "AWS_PROXY",
        "IntegrationUri": target,
        "PayloadFormatVersion": "1.0" if web else "2.0",
        "TimeoutInMillis": 30_000,
    }
    await apis.put_part(api, "integration", integration_id, integration)
    route = {
        "ApiKeyRequired": False,
        "AuthorizationType": "NONE",
        "RouteId": route_id,
        "RouteKey": params.get("RouteKey") or "$default",
        "Target": f"integrations/{integration_id}",
    }
    await apis.put_part(api, "route", route_id, route)
    moment = apis.clock.now()
    stage = {
        "AutoDeploy": True,
        "CreatedDate": moment,
        "LastUpdatedDate": moment,
        "DefaultRouteSettings": {"DetailedMetricsEnabled": False},
        "StageName": "$default",
        "StageVariables": {},
    }
    await apis.put_part(api, "stage", "$default", stage)


@HTTP_APIS.operation("GetApi")
async def get_api(context: Context, params: Params) -> Result:
    """Return an API."""
    return answered(api_of(context, params).document)


@HTTP_APIS.operation("GetApis")
async def get_apis(context: Context, params: Params) -> Result:
    """Return all APIs, a page at a time."""
    found = [api.document for api in context.services.of(context.account_id, context.region)]
    return listed(found, "ApiId", params)


@HTTP_APIS.operation("UpdateApi")
async def update_api(context: Context, params: Params) -> Result:
    """Change what is given of an API."""
    api = api_of(context, params)
    await context.services.put(api, changed(api.document, params))
    return answered(api.document)


@HTTP_APIS.operation("DeleteApi")
async def delete_api(context: Context, params: Params) -> Result:
    """Forget an API with all that belongs to it."""
    await context.services.remove(api_of(context, params))
    return {}


@HTTP_APIS.operation("DeleteCorsConfiguration")
async def delete_cors_configuration(context: Context, params: Params) -> Result:
    """Take an API's rules for browsers away."""
    api = api_of(context, params)
    kept = {name: value for name, value in api.document.items() if name != "CorsConfiguration"}
    await context.services.put(api, kept)
    return {}


@HTTP_APIS.operation("GetTags")
async def get_tags(context: Context, params: Params) -> Result:
    """Return an API's tags."""
    return {"Tags": _tagged(context, params).document.get("Tags", {})}


@HTTP_APIS.operation("TagResource")
async def tag_resource(context: Context, params: Params) -> Result:
    """Add tags to an API."""
    api = _tagged(context, params)
    tags = {**api.document.get("Tags", {}), **params.get("Tags", {})}
    await context.services.put(api, {**api.document, "Tags": tags})
    return {}


@HTTP_APIS.operation("UntagResource")
async def untag_resource(context: Context, params: Params) -> Result:
    """Take tags of an API away."""
    api = _tagged(context, params)
    gone = set(params["TagKeys"])
    tags = {key: value for key, value in api.document.get("Tags", {}).items() if key not in gone}
    await context.services.put(api, {**api.document, "Tags": tags})
    return {}


def _tagged(context: Context, params: Params) -> Api:
    """Return the API of `arn:aws:apigateway:us-east-1::/apis/abc` or of a stage of it."""
    parts = params["ResourceArn"].partition("::/apis/")[2].split("/")
    if not parts[0]:
        raise no_api(params["ResourceArn"])
    return context.services.find(context.account_id, context.region, parts[0])


def listed(found: list[Any], key: str, params: Params) -> Result:
    """Return a page of documents, sorted by one of their members."""
    try:
        limit = int(params.get("MaxResults") or _PAGE)
    except ValueError as error:
        raise BadRequestException("Invalid MaxResults") from error
    try:
        items, token = page(
            found, lambda each: str(each[key]), limit=limit, token=params.get("NextToken")
        )
    except InvalidToken as error:
        raise BadRequestException("Invalid NextToken") from error
    answer: dict[str, Any] = {"Items": [answered(each) for each in items]}
    return answer if token is None else {**answer, "NextToken": token}
