"""Integrations, routes, stages, deployments and authorizers: the parts of an API.

All have the same five operations, which are made here from a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigatewayv2.apis import listed
from lambdad.neighbours.apigatewayv2.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
)
from lambdad.neighbours.apigatewayv2.service import HTTP_APIS, Context, answered, api_of, changed
from lambdad.triggers.http_api.model import Api

_METHODS = "ANY|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS"
_ROUTE_KEY = re.compile(rf"\$default|(?:{_METHODS}) /\S*")
_TIMEOUT_MS = (50, 30_000)

Check = Callable[[Api, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One kind of part.

    Attributes:
        name: as in operations, `Route`.
        plural: as in the operation that lists them.
        identifier: member that names one.
        defaults: members that nobody has to give.
        check: refuses what cannot be served.
        dated: whether it says when it was made.
    """

    name: str
    plural: str
    identifier: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    check: Check = lambda api, document: None
    dated: bool = False

    @property
    def kind(self) -> str:
        """As it is stored."""
        return self.name.lower()


def _check_route(api: Api, route: Mapping[str, Any]) -> None:
    key = route["RouteKey"]
    if _ROUTE_KEY.fullmatch(key) is None:
        raise BadRequestException(
            "The provided route key is not formatted properly for HTTP protocol. "
            'Format should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
        )
    for other in api.parts["route"].values():
        if other["RouteKey"] == key and other["RouteId"] != route.get("RouteId"):
            raise ConflictException(f"Route with key {key} already exists for this API")
    target = str(route.get("Target") or "")
    integration = target.partition("integrations/")[2]
    if target and integration not in api.parts["integration"]:
        raise NotFoundException(f"Invalid Integration identifier specified {integration}")
    if route.get("AuthorizationType", "NONE") != "NONE":
        raise BadRequestException(
            f"AuthorizationType {route['AuthorizationType']} is not served here yet; use NONE and "
            "let the function decide."
        )


def _check_integration(api: Api, integration: Mapping[str, Any]) -> None:
    del api
    if integration["IntegrationType"] != "AWS_PROXY" or integration.get("IntegrationSubtype"):
        raise BadRequestException(
            "Only integrations of type AWS_PROXY with a Lambda function are served here yet."
        )
    if integration.get("PayloadFormatVersion", "2.0") != "2.0":
        raise BadRequestException("Only payload format version 2.0 is served here yet.")
    low, high = _TIMEOUT_MS
    if not low <= int(integration.get("TimeoutInMillis", high)) <= high:
        raise BadRequestException(
            f"Timeout should be between {low} ms and {high} ms for an HTTP API"
        )


def _check_stage(api: Api, stage: Mapping[str, Any]) -> None:
    deployment = stage.get("DeploymentId")
    if deployment and deployment not in api.parts["deployment"]:
        raise NotFoundException(f"Invalid Deployment identifier specified {deployment}")


def _refuse_authorizer(api: Api, authorizer: Mapping[str, Any]) -> None:
    del api, authorizer
    raise BadRequestException("Authorizers are not served here yet; let the function decide.")


MEMBERS = (
    Member(
        name="Integration",
        plural="Integrations",
        identifier="IntegrationId",
        defaults={
            "ConnectionType": "INTERNET",
            "IntegrationMethod": "POST",
            "PayloadFormatVersion": "2.0",
            "TimeoutInMillis": 30_000,
        },
        check=_check_integration,
    ),
    Member(
        name="Route",
        plural="Routes",
        identifier="RouteId",
        defaults={"ApiKeyRequired": False, "AuthorizationType": "NONE"},
        check=_check_route,
    ),
    Member(
        name="Deployment",
        plural="Deployments",
        identifier="DeploymentId",
        defaults={"AutoDeployed": False, "DeploymentStatus": "DEPLOYED"},
        dated=True,
    ),
    Member(
        name="Stage",
        plural="Stages",
        identifier="StageName",
        defaults={
            "AutoDeploy": False,
            "DefaultRouteSettings": {"DetailedMetricsEnabled": False},
            "RouteSettings": {},
            "StageVariables": {},
            "Tags": {},
        },
        check=_check_stage,
        dated=True,
    ),
    Member(
        name="Authorizer",
        plural="Authorizers",
        identifier="AuthorizerId",
        check=_refuse_authorizer,
    ),
)


def _register_creation(member: Member) -> None:
    named_by_user = member.identifier == "StageName"

    @HTTP_APIS.operation(f"Create{member.name}")
    async def create(context: Context, params: Params) -> Result:
        api, apis = api_of(context, params), context.services
        identifier = params["StageName"] if named_by_user else apis.new_id(7)
        if identifier in api.parts[member.kind]:
            raise ConflictException("Stage already exists")
        dates = {"CreatedDate": apis.clock.now()} if member.dated else {}
        if named_by_user:
            dates["LastUpdatedDate"] = dates["CreatedDate"]
        given = {name: value for name, value in params.items() if name != "ApiId"}
        document = {**member.defaults, **dates, **given, member.identifier: identifier}
        member.check(api, document)
        if member.kind == "deployment" and (stage := document.pop("StageName", None)):
            found = apis.part(api, "stage", stage)
            await apis.put_part(api, "deployment", identifier, document)
            await apis.put_part(api, "stage", stage, {**found, "DeploymentId": identifier})
        else:
            await apis.put_part(api, member.kind, identifier, document)
        return answered(api.parts[member.kind][identifier])


def _register_reading(member: Member) -> None:
    @HTTP_APIS.operation(f"Get{member.name}")
    async def get(context: Context, params: Params) -> Result:
        api = api_of(context, params)
        return answered(context.services.part(api, member.kind, params[member.identifier]))

    @HTTP_APIS.operation(f"Get{member.plural}")
    async def get_all(context: Context, params: Params) -> Result:
        parts = api_of(context, params).parts[member.kind]
        return listed(list(parts.values()), member.identifier, params)


def _register_changes(member: Member) -> None:
    @HTTP_APIS.operation(f"Update{member.name}")
    async def update(context: Context, params: Params) -> Result:
        api, apis = api_of(context, params), context.services
        identifier = params[member.identifier]
        given = {name: value for name, value in params.items() if name != "ApiId"}
        document = dict(changed(apis.part(api, member.kind, identifier), given))
        if member.identifier == "StageName":
            document["LastUpdatedDate"] = apis.clock.now()
        member.check(api, document)
        await apis.put_part(api, member.kind, identifier, document)
        return answered(api.parts[member.kind][identifier])

    @HTTP_APIS.operation(f"Delete{member.name}")
    async def delete(context: Context, params: Params) -> Result:
        api, apis = api_of(context, params), context.services
        identifier = params[member.identifier]
        apis.part(api, member.kind, identifier)
        targets = [route.get("Target") for route in api.parts["route"].values()]
        if member.kind == "integration" and f"integrations/{identifier}" in targets:
            raise ConflictException(
                f"Cannot delete Integration '{identifier}', Route(s) are still attached to it."
            )
        await apis.remove_part(api, member.kind, identifier)
        return {}


for _member in MEMBERS:
    _register_creation(_member)
    _register_reading(_member)
    _register_changes(_member)
