"""AWS::ApiGatewayV2: HTTP APIs, from their parts or from an OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.types.base import Made, ResourceFailed, ResourceType, Work

_SERVICE = "apigatewayv2"
# What the document says, or CloudFormation alone knows.
_API_APART = ("Body", "BodyS3Location", "FailOnWarnings", "BasePath", "Tags")


def _api(work: Work, found: Mapping[str, Any]) -> Made:
    attributes = {"ApiId": found["ApiId"], "ApiEndpoint": found["ApiEndpoint"]}
    return Made(physical_id=found["ApiId"], attributes=attributes)


def _create_api(work: Work) -> Made:
    if work.get("BodyS3Location"):
        raise ResourceFailed("BodyS3Location is not served here; put the document into Body.")
    params = work.without(*_API_APART)
    body = work.get("Body")
    if body:
        found = work.call(_SERVICE, "ImportApi", **_document(work, body))
        return _api(work, _changed(work, found["ApiId"], params) or found)
    params = {"ProtocolType": "HTTP", **params}
    params.setdefault("Name", work.logical_id)
    return _api(work, work.call(_SERVICE, "CreateApi", **params, Tags=work.tags()))


def _update_api(work: Work) -> Made:
    if work.get("Body") and work.changed("Body"):
        given = _document(work, work.get("Body"))
        work.call(_SERVICE, "ReimportApi", ApiId=work.physical_id, **given)
    params = work.without(*_API_APART)
    changed = _changed(work, work.physical_id, params)
    return _api(work, changed or work.call(_SERVICE, "GetApi", ApiId=work.physical_id))


def _document(work: Work, body: Any) -> dict[str, Any]:
    """Return the members of an import; a document without a title has the resource's name."""
    info = {"title": work.get("Name") or work.logical_id, **(body.get("info") or {})}
    given = {"Body": json.dumps({**body, "info": info}, default=str)}
    if work.get("FailOnWarnings") is not None:
        given["FailOnWarnings"] = work.get("FailOnWarnings")
    return given


def _changed(work: Work, api_id: str, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Change what the template says beside the document, which counts more; tag what is made."""
    arn = f"arn:aws:apigateway:{work.calls.region}::/apis/{api_id}"
    if tags := work.tags():
        work.call(_SERVICE, "TagResource", ResourceArn=arn, Tags=tags)
    given = {name: each for name, each in params.items() if name != "ProtocolType"}
    if not given:
        return None
    found: Mapping[str, Any] = work.call(_SERVICE, "UpdateApi", ApiId=api_id, **given)
    return found


def _delete_api(work: Work) -> None:
    work.remove(_SERVICE, "DeleteApi", ApiId=work.physical_id)


Members = Callable[[dict[str, Any]], dict[str, Any]]


def _part(
    name: str,
    identifier: str,
    *dropped: str,
    parents: tuple[str, ...] = ("ApiId",),
    members: Members = dict,
) -> ResourceType:
    """Return the type of a part of an API, whose properties are the operations' members.

    `parents` are what it belongs to; `members` changes properties that the operations name
    differently.
    """

    def made(found: Mapping[str, Any]) -> Made:
        return Made(physical_id=found[identifier], attributes={identifier: found[identifier]})

    def params(work: Work) -> dict[str, Any]:
        given = members(work.without(*dropped))
        if "Tags" in given:
            given["Tags"] = work.tags()
        return given

    def create(work: Work) -> Made:
        return made(work.call(_SERVICE, f"Create{name}", **params(work)))

    def update(work: Work) -> Made:
        given = {key: value for key, value in params(work).items() if key != "Tags"}
        named = {identifier: work.physical_id}
        return made(work.call(_SERVICE, f"Update{name}", **{**given, **named}))

    def delete(work: Work) -> None:
        named = {each: work.get(each) for each in parents}
        work.remove(_SERVICE, f"Delete{name}", **named, **{identifier: work.physical_id})

    return ResourceType(
        name=f"AWS::ApiGatewayV2::{name}",
        create=create,
        update=update,
        delete=delete,
        fixed=frozenset({*parents, "StageName"}),
        required=parents,
    )


def _integration(given: dict[str, Any]) -> dict[str, Any]:
    """CloudFormation has lists of destination and source where the operation has a map."""
    answers = given.get("ResponseParameters")
    if not answers:
        return given
    mapped = {
        status: {each["Destination"]: each["Source"] for each in listed["ResponseParameters"]}
        for status, listed in answers.items()
    }
    return {**given, "ResponseParameters": mapped}


def _model(given: dict[str, Any]) -> dict[str, Any]:
    schema = given.get("Schema")
    return given if isinstance(schema, str) else {**given, "Schema": json.dumps(schema)}


def _required(given: dict[str, Any]) -> dict[str, Any]:
    """Request parameters are flags of one member in both; keep those that are given as such."""
    wanted = given.get("RequestParameters")
    if not isinstance(wanted, dict):
        return given
    flags = {
        key: each if isinstance(each, dict) else {"Required": each} for key, each in wanted.items()
    }
    return {**given, "RequestParameters": flags}


def _domain(found: Mapping[str, Any]) -> Made:
    first = found["DomainNameConfigurations"][0]
    attributes = {
        "DomainNameArn": found["DomainNameArn"],
        "RegionalDomainName": first["ApiGatewayDomainName"],
        "RegionalHostedZoneId": first["HostedZoneId"],
    }
    return Made(physical_id=found["DomainName"], attributes=attributes)


def _create_domain(work: Work) -> Made:
    given = {**work.without("Tags"), "Tags": work.tags()}
    made = work.create(_SERVICE, "CreateDomainName", **given)
    name = {"DomainName": work.get("DomainName")}
    return _domain(made or work.call(_SERVICE, "GetDomainName", **name))


def _update_domain(work: Work) -> Made:
    return _domain(work.call(_SERVICE, "UpdateDomainName", **work.without("Tags")))


def _delete_domain(work: Work) -> None:
    work.remove(_SERVICE, "DeleteDomainName", DomainName=work.physical_id)


TYPES = (
    ResourceType(
        name="AWS::ApiGatewayV2::Api",
        create=_create_api,
        update=_update_api,
        delete=_delete_api,
        fixed=frozenset({"ProtocolType"}),
    ),
    ResourceType(
        name="AWS::ApiGatewayV2::DomainName",
        create=_create_domain,
        update=_update_domain,
        delete=_delete_domain,
        fixed=frozenset({"DomainName"}),
        required=("DomainName",),
    ),
    _part("ApiMapping", "ApiMappingId", parents=("DomainName",)),
    _part("Authorizer", "AuthorizerId"),
    _part("Deployment", "DeploymentId"),
    _part("Integration", "IntegrationId", members=_integration),
    _part("IntegrationResponse", "IntegrationResponseId", parents=("ApiId", "IntegrationId")),
    _part("Model", "ModelId", members=_model),
    _part("Route", "RouteId", members=_required),
    _part("RouteResponse", "RouteResponseId", parents=("ApiId", "RouteId"), members=_required),
    _part("Stage", "StageName", "AccessPolicyId"),
)
