"""Provisioned concurrency of versions and aliases."""

from __future__ import annotations

from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, marker_of, name_of, page_size, target_of
from lambdad.controlplane.provisioned_concurrency import Provisioned

_PAGE_MAX = 50


@LAMBDA.operation("PutProvisionedConcurrencyConfig")
async def put_provisioned_concurrency_config(context: RequestContext, params: Params) -> Result:
    """Ask for environments that are initialised ahead."""
    target = target_of(context, params, "PutProvisionedConcurrencyConfig")
    configs = context.services.attachments.provisioned_concurrency
    wire = _provisioned(await configs.put(target, params["ProvisionedConcurrentExecutions"]))
    del wire["AvailableProvisionedConcurrentExecutions"]
    return wire


@LAMBDA.operation("GetProvisionedConcurrencyConfig")
async def get_provisioned_concurrency_config(context: RequestContext, params: Params) -> Result:
    """Return how far a version or an alias has come."""
    target = target_of(context, params, "GetProvisionedConcurrencyConfig")
    return _provisioned(context.services.attachments.provisioned_concurrency.get(target))


@LAMBDA.operation("DeleteProvisionedConcurrencyConfig")
async def delete_provisioned_concurrency_config(context: RequestContext, params: Params) -> Result:
    """Give the environments of a version or an alias back; having none is no error."""
    target = target_of(context, params, "DeleteProvisionedConcurrencyConfig")
    await context.services.attachments.provisioned_concurrency.delete(target)
    return {}


@LAMBDA.operation("ListProvisionedConcurrencyConfigs")
async def list_provisioned_concurrency_configs(context: RequestContext, params: Params) -> Result:
    """List what a function has by qualifier, at most 50 at a time."""
    target = target_of(context, params, "ListProvisionedConcurrencyConfigs")
    page = context.services.attachments.provisioned_concurrency.list(
        target, after=name_of(params.get("Marker")), limit=page_size(params, _PAGE_MAX)
    )
    answer: dict[str, Any] = {"ProvisionedConcurrencyConfigs": [_listed(i) for i in page.items]}
    if page.more:
        answer["NextMarker"] = marker_of(page.items[-1].config.qualifier)
    return answer


def _listed(item: Provisioned) -> dict[str, Any]:
    arn = item.config.key.arn(item.config.qualifier)
    return {"FunctionArn": arn, **_provisioned(item)}


def _provisioned(item: Provisioned) -> dict[str, Any]:
    return {
        "RequestedProvisionedConcurrentExecutions": item.config.requested,
        "AvailableProvisionedConcurrentExecutions": item.state.available,
        "AllocatedProvisionedConcurrentExecutions": item.state.allocated,
        "Status": item.state.status.value,
        "StatusReason": item.state.reason,
        "LastModified": item.config.last_modified,
    }
