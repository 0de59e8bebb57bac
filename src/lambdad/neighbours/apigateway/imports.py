"""Whole APIs in and out: from an OpenAPI document, and as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.apis import check, endpoint_configuration, new_api, shown
from lambdad.neighbours.apigateway.building import built
from lambdad.neighbours.apigateway.errors import BadRequestException, not_found
from lambdad.neighbours.apigateway.exporting import exported
from lambdad.neighbours.apigateway.openapi import Described, described, parsed
from lambdad.neighbours.apigateway.parts import replaced
from lambdad.neighbours.apigateway.service import REST_APIS, Context, changes_api, of_api
from lambdad.neighbours.apigateway.stages import stage_of
from lambdad.triggers.rest_api.model import RestApi

_BASE_PATHS = ("ignore", "prepend", "split")
# What an overwritten API keeps if the document does not say it.
_KEPT = (
    "id",
    "createdDate",
    "rootResourceId",
    "tags",
    "endpointConfiguration",
    "disableExecuteApiEndpoint",
    "apiKeySource",
    "name",
)


def _read(params: Params) -> Described:
    body = params.get("body") or b""
    data = body if isinstance(body, bytes) else body.read()
    options = _options(params)
    base_path = options.get("basepath", "ignore").lower()
    if base_path not in _BASE_PATHS:
        raise BadRequestException(
            f"Invalid basepath specified. Valid options are {','.join(_BASE_PATHS)}"
        )
    found = described(parsed(data), base_path)
    if params.get("failOnWarnings") and found.warnings:
        raise BadRequestException("Warnings found during import:\n\t" + "\n\t".join(found.warnings))
    types = options.get("endpointconfigurationtypes")
    if types:
        endpoint: dict[str, Any] = {"types": types.split(",")}
        if options.get("vpcendpointids"):
            endpoint["vpcEndpointIds"] = options["vpcendpointids"].split(",")
        found.members["endpointConfiguration"] = endpoint
    return found


def _options(params: Params) -> dict[str, str]:
    given: Mapping[str, Any] = params.get("parameters") or {}
    return {
        name.lower(): str(value[0] if isinstance(value, list) else value)
        for name, value in given.items()
    }


@REST_APIS.operation("ImportRestApi")
async def import_rest_api(context: Context, params: Params) -> Result:
    """Make an API of a document."""
    found = _read(params)
    empty = new_api(context, found.members)
    api = built(empty, found, context.services.new_id, merge=False)
    await context.services.create(api)
    return _answer(api, found)


@changes_api("PutRestApi")
async def put_rest_api(context: Context, params: Params, api: RestApi) -> Result:
    """Let an API become what a document says, or add that to it."""
    mode = params.get("mode") or "merge"
    if mode not in ("merge", "overwrite"):
        raise BadRequestException("Invalid mode specified. Valid options are merge,overwrite")
    found, merge = _read(params), mode == "merge"
    kept = {name: each for name, each in api.document.items() if merge or name in _KEPT}
    members = {**kept, **found.members}
    members["endpointConfiguration"] = endpoint_configuration(members.get("endpointConfiguration"))
    if not members.get("binaryMediaTypes"):
        members.pop("binaryMediaTypes", None)
    check(members)
    new = built(api, found, context.services.new_id, merge=merge)
    new.document = members
    await context.services.apply(api, replaced(api, new))
    return _answer(api, found)


def _answer(api: RestApi, found: Described) -> Result:
    warned = {"warnings": found.warnings} if found.warnings else {}
    return {**shown(api.document), **warned}


@of_api("GetExport")
async def get_export(context: Context, params: Params, api: RestApi) -> Result:
    """Return a stage's API as a document."""
    kind, name = params["exportType"], params["stageName"]
    if kind not in ("swagger", "oas30"):
        raise BadRequestException("Invalid export type specified. Valid options are swagger,oas30")
    snapshot = api.deployments.get(stage_of(api, name)["deploymentId"])
    if snapshot is None:
        raise not_found("Deployment")
    accepts = params.get("accepts") or "application/json"
    yaml = "yaml" in accepts
    extensions = _options(params).get("extensions", "")
    body = exported(
        snapshot,
        kind=kind,
        stage=name,
        host=f"{api.api_id}.execute-api.{context.region}.amazonaws.com",
        extensions=frozenset(extensions.split(",")) - {""},
        yaml=yaml,
    )
    suffix = "yaml" if yaml else "json"
    return {
        "contentType": f"application/{suffix}",
        "contentDisposition": f'attachment; filename="{kind}_{snapshot.deployment_id}.{suffix}"',
        "body": body,
    }
