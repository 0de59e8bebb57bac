"""Operations on aliases of functions."""

from __future__ import annotations

from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, marker_of, name_of, page_size, target_of
from lambdad.controlplane.aliases import AliasChange
from lambdad.domain import limits
from lambdad.domain.aliases import Alias


@LAMBDA.operation("CreateAlias")
async def create_alias(context: RequestContext, params: Params) -> Result:
    """Make an alias for a version, or for two that share its traffic."""
    target = target_of(context, params, "CreateAlias")
    aliases = context.services.functions.aliases
    return _configuration(await aliases.create(target, params["Name"], _change(params)))


@LAMBDA.operation("GetAlias")
async def get_alias(context: RequestContext, params: Params) -> Result:
    """Return an alias."""
    target = target_of(context, params, "GetAlias")
    return _configuration(context.services.functions.aliases.get(target, params["Name"]))


@LAMBDA.operation("ListAliases")
async def list_aliases(context: RequestContext, params: Params) -> Result:
    """List the aliases of a function by name, at most 50 at a time."""
    page = context.services.functions.aliases.list(
        target_of(context, params, "ListAliases"),
        version=params.get("FunctionVersion"),
        after=name_of(params.get("Marker")),
        limit=page_size(params, limits.LIST_ALIASES_PAGE_MAX),
    )
    answer: dict[str, Any] = {"Aliases": [_configuration(alias) for alias in page.aliases]}
    if page.more:
        answer["NextMarker"] = marker_of(page.aliases[-1].name)
    return answer


@LAMBDA.operation("UpdateAlias")
async def update_alias(context: RequestContext, params: Params) -> Result:
    """Change an alias; members that are left out stay."""
    target = target_of(context, params, "UpdateAlias")
    aliases = context.services.functions.aliases
    return _configuration(await aliases.update(target, params["Name"], _change(params)))


@LAMBDA.operation("DeleteAlias")
async def delete_alias(context: RequestContext, params: Params) -> Result:
    """Remove an alias; one that is not there is no error."""
    target = target_of(context, params, "DeleteAlias")
    await context.services.functions.aliases.delete(target, params["Name"])
    return {}


def _change(params: Params) -> AliasChange:
    routing = params.get("RoutingConfig")
    return AliasChange(
        version=params.get("FunctionVersion"),
        description=params.get("Description"),
        weights=None if routing is None else routing.get("AdditionalVersionWeights") or {},
        revision_id=params.get("RevisionId"),
    )


def _configuration(alias: Alias) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "AliasArn": alias.arn,
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }
    if alias.weights:
        wire["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return wire
