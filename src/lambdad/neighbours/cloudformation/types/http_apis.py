"""AWS::ApiGatewayV2: HTTP APIs, from their parts or from an OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.types.base import Made, ResourceFailed, ResourceType, Work

_SERVICE = "apigatewayv2"
_EXTENSION = "x-amazon-apigateway-"
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
# What the document says, or CloudFormation alone knows.
_API_APART = ("Body", "BodyS3Location", "FailOnWarnings", "BasePath", "Tags")


def _api(work: Work, found: Mapping[str, Any]) -> Made:
    attributes = {"ApiId": found["ApiId"], "ApiEndpoint": found["ApiEndpoint"]}
    return Made(physical_id=found["ApiId"], attributes=attributes)


def _api_params(work: Work) -> dict[str, Any]:
    params = {"ProtocolType": "HTTP", **work.without(*_API_APART)}
    body = work.get("Body") or {}
    if work.get("BodyS3Location"):
        raise ResourceFailed("BodyS3Location is not served here; put the document into Body.")
    params.setdefault("Name", (body.get("info") or {}).get("title") or work.logical_id)
    if (cors := body.get(f"{_EXTENSION}cors")) is not None:
        params.setdefault("CorsConfiguration", _cors(cors))
    return params


def _cors(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAPI's rules, `allowOrigins`, with the names of the API, `AllowOrigins`."""
    return {f"{name[0].upper()}{name[1:]}": value for name, value in rules.items()}


def _create_api(work: Work) -> Made:
    found = work.call(_SERVICE, "CreateApi", **_api_params(work), Tags=work.tags())
    _import(work, found["ApiId"])
    return _api(work, found)


def _update_api(work: Work) -> Made:
    params = {name: each for name, each in _api_params(work).items() if name != "ProtocolType"}
    found = work.call(_SERVICE, "UpdateApi", ApiId=work.physical_id, **params)
    if work.changed("Body"):
        _import(work, work.physical_id)
    return _api(work, found)


def _import(work: Work, api_id: str) -> None:
    """Make the routes of the document, in place of those that are there."""
    body = work.get("Body")
    if not body:
        return
    for route in work.call(_SERVICE, "GetRoutes", ApiId=api_id)["Items"]:
        work.remove(_SERVICE, "DeleteRoute", ApiId=api_id, RouteId=route["RouteId"])
    for each in work.call(_SERVICE, "GetIntegrations", ApiId=api_id)["Items"]:
        integration_id = each["IntegrationId"]
        work.remove(_SERVICE, "DeleteIntegration", ApiId=api_id, IntegrationId=integration_id)
    for key, integration in _operations(body):
        made = work.call(_SERVICE, "CreateIntegration", ApiId=api_id, **integration)
        target = f"integrations/{made['IntegrationId']}"
        work.call(_SERVICE, "CreateRoute", ApiId=api_id, RouteKey=key, Target=target)


def _operations(body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield route key and integration of every operation of an OpenAPI document."""
    for path, item in (body.get("paths") or {}).items():
        for method, operation in item.items():
            any_method = method == f"{_EXTENSION}any-method"
            if method not in _METHODS and not any_method:
                continue
            integration = (operation or {}).get(f"{_EXTENSION}integration")
            if integration is None:
                continue
            if operation.get("security"):
                raise ResourceFailed(f"{path}: authorizers are not served here yet.")
            verb = "ANY" if any_method else method.upper()
            key = path if path == "/$default" else f"{verb} {path}"
            yield key.removeprefix("/") if key == "/$default" else key, _integration(integration)


def _integration(described: Mapping[str, Any]) -> dict[str, Any]:
    params = {
        "IntegrationType": str(described.get("type", "aws_proxy")).upper(),
        "IntegrationUri": described["uri"],
        "PayloadFormatVersion": str(described.get("payloadFormatVersion", "2.0")),
    }
    if "timeoutInMillis" in described:
        params["TimeoutInMillis"] = int(described["timeoutInMillis"])
    return params


def _delete_api(work: Work) -> None:
    work.remove(_SERVICE, "DeleteApi", ApiId=work.physical_id)


def _part(name: str, identifier: str, *dropped: str) -> ResourceType:
    """Return the type of a part of an API, whose properties are the operations' members."""

    def made(work: Work, found: Mapping[str, Any]) -> Made:
        return Made(physical_id=found[identifier], attributes={identifier: found[identifier]})

    def params(work: Work) -> dict[str, Any]:
        given = work.without(*dropped)
        if "Tags" in given:
            given["Tags"] = work.tags()
        return given

    def create(work: Work) -> Made:
        return made(work, work.call(_SERVICE, f"Create{name}", **params(work)))

    def update(work: Work) -> Made:
        given = {key: value for key, value in params(work).items() if key != "Tags"}
        named = {identifier: work.physical_id}
        return made(work, work.call(_SERVICE, f"Update{name}", **{**given, **named}))

    def delete(work: Work) -> None:
        named = {"ApiId": work.get("ApiId"), identifier: work.physical_id}
        work.remove(_SERVICE, f"Delete{name}", **named)

    return ResourceType(
        name=f"AWS::ApiGatewayV2::{name}",
        create=create,
        update=update,
        delete=delete,
        fixed=frozenset({"ApiId", "StageName"}),
        required=("ApiId",),
    )


TYPES = (
    ResourceType(
        name="AWS::ApiGatewayV2::Api",
        create=_create_api,
        update=_update_api,
        delete=_delete_api,
        fixed=frozenset({"ProtocolType"}),
    ),
    _part("Integration", "IntegrationId"),
    _part("Route", "RouteId"),
    _part("Stage", "StageName", "AccessPolicyId"),
    _part("Deployment", "DeploymentId"),
    _part("Authorizer", "AuthorizerId"),
)
