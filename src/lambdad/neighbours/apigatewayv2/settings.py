"""Single settings taken away from stages and routes, and what authorizers have answered."""

from __future__ import annotations

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigatewayv2.errors import NotFoundException
from lambdad.neighbours.apigatewayv2.service import HTTP_APIS, Context, api_of


@HTTP_APIS.operation("DeleteAccessLogSettings")
async def delete_access_log_settings(context: Context, params: Params) -> Result:
    """Write no more access logs of a stage."""
    await _without(context, params, "AccessLogSettings")
    return {}


@HTTP_APIS.operation("DeleteRouteSettings")
async def delete_route_settings(context: Context, params: Params) -> Result:
    """Let a route have its stage's settings again."""
    api, name, key = api_of(context, params), params["StageName"], params["RouteKey"]
    stage = context.services.part(api, "stage", name)
    settings = dict(stage.get("RouteSettings") or {})
    if settings.pop(key, None) is None:
        raise NotFoundException(f"Unable to find RouteSettings for route key {key}")
    await context.services.put_part(api, "stage", name, {**stage, "RouteSettings": settings})
    return {}


@HTTP_APIS.operation("DeleteRouteRequestParameter")
async def delete_route_request_parameter(context: Context, params: Params) -> Result:
    """Ask a route's callers for a parameter no longer."""
    api, route_id = api_of(context, params), params["RouteId"]
    route = context.services.part(api, "route", route_id)
    wanted = dict(route.get("RequestParameters") or {})
    key = params["RequestParameterKey"]
    if wanted.pop(key, None) is None:
        raise NotFoundException(f"Unable to find RequestParameter by key {key}")
    await context.services.put_part(api, "route", route_id, {**route, "RequestParameters": wanted})
    return {}


@HTTP_APIS.operation("ResetAuthorizersCache")
async def reset_authorizers_cache(context: Context, params: Params) -> Result:
    """Ask authorizers anew, whatever they answered."""
    api = api_of(context, params)
    context.services.part(api, "stage", params["StageName"])
    api.authorizers_epoch += 1
    return {}


@HTTP_APIS.operation("GetModelTemplate")
async def get_model_template(context: Context, params: Params) -> Result:
    """Return a template that makes what a model describes; the empty one fits every model."""
    context.services.part(api_of(context, params), "model", params["ModelId"])
    return {"Value": "#set($inputRoot = $input.path('$'))\n{ }"}


async def _without(context: Context, params: Params, member: str) -> None:
    api, name = api_of(context, params), params["StageName"]
    stage = context.services.part(api, "stage", name)
    kept = {each: value for each, value in stage.items() if each != member}
    await context.services.put_part(api, "stage", name, kept)
