"""Code signing configurations; none can be made yet."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, target_of


@LAMBDA.operation("GetFunctionCodeSigningConfig")
async def get_function_code_signing_config(context: RequestContext, params: Params) -> Result:
    """Return the code signing configuration of a function; AWS answers `{}` without one."""
    await context.services.functions.get(target_of(context, params, "GetFunctionCodeSigningConfig"))
    return {}


@LAMBDA.operation("ListCodeSigningConfigs")
async def list_code_signing_configs(context: RequestContext, params: Params) -> Result:
    """List the code signing configurations of the account."""
    return {"CodeSigningConfigs": []}
