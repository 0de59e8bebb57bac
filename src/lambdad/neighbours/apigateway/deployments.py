"""Deployments: copies of an API as it was, which is what its callers get."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import BadRequestException, not_found
from lambdad.neighbours.apigateway.parts import Change
from lambdad.neighbours.apigateway.patches import REPLACE, Rules, patched
from lambdad.neighbours.apigateway.service import (
    Context,
    changes_api,
    listed,
    of_api,
    shape,
)
from lambdad.neighbours.apigateway.stages import new_stage, settled, stage_of
from lambdad.triggers.rest_api.model import Document, RestApi, Snapshot

_RULES = Rules(shape=shape("Deployment"), paths={"/description": REPLACE}, lists_paths=True)
# Of a stage, as CreateDeployment calls them.
_STAGE = {
    "cacheClusterEnabled": "cacheClusterEnabled",
    "cacheClusterSize": "cacheClusterSize",
    "stageDescription": "description",
    "tracingEnabled": "tracingEnabled",
    "variables": "variables",
}


def _deployment(api: RestApi, deployment_id: str) -> Snapshot:
    found = api.deployments.get(deployment_id)
    if found is None:
        raise not_found("Deployment")
    return found


def _document(snapshot: Snapshot) -> dict[str, Any]:
    described = {} if snapshot.description is None else {"description": snapshot.description}
    moment = datetime.fromtimestamp(snapshot.created_at, UTC).isoformat()
    return {"id": snapshot.deployment_id, "createdDate": moment, **described}


def _answer(snapshot: Snapshot) -> dict[str, Any]:
    moment = datetime.fromtimestamp(snapshot.created_at, UTC)
    return {**_document(snapshot), "createdDate": moment}


def _check(api: RestApi) -> None:
    methods = [
        method
        for resource in api.resources.values()
        for method in (resource.get("resourceMethods") or {}).values()
    ]
    if not methods:
        raise BadRequestException("The REST API doesn't contain any methods")
    if any("methodIntegration" not in method for method in methods):
        raise BadRequestException("No integration defined for method")


@changes_api("CreateDeployment")
async def create(context: Context, params: Params, api: RestApi) -> Result:
    """Freeze an API; with a stage's name, let that have it."""
    _check(api)
    apis = context.services
    snapshot = api.snapshot(
        apis.new_id(), created_at=apis.clock.time(), description=params.get("description")
    )
    changes = [Change("deployments", snapshot.deployment_id, asdict(snapshot))]
    if params.get("stageName"):
        stage = _stage(api, params, snapshot.deployment_id, apis.now())
        changes.append(Change("stages", params["stageName"], stage))
    elif params.get("canarySettings"):
        raise BadRequestException("Canary settings need the name of a stage")
    await apis.apply(api, changes)
    return _answer(snapshot)


def _stage(api: RestApi, params: Params, deployment_id: str, now: str) -> Document:
    name = params["stageName"]
    members = {
        member: params[given] for given, member in _STAGE.items() if params.get(given) is not None
    }
    found = api.stages.get(name)
    canary = params.get("canarySettings")
    if canary:
        settings = {"percentTraffic": 0.0, "useStageCache": False, **canary}
        settings["deploymentId"] = deployment_id
        return settled({**stage_of(api, name), **members, "canarySettings": settings}, now)
    if found is None:
        return new_stage({**members, "stageName": name, "deploymentId": deployment_id}, now)
    return settled({**found, **members, "deploymentId": deployment_id}, now)


@of_api("GetDeployment")
async def get(context: Context, params: Params, api: RestApi) -> Result:
    """Return a deployment, with its methods if these are asked for."""
    del context
    snapshot = _deployment(api, params["deploymentId"])
    answer = _answer(snapshot)
    if "apisummary" in (params.get("embed") or ()):
        answer["apiSummary"] = _summary(snapshot)
    return answer


def _summary(snapshot: Snapshot) -> dict[str, Any]:
    return {
        resource["path"]: {
            verb: {
                "authorizationType": method["authorizationType"],
                "apiKeyRequired": method["apiKeyRequired"],
            }
            for verb, method in resource["resourceMethods"].items()
        }
        for resource in snapshot.resources.values()
        if resource.get("resourceMethods")
    }


@of_api("GetDeployments")
async def get_all(context: Context, params: Params, api: RestApi) -> Result:
    """Return all deployments, a page at a time."""
    del context
    found = [_document(each) for each in api.deployments.values()]
    return listed(found, params, lambda each: f"{each['createdDate']} {each['id']}")


@changes_api("UpdateDeployment")
async def update(context: Context, params: Params, api: RestApi) -> Result:
    """Change a deployment's description; what it froze stays."""
    snapshot = _deployment(api, params["deploymentId"])
    document = patched(_document(snapshot), params.get("patchOperations"), _RULES)
    changed = replace(snapshot, description=document.get("description"))
    await context.services.put(api, "deployments", snapshot.deployment_id, asdict(changed))
    return _answer(changed)


@changes_api("DeleteDeployment")
async def delete(context: Context, params: Params, api: RestApi) -> Result:
    """Forget a deployment that no stage has."""
    snapshot = _deployment(api, params["deploymentId"])
    used = {
        name
        for stage in api.stages.values()
        for name in (
            stage["deploymentId"],
            (stage.get("canarySettings") or {}).get("deploymentId"),
        )
    }
    if snapshot.deployment_id in used:
        raise BadRequestException(
            "Active stages pointing to this deployment must be moved or deleted"
        )
    await context.services.take(api, "deployments", snapshot.deployment_id)
    return {}
