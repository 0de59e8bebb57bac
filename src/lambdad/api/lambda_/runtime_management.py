"""When the runtime of a version is updated."""

from __future__ import annotations

from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, target_of
from lambdad.controlplane.references import Target
from lambdad.controlplane.runtime_management import RuntimeManagement


@LAMBDA.operation("PutRuntimeManagementConfig")
async def put_runtime_management_config(context: RequestContext, params: Params) -> Result:
    """Set when the runtime of a version is updated."""
    target = target_of(context, params, "PutRuntimeManagementConfig")
    config = RuntimeManagement(
        update_on=params["UpdateRuntimeOn"], version_arn=params.get("RuntimeVersionArn")
    )
    await context.services.attachments.runtime_management.put(target, config)
    return _config(target, config)


@LAMBDA.operation("GetRuntimeManagementConfig")
async def get_runtime_management_config(context: RequestContext, params: Params) -> Result:
    """Return when the runtime of a version is updated."""
    target = target_of(context, params, "GetRuntimeManagementConfig")
    return _config(target, context.services.attachments.runtime_management.get(target))


def _config(target: Target, config: RuntimeManagement) -> dict[str, Any]:
    wire: dict[str, Any] = {"UpdateRuntimeOn": config.update_on, "FunctionArn": target.arn}
    if config.version_arn is not None:
        wire["RuntimeVersionArn"] = config.version_arn
    return wire
