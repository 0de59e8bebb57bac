"""Reserved concurrency."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, target_of
from lambdad.domain.errors import NotImplementedException


@LAMBDA.operation("PutFunctionConcurrency")
async def put_function_concurrency(context: RequestContext, params: Params) -> Result:
    """Reserve concurrency for a function."""
    target = target_of(context, params, "PutFunctionConcurrency")
    limit = params["ReservedConcurrentExecutions"]
    await context.services.attachments.reserved_concurrency.put(target, limit)
    return {"ReservedConcurrentExecutions": limit}


@LAMBDA.operation("GetFunctionConcurrency")
async def get_function_concurrency(context: RequestContext, params: Params) -> Result:
    """Return the reserved concurrency; AWS answers `{}` when there is none."""
    target = target_of(context, params, "GetFunctionConcurrency")
    return {
        "ReservedConcurrentExecutions": context.services.attachments.reserved_concurrency.get(
            target
        )
    }


@LAMBDA.operation("DeleteFunctionConcurrency")
async def delete_function_concurrency(context: RequestContext, params: Params) -> Result:
    """Remove the reserved concurrency; having none is no error."""
    target = target_of(context, params, "DeleteFunctionConcurrency")
    await context.services.attachments.reserved_concurrency.delete(target)
    return {}


@LAMBDA.operation("PutFunctionScalingConfig")
async def put_function_scaling_config(context: RequestContext, params: Params) -> Result:
    """Refuse: only functions on capacity providers scale by a configuration."""
    target_of(context, params, "PutFunctionScalingConfig")
    raise _no_capacity_providers("PutFunctionScalingConfig")


@LAMBDA.operation("GetFunctionScalingConfig")
async def get_function_scaling_config(context: RequestContext, params: Params) -> Result:
    """Refuse: only functions on capacity providers scale by a configuration."""
    target_of(context, params, "GetFunctionScalingConfig")
    raise _no_capacity_providers("GetFunctionScalingConfig")


def _no_capacity_providers(operation: str) -> NotImplementedException:
    return NotImplementedException(
        f"{operation} is not implemented by lambdad yet: it is for functions on capacity "
        "providers. Use PutFunctionConcurrency or PutProvisionedConcurrencyConfig."
    )
