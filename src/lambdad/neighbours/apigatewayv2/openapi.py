"""OpenAPI 3 documents as HTTP APIs, and HTTP APIs as such documents. Pure.

Takes what API Gateway's extensions say, `x-amazon-apigateway-…`; what they do not say of an
operation is reported as a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.neighbours.apigatewayv2.errors import BadRequestException
from lambdad.triggers.http_api.model import Api, Document

_EXTENSION = "x-amazon-apigateway-"
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_ANY = f"{_EXTENSION}any-method"
_SIGNED = "sigv4"
# Members of an integration by their names in a document.
_INTEGRATION = {
    "connectionId": "ConnectionId",
    "connectionType": "ConnectionType",
    "credentials": "CredentialsArn",
    "description": "Description",
    "httpMethod": "IntegrationMethod",
    "integrationSubtype": "IntegrationSubtype",
    "payloadFormatVersion": "PayloadFormatVersion",
    "requestParameters": "RequestParameters",
    "timeoutInMillis": "TimeoutInMillis",
    "tlsConfig": "TlsConfig",
    "uri": "IntegrationUri",
}
_AUTHORIZER = {
    "authorizerCredentials": "AuthorizerCredentialsArn",
    "authorizerPayloadFormatVersion": "AuthorizerPayloadFormatVersion",
    "authorizerResultTtlInSeconds": "AuthorizerResultTtlInSeconds",
    "authorizerUri": "AuthorizerUri",
    "enableSimpleResponses": "EnableSimpleResponses",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRoute:
    """A route of a document.

    Attributes:
        route: its members without target and authorizer.
        authorizer: name of its authorizer, if it has one.
    """

    route: Document
    integration: Document | None
    authorizer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a document describes.

    Attributes:
        api: members of the API.
        authorizers: members of authorizers, by name.
    """

    api: Document
    authorizers: Mapping[str, Document]
    routes: tuple[ImportedRoute, ...]
    warnings: list[str] = field(default_factory=list)


def read_document(document: Mapping[str, Any]) -> Imported:
    """Return what a document describes.

    Raises:
        BadRequestException: it is none of OpenAPI 3.
    """
    if not str(document.get("openapi", "")).startswith("3."):
        raise BadRequestException("Unable to parse API definition: OpenAPI 3.0 is needed.")
    schemes = _object(_object(document, "components"), "securitySchemes")
    authorizers = {
        name: _authorizer(name, scheme[f"{_EXTENSION}authorizer"])
        for name, scheme in schemes.items()
        if isinstance(scheme, dict) and f"{_EXTENSION}authorizer" in scheme
    }
    warnings: list[str] = []
    routes = tuple(_routes(document, schemes, authorizers, warnings))
    return Imported(api=_api(document), authorizers=authorizers, routes=routes, warnings=warnings)


def _api(document: Mapping[str, Any]) -> dict[str, Any]:
    info = _object(document, "info")
    api: dict[str, Any] = {"Name": str(info.get("title") or "")}
    if not api["Name"]:
        raise BadRequestException("Unable to parse API definition: info.title is needed.")
    if info.get("version"):
        api["Version"] = str(info["version"])
    if info.get("description"):
        api["Description"] = str(info["description"])
    cors = _object(document, f"{_EXTENSION}cors")
    if cors:
        api["CorsConfiguration"] = {f"{name[0].upper()}{name[1:]}": v for name, v in cors.items()}
    tags = [each for each in document.get("tags") or [] if isinstance(each, dict)]
    value = f"{_EXTENSION}tag-value"
    api["Tags"] = {str(each["name"]): str(each[value]) for each in tags if value in each}
    if _object(document, f"{_EXTENSION}endpoint-configuration").get("disableExecuteApiEndpoint"):
        api["DisableExecuteApiEndpoint"] = True
    return api


def _authorizer(name: str, described: Mapping[str, Any]) -> dict[str, Any]:
    source = described.get("identitySource") or ["$request.header.Authorization"]
    sources = source if isinstance(source, list) else [each.strip() for each in source.split(",")]
    authorizer: dict[str, Any] = {
        "Name": name,
        "AuthorizerType": str(described.get("type", "")).upper(),
        "IdentitySource": sources,
    }
    authorizer |= _members(described, _AUTHORIZER)
    if "jwtConfiguration" in described:
        given = _object(described, "jwtConfiguration")
        authorizer["JwtConfiguration"] = {
            "Audience": list(given.get("audience") or []),
            "Issuer": str(given.get("issuer") or ""),
        }
    return authorizer


def _routes(
    document: Mapping[str, Any],
    schemes: Mapping[str, Any],
    authorizers: Mapping[str, Document],
    warnings: list[str],
) -> Iterator[ImportedRoute]:
    for path, item in _object(document, "paths").items():
        if not isinstance(item, dict):
            raise BadRequestException(f"Unable to parse API definition: {path} is no object.")
        for method, operation in item.items():
            if method not in _METHODS and method != _ANY:
                continue
            key = _route_key(str(path), method)
            described = _integration_of(document, operation or {})
            if described is None:
                warnings.append(f"No integration is defined for {key}; it is not imported.")
                continue
            security = (operation or {}).get("security", document.get("security")) or []
            route, authorizer = _guarded(security, schemes, authorizers)
            if (operation or {}).get("operationId"):
                route["OperationName"] = str(operation["operationId"])[:64]
            yield ImportedRoute(
                route={"RouteKey": key, **route},
                integration=_integration(described),
                authorizer=authorizer,
            )


def _route_key(path: str, method: str) -> str:
    if path == "/$default":
        return "$default"
    return f"{'ANY' if method == _ANY else method.upper()} {path}"


def _integration_of(
    document: Mapping[str, Any], operation: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return an operation's integration, its own or one of those that the document names."""
    described = operation.get(f"{_EXTENSION}integration")
    if not isinstance(described, dict):
        return None
    reference = str(described.get("$ref") or "")
    if not reference:
        return described
    named = _object(_object(document, "components"), f"{_EXTENSION}integrations")
    found = named.get(reference.rpartition("/")[2])
    return found if isinstance(found, dict) else None


def _integration(described: Mapping[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = {"IntegrationType": str(described.get("type", "aws_proxy")).upper()}
    params |= _members(described, _INTEGRATION)
    if params["IntegrationType"] == "HTTP":
        params["IntegrationType"] = "HTTP_PROXY"
    answers = _object(described, "responseParameters")
    if answers:
        params["ResponseParameters"] = answers
    if "TimeoutInMillis" in params:
        params["TimeoutInMillis"] = int(params["TimeoutInMillis"])
    if "PayloadFormatVersion" in params:
        params["PayloadFormatVersion"] = str(params["PayloadFormatVersion"])
    return params


def _guarded(
    security: list[Any], schemes: Mapping[str, Any], authorizers: Mapping[str, Document]
) -> tuple[dict[str, Any], str | None]:
    """Return what a route says of who may call it, and the name of its authorizer."""
    for requirement in security:
        for name, scopes in requirement.items() if isinstance(requirement, dict) else ():
            scheme = schemes.get(name)
            if isinstance(scheme, dict) and f"{_EXTENSION}authtype" in scheme:
                return {"AuthorizationType": "AWS_IAM"}, None
            if name in authorizers:
                jwt = authorizers[name]["AuthorizerType"] == "JWT"
                route: dict[str, Any] = {"AuthorizationType": "JWT" if jwt else "CUSTOM"}
                if jwt and scopes:
                    route["AuthorizationScopes"] = [str(each) for each in scopes]
                return route, name
    return {}, None


def _members(described: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {
        member: described[name] for name, member in names.items() if described.get(name) is not None
    }


def _object(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name) or {}
    if not isinstance(found, dict):
        raise BadRequestException(f"Unable to parse API definition: {name} is no object.")
    return found


def document_of(api: Api, stage: str | None, *, extensions: bool) -> dict[str, Any]:
    """Return the document of an API, as a stage serves it or as it is now."""
    parts = api.parts if stage is None else api.served(stage)
    info = {"title": api.document["Name"], "version": api.document.get("Version") or "1.0"}
    if api.document.get("Description"):
        info["description"] = api.document["Description"]
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(parts["route"].values(), key=lambda each: str(each["RouteKey"])):
        method, _, path = str(route["RouteKey"]).partition(" ")
        name = _ANY if method in ("ANY", "$default") else method.lower()
        paths.setdefault(path or "/$default", {})[name] = _operation(
            route, parts, extensions=extensions
        )
    document: dict[str, Any] = {"openapi": "3.0.1", "info": info, "paths": paths}
    schemes = {
        str(each["Name"]): _scheme(each, extensions=extensions)
        for each in parts["authorizer"].values()
    }
    signed = any(each.get("AuthorizationType") == "AWS_IAM" for each in parts["route"].values())
    if signed and extensions:
        own = {f"{_EXTENSION}authtype": "awsSigv4"}
        schemes[_SIGNED] = {"type": "apiKey", "name": "Authorization", "in": "header", **own}
    if schemes:
        document["components"] = {"securitySchemes": schemes}
    if extensions and (cors := api.document.get("CorsConfiguration")):
        document[f"{_EXTENSION}cors"] = {f"{n[0].lower()}{n[1:]}": v for n, v in cors.items()}
    if extensions:
        document[f"{_EXTENSION}importexport-version"] = "1.0"
    return document


def _operation(
    route: Document, parts: Mapping[str, Mapping[str, Document]], *, extensions: bool
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "responses": {"default": {"description": f"Default response for {route['RouteKey']}"}}
    }
    if route.get("OperationName"):
        operation["operationId"] = route["OperationName"]
    path = str(route["RouteKey"]).partition(" ")[2]
    variables = [s[1:-1].removesuffix("+") for s in path.split("/") if s.startswith("{")]
    if variables:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in variables
        ]
    authorizer = parts["authorizer"].get(str(route.get("AuthorizerId")))
    if authorizer is not None:
        scopes = list(route.get("AuthorizationScopes") or [])
        operation["security"] = [{str(authorizer["Name"]): scopes}]
    elif route.get("AuthorizationType") == "AWS_IAM" and extensions:
        operation["security"] = [{_SIGNED: []}]
    identifier = str(route.get("Target") or "").removeprefix("integrations/")
    integration = parts["integration"].get(identifier)
    if extensions and integration is not None:
        described = {n: integration[m] for n, m in _INTEGRATION.items() if m in integration}
        described["type"] = str(integration["IntegrationType"]).lower()
        if integration.get("ResponseParameters"):
            described["responseParameters"] = integration["ResponseParameters"]
        operation[f"{_EXTENSION}integration"] = described
    return operation


def _scheme(authorizer: Document, *, extensions: bool) -> dict[str, Any]:
    jwt = authorizer["AuthorizerType"] == "JWT"
    scheme: dict[str, Any] = (
        {"type": "oauth2", "flows": {}}
        if jwt
        else {"type": "apiKey", "name": "Authorization", "in": "header"}
    )
    if extensions:
        described = {n: authorizer[m] for n, m in _AUTHORIZER.items() if m in authorizer}
        described["type"] = str(authorizer["AuthorizerType"]).lower()
        described["identitySource"] = ",".join(authorizer.get("IdentitySource") or [])
        if jwt:
            given = authorizer["JwtConfiguration"]
            described["jwtConfiguration"] = {
                "audience": given["Audience"],
                "issuer": given["Issuer"],
            }
        scheme[f"{_EXTENSION}authorizer"] = described
    return scheme
