"""Function URLs; none can be made yet."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, target_of
from lambdad.domain.errors import ResourceNotFoundException


@LAMBDA.operation("GetFunctionUrlConfig")
async def get_function_url_config(context: RequestContext, params: Params) -> Result:
    """Return the URL of a function or alias."""
    target_of(context, params, "GetFunctionUrlConfig")
    raise ResourceNotFoundException("The resource you requested does not exist.")


@LAMBDA.operation("ListFunctionUrlConfigs")
async def list_function_url_configs(context: RequestContext, params: Params) -> Result:
    """List the URLs of a function."""
    target = target_of(context, params, "ListFunctionUrlConfigs")
    try:
        await context.services.functions.get(target)
    except ResourceNotFoundException as error:
        raise ResourceNotFoundException("Function does not exist") from error
    return {"FunctionUrlConfigs": []}
