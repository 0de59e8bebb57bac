"""AWS::ApiGateway: deployments and stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.calls import CallFailed, text_of
from lambdad.neighbours.cloudformation.types.base import (
    Made,
    ResourceFailed,
    ResourceType,
    Work,
)
from lambdad.neighbours.cloudformation.types.rest_api_calls import (
    SERVICE,
    Patch,
    arn_of,
    patches,
    retag,
)

# Settings of a stage's methods, by the end of their patch's path.
_SETTINGS = {
    "CacheDataEncrypted": "caching/dataEncrypted",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CachingEnabled": "caching/enabled",
    "DataTraceEnabled": "logging/dataTrace",
    "LoggingLevel": "logging/loglevel",
    "MetricsEnabled": "metrics/enabled",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
}
_STAGE_PATHS = {
    "CacheClusterEnabled": "/cacheClusterEnabled",
    "CacheClusterSize": "/cacheClusterSize",
    "ClientCertificateId": "/clientCertificateId",
    "DeploymentId": "/deploymentId",
    "Description": "/description",
    "DocumentationVersion": "/documentationVersion",
    "TracingEnabled": "/tracingEnabled",
}
_STAGE_DEFAULTS = {
    "CacheClusterEnabled": "false",
    "CacheClusterSize": "",
    "TracingEnabled": "false",
}


# --- Settings of stages ---------------------------------------------------------------------


def _place(setting: Mapping[str, Any]) -> str:
    """Return the path of a method's settings: `*/*`, `~1pets~1{id}/GET`."""
    path, method = str(setting.get("ResourcePath", "/*")), str(setting.get("HttpMethod", "*"))
    if path == "/*":
        return f"*/{method}"
    bare = path.removeprefix("/") if path.startswith("/~1") else path.replace("/", "~1")
    return f"{bare}/{method}"


def _settings(properties: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return settings by place; those beside the list are of all methods."""
    found: dict[str, Mapping[str, Any]] = {}
    general = {name: properties[name] for name in _SETTINGS if name in properties}
    if general:
        found["*/*"] = general
    for each in properties.get("MethodSettings") or ():
        found[_place(each)] = each
    return found


def _stage_patches(properties: Mapping[str, Any], previous: Mapping[str, Any]) -> Iterator[Patch]:
    """Yield what changes settings, variables, access logs and a canary of a stage."""
    before, after = _settings(previous), _settings(properties)
    for place in before:
        if place not in after:
            yield {"op": "remove", "path": f"/{place}"}
    for place, setting in after.items():
        if before.get(place) == setting:
            continue
        for name, end in _SETTINGS.items():
            if setting.get(name) is not None:
                path = f"/{place}/{end}"
                yield {"op": "replace", "path": path, "value": text_of(setting[name])}
    yield from _entries("variables", properties.get("Variables"), previous.get("Variables"))
    members = {"DestinationArn": "destinationArn", "Format": "format"}
    logs, logs_before = properties.get("AccessLogSetting"), previous.get("AccessLogSetting")
    yield from group("accessLogSettings", members, logs, logs_before)
    canary, canary_before = properties.get("CanarySetting"), previous.get("CanarySetting")
    members = {
        "DeploymentId": "deploymentId",
        "PercentTraffic": "percentTraffic",
        "UseStageCache": "useStageCache",
    }
    yield from group("canarySettings", members, canary, canary_before)
    overrides = (canary or {}).get("StageVariableOverrides")
    yield from _entries("canarySettings/stageVariableOverrides", overrides, None)


def _entries(name: str, after: Any, before: Any) -> Iterator[Patch]:
    for key in (before or {}).keys() - (after or {}).keys():
        yield {"op": "remove", "path": f"/{name}/{key}"}
    for key, value in (after or {}).items():
        if (before or {}).get(key) != value:
            yield {"op": "replace", "path": f"/{name}/{key}", "value": text_of(value)}


def group(name: str, members: Mapping[str, str], after: Any, before: Any) -> Iterator[Patch]:
    """Yield what changes a group of members, `members` by their property, or takes it away."""
    if after == before:
        return
    if not after:
        yield {"op": "remove", "path": f"/{name}"}
        return
    for member, path in members.items():
        if after.get(member) is not None:
            yield {"op": "replace", "path": f"/{name}/{path}", "value": text_of(after[member])}


# --- Deployments ----------------------------------------------------------------------------


def _deployment(work: Work, deployment_id: str) -> Made:
    return Made(physical_id=deployment_id, attributes={"DeploymentId": deployment_id})


def _create_deployment(work: Work) -> Made:
    described: Mapping[str, Any] = work.get("StageDescription") or {}
    members = ("CacheClusterEnabled", "CacheClusterSize", "TracingEnabled", "Variables")
    params = {
        "RestApiId": work.get("RestApiId"),
        "Description": work.get("Description"),
        "StageName": work.get("StageName"),
        "StageDescription": described.get("Description"),
        "CanarySettings": work.get("DeploymentCanarySettings"),
        **{name: described[name] for name in members if name in described},
    }
    given = {name: value for name, value in params.items() if value is not None}
    deployment_id = str(work.call(SERVICE, "CreateDeployment", **given)["id"])
    try:
        _describe_stage(work, {})
    except CallFailed as error:
        raise ResourceFailed(str(error), left=deployment_id) from error
    return _deployment(work, deployment_id)


def _describe_stage(work: Work, previous: Mapping[str, Any]) -> None:
    """Change the stage of a deployment to what the template says of it."""
    named = {"RestApiId": work.get("RestApiId"), "StageName": work.get("StageName")}
    changes = list(_stage_patches(work.get("StageDescription") or {}, previous))
    if work.get("StageName") and changes:
        work.call(SERVICE, "UpdateStage", **named, PatchOperations=changes)
    if work.get("StageName") and work.stack_tags:
        path = f"/restapis/{named['RestApiId']}/stages/{named['StageName']}"
        work.call(SERVICE, "TagResource", ResourceArn=arn_of(work, path), Tags=work.stack_tags)


def _update_deployment(work: Work) -> Made:
    named = {"RestApiId": work.get("RestApiId"), "DeploymentId": work.physical_id}
    if work.changed("Description"):
        value = str(work.get("Description") or "")
        change = {"op": "replace", "path": "/description", "value": value}
        work.call(SERVICE, "UpdateDeployment", **named, PatchOperations=[change])
    if work.changed("StageDescription"):
        _describe_stage(work, work.previous.get("StageDescription") or {})
    return _deployment(work, work.physical_id)


def _delete_deployment(work: Work) -> None:
    """Delete it, and the stage that it made if that has no other by now."""
    named = {"RestApiId": work.get("RestApiId")}
    if work.get("StageName"):
        stage = {**named, "StageName": work.get("StageName")}
        try:
            if work.call(SERVICE, "GetStage", **stage)["deploymentId"] == work.physical_id:
                work.remove(SERVICE, "DeleteStage", **stage)
        except CallFailed as error:
            if not error.gone:
                raise
    work.remove(SERVICE, "DeleteDeployment", **named, DeploymentId=work.physical_id)


# --- Stages ---------------------------------------------------------------------------------


def _create_stage(work: Work) -> Made:
    name = str(work.get("StageName") or work.logical_id)
    # What no patch could say; variables come with the patches.
    members = ("CacheClusterEnabled", "CacheClusterSize", "DeploymentId", "Description")
    more = ("DocumentationVersion", "TracingEnabled", "RestApiId")
    given = {each: work.get(each) for each in (*members, *more) if work.get(each) is not None}
    work.create(SERVICE, "CreateStage", **given, StageName=name, Tags=work.tags())
    changes = list(_stage_patches(work.properties, {}))
    try:
        _patch_stage(work, name, changes)
    except CallFailed as error:
        raise ResourceFailed(str(error), left=name) from error
    return Made(physical_id=name)


def _patch_stage(work: Work, name: str, changes: list[Patch]) -> None:
    if changes:
        named = {"RestApiId": work.get("RestApiId"), "StageName": name}
        work.call(SERVICE, "UpdateStage", **named, PatchOperations=changes)


def _update_stage(work: Work) -> Made:
    changes = patches(work, _STAGE_PATHS, _STAGE_DEFAULTS)
    changes += _stage_patches(work.properties, work.previous)
    _patch_stage(work, work.physical_id, changes)
    path = f"/restapis/{work.get('RestApiId')}/stages/{work.physical_id}"
    retag(work, arn_of(work, path))
    return Made(physical_id=work.physical_id)


def _delete_stage(work: Work) -> None:
    named = {"RestApiId": work.get("RestApiId"), "StageName": work.physical_id}
    work.remove(SERVICE, "DeleteStage", **named)


TYPES = (
    ResourceType(
        name="AWS::ApiGateway::Deployment",
        create=_create_deployment,
        update=_update_deployment,
        delete=_delete_deployment,
        fixed=frozenset({"RestApiId", "DeploymentCanarySettings", "StageName"}),
        required=("RestApiId",),
    ),
    ResourceType(
        name="AWS::ApiGateway::Stage",
        create=_create_stage,
        update=_update_stage,
        delete=_delete_stage,
        fixed=frozenset({"RestApiId", "StageName"}),
        required=("RestApiId",),
    ),
)
