"""Reserved and provisioned concurrency; no function can have either yet."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, target_of


@LAMBDA.operation("GetFunctionConcurrency")
async def get_function_concurrency(context: RequestContext, params: Params) -> Result:
    """Return the reserved concurrency; AWS answers `{}` when there is none."""
    await context.services.functions.get(target_of(context, params, "GetFunctionConcurrency"))
    return {}


@LAMBDA.operation("DeleteFunctionConcurrency")
async def delete_function_concurrency(context: RequestContext, params: Params) -> Result:
    """Remove the reserved concurrency; having none is no error."""
    await context.services.functions.get(target_of(context, params, "DeleteFunctionConcurrency"))
    return {}


@LAMBDA.operation("ListProvisionedConcurrencyConfigs")
async def list_provisioned_concurrency_configs(context: RequestContext, params: Params) -> Result:
    """List the provisioned concurrency of a function's versions and aliases."""
    target = target_of(context, params, "ListProvisionedConcurrencyConfigs")
    await context.services.functions.get(target)
    return {"ProvisionedConcurrencyConfigs": []}
