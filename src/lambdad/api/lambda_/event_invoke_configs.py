"""Configurations of asynchronous invocation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, marker_of, name_of, target_of
from lambdad.controlplane.event_invoke_configs import EventInvokeChange
from lambdad.domain.event_invoke_configs import EventInvokeConfig

_PAGE_MAX = 50


@LAMBDA.operation("PutFunctionEventInvokeConfig")
async def put_function_event_invoke_config(context: RequestContext, params: Params) -> Result:
    """Configure asynchronous invocation anew."""
    target = target_of(context, params, "PutFunctionEventInvokeConfig")
    configs = context.services.attachments.event_invoke_configs
    return _config(await configs.put(target, _change(params)))


@LAMBDA.operation("UpdateFunctionEventInvokeConfig")
async def update_function_event_invoke_config(context: RequestContext, params: Params) -> Result:
    """Change what is given of the configuration of asynchronous invocation."""
    target = target_of(context, params, "UpdateFunctionEventInvokeConfig")
    configs = context.services.attachments.event_invoke_configs
    return _config(await configs.update(target, _change(params)))


@LAMBDA.operation("GetFunctionEventInvokeConfig")
async def get_function_event_invoke_config(context: RequestContext, params: Params) -> Result:
    """Return the configuration of asynchronous invocation."""
    target = target_of(context, params, "GetFunctionEventInvokeConfig")
    return _config(context.services.attachments.event_invoke_configs.get(target))


@LAMBDA.operation("DeleteFunctionEventInvokeConfig")
async def delete_function_event_invoke_config(context: RequestContext, params: Params) -> Result:
    """Remove the configuration of asynchronous invocation."""
    target = target_of(context, params, "DeleteFunctionEventInvokeConfig")
    await context.services.attachments.event_invoke_configs.delete(target)
    return {}


@LAMBDA.operation("ListFunctionEventInvokeConfigs")
async def list_function_event_invoke_configs(context: RequestContext, params: Params) -> Result:
    """List the configurations of a function by qualifier, at most 50 at a time."""
    target = target_of(context, params, "ListFunctionEventInvokeConfigs")
    page = context.services.attachments.event_invoke_configs.list(
        target, after=name_of(params.get("Marker")), limit=params.get("MaxItems") or _PAGE_MAX
    )
    answer: dict[str, Any] = {
        "FunctionEventInvokeConfigs": [_config(config) for config in page.configs]
    }
    if page.more:
        answer["NextMarker"] = marker_of(page.configs[-1].qualifier)
    return answer


def _change(params: Params) -> EventInvokeChange:
    destinations = params.get("DestinationConfig")
    given = destinations or {}
    return EventInvokeChange(
        retry_attempts=params.get("MaximumRetryAttempts"),
        event_age_s=params.get("MaximumEventAgeInSeconds"),
        on_success=(given.get("OnSuccess") or {}).get("Destination"),
        on_failure=(given.get("OnFailure") or {}).get("Destination"),
        destinations_given=destinations is not None,
    )


def _config(config: EventInvokeConfig) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "LastModified": datetime.fromtimestamp(config.last_modified_s, UTC),
        "FunctionArn": config.function_arn,
        "DestinationConfig": {
            "OnSuccess": _destination(config.on_success),
            "OnFailure": _destination(config.on_failure),
        },
    }
    if config.retry_attempts is not None:
        wire["MaximumRetryAttempts"] = config.retry_attempts
    if config.event_age_s is not None:
        wire["MaximumEventAgeInSeconds"] = config.event_age_s
    return wire


def _destination(arn: str | None) -> dict[str, str]:
    return {} if arn is None else {"Destination": arn}
