"""Aliases of a function; none can be made yet."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, target_of
from lambdad.domain.errors import ResourceNotFoundException


@LAMBDA.operation("ListAliases")
async def list_aliases(context: RequestContext, params: Params) -> Result:
    """List the aliases of a function."""
    await context.services.functions.get(target_of(context, params, "ListAliases"))
    return {"Aliases": []}


@LAMBDA.operation("GetAlias")
async def get_alias(context: RequestContext, params: Params) -> Result:
    """Return an alias."""
    target = target_of(context, params, "GetAlias")
    await context.services.functions.get(target)
    raise ResourceNotFoundException(f"Cannot find alias arn: {target.key.arn(params['Name'])}")
