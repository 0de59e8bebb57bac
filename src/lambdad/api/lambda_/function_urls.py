"""Function URL configurations."""

from __future__ import annotations

from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA, marker_of, name_of, target_of
from lambdad.controlplane.function_urls import UrlChange
from lambdad.domain.arns import LATEST
from lambdad.domain.function_urls import FunctionUrl

_PAGE_MAX = 50


@LAMBDA.operation("CreateFunctionUrlConfig")
async def create_function_url_config(context: RequestContext, params: Params) -> Result:
    """Give a function or an alias a URL."""
    target = target_of(context, params, "CreateFunctionUrlConfig")
    url = await context.services.attachments.function_urls.create(target, _change(params))
    wire = _changed_config(context, params, url)
    del wire["LastModifiedTime"]
    return wire


@LAMBDA.operation("GetFunctionUrlConfig")
async def get_function_url_config(context: RequestContext, params: Params) -> Result:
    """Return the URL of a function or alias."""
    target = target_of(context, params, "GetFunctionUrlConfig")
    return _config(context, context.services.attachments.function_urls.get(target))


@LAMBDA.operation("UpdateFunctionUrlConfig")
async def update_function_url_config(context: RequestContext, params: Params) -> Result:
    """Change the URL of a function or alias; members that are left out stay."""
    target = target_of(context, params, "UpdateFunctionUrlConfig")
    url = await context.services.attachments.function_urls.update(target, _change(params))
    return _changed_config(context, params, url)


@LAMBDA.operation("DeleteFunctionUrlConfig")
async def delete_function_url_config(context: RequestContext, params: Params) -> Result:
    """Remove the URL of a function or alias."""
    target = target_of(context, params, "DeleteFunctionUrlConfig")
    await context.services.attachments.function_urls.delete(target)
    return {}


@LAMBDA.operation("ListFunctionUrlConfigs")
async def list_function_url_configs(context: RequestContext, params: Params) -> Result:
    """List the URLs of a function, at most 50 at a time."""
    target = target_of(context, params, "ListFunctionUrlConfigs")
    page = context.services.attachments.function_urls.list(
        target, after=name_of(params.get("Marker")), limit=params.get("MaxItems") or _PAGE_MAX
    )
    answer: dict[str, Any] = {"FunctionUrlConfigs": [_config(context, url) for url in page.urls]}
    if page.more:
        answer["NextMarker"] = marker_of(page.urls[-1].alias or LATEST)
    return answer


def _change(params: Params) -> UrlChange:
    return UrlChange(
        auth_type=params.get("AuthType"),
        invoke_mode=params.get("InvokeMode"),
        cors=params.get("Cors"),
    )


def _changed_config(context: RequestContext, params: Params, url: FunctionUrl) -> dict[str, Any]:
    """Return a configuration as AWS answers changes: the mode only when it was given."""
    wire = _config(context, url)
    if "InvokeMode" not in params:
        del wire["InvokeMode"]
    return wire


def _config(context: RequestContext, url: FunctionUrl) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "FunctionUrl": (
            f"{context.services.function_url_scheme}://{url.url_id}.lambda-url."
            f"{url.function.region}.{context.services.function_url_domain}/"
        ),
        "FunctionArn": url.function_arn,
        "AuthType": url.auth_type,
        "CreationTime": url.created,
        "LastModifiedTime": url.modified,
        "InvokeMode": url.invoke_mode,
    }
    if url.cors is not None:
        wire["Cors"] = url.cors
    return wire
