"""Configurations of asynchronous invocation; none can be made yet."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, target_of
from lambdad.domain.arns import LATEST
from lambdad.domain.errors import ResourceNotFoundException


@LAMBDA.operation("GetFunctionEventInvokeConfig")
async def get_function_event_invoke_config(context: RequestContext, params: Params) -> Result:
    """Return the configuration of asynchronous invocation."""
    target = target_of(context, params, "GetFunctionEventInvokeConfig")
    await context.services.functions.get(target)
    raise ResourceNotFoundException(
        f"The function {target.key.arn(target.qualifier or LATEST)} doesn't have an "
        "EventInvokeConfig"
    )


@LAMBDA.operation("ListFunctionEventInvokeConfigs")
async def list_function_event_invoke_configs(context: RequestContext, params: Params) -> Result:
    """List the configurations of asynchronous invocation of a function."""
    target = target_of(context, params, "ListFunctionEventInvokeConfigs")
    await context.services.functions.get(target)
    return {"FunctionEventInvokeConfigs": []}
