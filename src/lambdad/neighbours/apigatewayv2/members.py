"""Integrations, routes, stages, deployments and authorizers: the parts of an API.

All have the same five operations, which are made here from a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigatewayv2.apis import listed
from lambdad.neighbours.apigatewayv2.checks import (
    check_authorizer,
    check_integration,
    check_model,
    check_route,
    check_stage,
)
from lambdad.neighbours.apigatewayv2.errors import BadRequestException, ConflictException
from lambdad.neighbours.apigatewayv2.service import HTTP_APIS, Context, answered, api_of, changed
from lambdad.triggers.http_api.model import Api

Check = Callable[[Api, Mapping[str, Any]], None]
Derived = Callable[[Api, Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One kind of part.

    Attributes:
        name: as in operations, `Route`.
        plural: as in the operation that lists them.
        identifier: member that names one.
        defaults: members that nobody has to give.
        derived: further such members, which depend on what is given.
        check: refuses what cannot be served.
        dated: whether it says when it was made.
    """

    name: str
    plural: str
    identifier: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    derived: Derived = lambda api, given: {}
    check: Check = lambda api, document: None
    dated: bool = False

    @property
    def kind(self) -> str:
        """As it is stored."""
        return self.name.lower()


def _integration_defaults(api: Api, given: Mapping[str, Any]) -> Mapping[str, Any]:
    function = given["IntegrationType"] == "AWS_PROXY" and not given.get("IntegrationSubtype")
    http = api.protocol == "HTTP"
    method = {"IntegrationMethod": "POST" if function else "ANY"}
    version = {"PayloadFormatVersion": "2.0" if function and http else "1.0"}
    if given["IntegrationType"] == "MOCK" or given.get("IntegrationSubtype"):
        method = {}
    other = {} if http else {"PassthroughBehavior": "WHEN_NO_MATCH"}
    return {**method, **version, **other, "TimeoutInMillis": 30_000 if http else 29_000}


MEMBERS = (
    Member(
        name="Integration",
        plural="Integrations",
        identifier="IntegrationId",
        defaults={"ConnectionType": "INTERNET"},
        derived=_integration_defaults,
        check=check_integration,
    ),
    Member(
        name="Route",
        plural="Routes",
        identifier="RouteId",
        defaults={"ApiKeyRequired": False, "AuthorizationType": "NONE"},
        check=check_route,
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
        check=check_stage,
        dated=True,
    ),
    Member(
        name="Authorizer",
        plural="Authorizers",
        identifier="AuthorizerId",
        check=check_authorizer,
    ),
    Member(
        name="Model",
        plural="Models",
        identifier="ModelId",
        defaults={"ContentType": "application/json"},
        check=check_model,
    ),
)


def with_defaults(name: str, api: Api, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of a part with those that nobody has to give."""
    member = next(each for each in MEMBERS if each.name == name)
    return {**member.defaults, **member.derived(api, given), **given}


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
        document = with_defaults(member.name, api, given)
        document = {**document, **dates, member.identifier: identifier}
        member.check(api, document)
        stage = None
        if member.kind == "deployment":
            _check_deployable(api)
            stage = document.pop("StageName", None)
            document |= api.snapshot()
        if stage:
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
        _check_unused(api, member, identifier)
        await apis.remove_part(api, member.kind, identifier)
        return {}


def _check_deployable(api: Api) -> None:
    if not api.parts["route"]:
        raise BadRequestException("At least one route is required before deploying the Api.")


def _check_unused(api: Api, member: Member, identifier: str) -> None:
    """Refuse to take away what routes lead to, or what a stage serves."""
    for route in api.parts["route"].values():
        if (member.kind, f"integrations/{identifier}") == ("integration", route.get("Target")) or (
            (member.kind, identifier) == ("authorizer", route.get("AuthorizerId"))
        ):
            raise ConflictException(
                f"Cannot delete {member.name} '{identifier}', Route(s) are still attached to it."
            )
    for stage in api.parts["stage"].values():
        if (member.kind, identifier) == ("deployment", stage.get("DeploymentId")):
            raise ConflictException(
                "Active stages pointing to this deployment must be moved or deleted"
            )


for _member in MEMBERS:
    _register_creation(_member)
    _register_reading(_member)
    _register_changes(_member)
