"""Whether a function may be part of a loop of invocations."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, target_of


@LAMBDA.operation("PutFunctionRecursionConfig")
async def put_function_recursion_config(context: RequestContext, params: Params) -> Result:
    """Set what becomes of a loop."""
    target = target_of(context, params, "PutFunctionRecursionConfig")
    await context.services.attachments.recursion.put(target, params["RecursiveLoop"])
    return {"RecursiveLoop": params["RecursiveLoop"]}


@LAMBDA.operation("GetFunctionRecursionConfig")
async def get_function_recursion_config(context: RequestContext, params: Params) -> Result:
    """Return what becomes of a loop."""
    target = target_of(context, params, "GetFunctionRecursionConfig")
    return {"RecursiveLoop": context.services.attachments.recursion.get(target)}
