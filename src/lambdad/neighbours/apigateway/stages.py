"""Stages: which deployment answers under which name, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import (
    BadRequestException,
    ConflictException,
    not_found,
)
from lambdad.neighbours.apigateway.patches import (
    EDIT,
    REPLACE,
    Operation,
    Rules,
    apply,
    patched,
    scalar,
)
from lambdad.neighbours.apigateway.service import (
    Context,
    answered,
    changes_api,
    given,
    of_api,
    shape,
)
from lambdad.triggers.rest_api.model import Document, RestApi

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_VARIABLE = re.compile(r"\w+")
_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,\[\]@!$'()*+;% {}\"^|]*")
_NO_STAGE = "Invalid stage identifier specified"
_CACHE_SIZE = "0.5"
_COPY = frozenset({"copy", "replace"})

_RULES = Rules(
    shape=shape("Stage"),
    paths={
        "/accessLogSettings": frozenset({"remove"}),
        "/accessLogSettings/destinationArn": EDIT,
        "/accessLogSettings/format": EDIT,
        "/cacheClusterEnabled": REPLACE,
        "/cacheClusterSize": REPLACE,
        "/canarySettings": frozenset({"remove"}),
        "/canarySettings/deploymentId": _COPY,
        "/canarySettings/percentTraffic": REPLACE,
        "/canarySettings/stageVariableOverrides": frozenset({"remove"}),
        "/canarySettings/stageVariableOverrides/*": EDIT,
        "/canarySettings/useStageCache": REPLACE,
        "/clientCertificateId": EDIT,
        "/deploymentId": _COPY,
        "/description": EDIT,
        "/documentationVersion": EDIT,
        "/tracingEnabled": REPLACE,
        "/variables": _COPY,
        "/variables/*": EDIT,
    },
)
# What follows a path and method, and the member that it sets.
_SETTINGS = {
    "caching/dataEncrypted": "cacheDataEncrypted",
    "caching/enabled": "cachingEnabled",
    "caching/requireAuthorizationForCacheControl": "requireAuthorizationForCacheControl",
    "caching/ttlInSeconds": "cacheTtlInSeconds",
    "caching/unauthorizedCacheControlHeaderStrategy": "unauthorizedCacheControlHeaderStrategy",
    "logging/dataTrace": "dataTraceEnabled",
    "logging/loglevel": "loggingLevel",
    "metrics/enabled": "metricsEnabled",
    "throttling/burstLimit": "throttlingBurstLimit",
    "throttling/rateLimit": "throttlingRateLimit",
}
_DEFAULT_SETTINGS: Mapping[str, Any] = {
    "cacheDataEncrypted": False,
    "cacheTtlInSeconds": 300,
    "cachingEnabled": False,
    "dataTraceEnabled": False,
    "metricsEnabled": False,
    "requireAuthorizationForCacheControl": True,
    "throttlingBurstLimit": 5_000,
    "throttlingRateLimit": 10_000.0,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}
_LOG_LEVELS = ("OFF", "ERROR", "INFO")


def stage_of(api: RestApi, name: str) -> Document:
    """Return a stage of an API.

    Raises:
        NotFoundException: it has none of this name.
    """
    found = api.stages.get(name)
    if found is None:
        raise not_found("stage")
    return found


def new_stage(members: Document, now: str) -> dict[str, Any]:
    """Return a stage with the members that nobody has to give.

    Raises:
        BadRequestException: members that cannot be.
    """
    if _NAME.fullmatch(members["stageName"]) is None:
        raise BadRequestException("Stage name only allows a-zA-Z0-9_")
    document = {
        "cacheClusterEnabled": False,
        "methodSettings": {},
        "tracingEnabled": False,
        "createdDate": now,
        **{name: value for name, value in members.items() if value is not None},
    }
    return settled(document, now)


def settled(document: dict[str, Any], now: str) -> dict[str, Any]:
    """Return a changed stage with what follows from its members.

    Raises:
        BadRequestException: variables that cannot be.
    """
    for name, value in (document.get("variables") or {}).items():
        if _VARIABLE.fullmatch(name) is None:
            raise BadRequestException(f"Invalid stage variable name: {name}")
        if value is None or _VALUE.fullmatch(value) is None:
            raise BadRequestException(
                f"Stage variable value '{value}' for '{name}' contains invalid characters"
            )
    cached = bool(document["cacheClusterEnabled"])
    if cached:
        document.setdefault("cacheClusterSize", _CACHE_SIZE)
    document["cacheClusterStatus"] = "AVAILABLE" if cached else "NOT_AVAILABLE"
    document["lastUpdatedDate"] = now
    return {name: value for name, value in document.items() if value not in (None, "")}


def check_deployment(api: RestApi, deployment_id: str | None) -> None:
    """Refuse a deployment that is not there.

    Raises:
        BadRequestException: see there.
    """
    if deployment_id not in api.deployments:
        raise BadRequestException("Deployment id does not exist")


def changed(document: Document, operations: list[Operation]) -> dict[str, Any]:
    """Return a stage as patches change it; settings of methods have paths of their own.

    Raises:
        BadRequestException: a path or value that a stage does not take.
    """
    copy = patched(document, (), _RULES)
    for operation in operations:
        path = str(operation.get("path"))
        if _set_method(copy, operation, path.removeprefix("/")):
            continue
        try:
            _RULES.check(operation)
        except BadRequestException as error:
            raise BadRequestException(
                f"Invalid method setting path: {path}. Must be one of: [{_known_paths()}]"
            ) from error
        apply(copy, operation, _RULES.shape)
    return copy


def _known_paths() -> str:
    own = [path.replace("variables/*", "variables/{variable_name}") for path in _RULES.paths]
    settings = [
        f"/{place}/{name}" for place in ("{resourcePath}/{httpMethod}", "*/*") for name in _SETTINGS
    ]
    return ", ".join([*own, *settings])


def _set_method(stage: dict[str, Any], operation: Operation, path: str) -> bool:
    """Change a method's settings if the path is of one: `pets/GET/metrics/enabled`, `*/*`."""
    settings: dict[str, Any] = stage["methodSettings"]
    if operation.get("op") == "remove" and path in settings:
        del settings[path]
        return True
    place, _, rest = path.rpartition("/")
    place, _, group = place.rpartition("/")
    member = _SETTINGS.get(f"{group}/{rest}")
    if member is None or "/" not in place:
        return False
    found = settings.setdefault(place, dict(_DEFAULT_SETTINGS))
    if operation.get("op") == "remove":
        found.pop(member, None)
        found.update({member: _DEFAULT_SETTINGS[member]} if member in _DEFAULT_SETTINGS else {})
        return True
    kind = shape("MethodSetting").members[member]
    value = scalar(member, operation.get("value"), kind)
    if member == "loggingLevel" and value not in _LOG_LEVELS:
        raise BadRequestException(
            f"Invalid loggingLevel specified. Valid options are {','.join(_LOG_LEVELS)}"
        )
    found[member] = value
    return True


@changes_api("CreateStage")
async def create(context: Context, params: Params, api: RestApi) -> Result:
    """Give a deployment a name under which it answers."""
    name = params["stageName"]
    check_deployment(api, params["deploymentId"])
    if name in api.stages:
        raise ConflictException("Stage already exists")
    document = new_stage(given(params, "restApiId"), context.services.now())
    await context.services.put(api, "stages", name, document)
    return answered(document)


@of_api("GetStage")
async def get(context: Context, params: Params, api: RestApi) -> Result:
    """Return a stage."""
    del context
    return answered(stage_of(api, params["stageName"]))


@of_api("GetStages")
async def get_all(context: Context, params: Params, api: RestApi) -> Result:
    """Return all stages, or those of a deployment."""
    del context
    wanted = params.get("deploymentId")
    found = [each for each in api.stages.values() if wanted in (None, each["deploymentId"])]
    ordered = sorted(found, key=lambda each: str(each["stageName"]))
    return {"item": [answered(each) for each in ordered]}


@changes_api("UpdateStage")
async def update(context: Context, params: Params, api: RestApi) -> Result:
    """Change what the patches say of a stage."""
    name = params["stageName"]
    operations = list(params.get("patchOperations") or ())
    document = changed(stage_of(api, name), operations)
    check_deployment(api, document.get("deploymentId"))
    document = settled(document, context.services.now())
    await context.services.put(api, "stages", name, document)
    return {"tags": {}, **answered(document)}


@changes_api("DeleteStage")
async def delete(context: Context, params: Params, api: RestApi) -> Result:
    """Forget a stage."""
    stage_of(api, params["stageName"])
    await context.services.take(api, "stages", params["stageName"])
    return {}
