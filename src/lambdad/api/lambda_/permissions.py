"""Resource policies; no function can have one yet."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, target_of
from lambdad.domain.errors import ResourceNotFoundException


@LAMBDA.operation("GetPolicy")
async def get_policy(context: RequestContext, params: Params) -> Result:
    """Return the resource policy of a function, version or alias."""
    await context.services.functions.get(target_of(context, params, "GetPolicy"))
    raise ResourceNotFoundException("The resource you requested does not exist.")
