"""What parts of an API may say: refused when they are made, not when they are called. Pure.

HTTP and WebSocket APIs have the same parts with different rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.apigatewayv2.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
)
from lambdad.triggers.http_api.model import Api
from lambdad.triggers.http_api.parameter_mapping import REQUEST_KEY, RESPONSE_KEY, is_reserved
from lambdad.triggers.http_api.services import SUBTYPES

Document = Mapping[str, Any]

_METHODS = "ANY|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS"
_ROUTE_KEY = re.compile(rf"\$default|(?:{_METHODS}) /\S*")
_STATUS = re.compile(r"[2-5]\d\d")
_WEB = re.compile(r"https?://\S+")
_IDENTITY = {
    "HTTP": re.compile(r"\$(?:request\.(?:header|querystring)|context|stageVariables)\.\S+"),
    "WEBSOCKET": re.compile(
        r"(?:route\.request\.(?:header|querystring)|context|stageVariables)\.\S+"
    ),
}
_AUTHORIZATION = {
    "HTTP": ("NONE", "JWT", "AWS_IAM", "CUSTOM"),
    "WEBSOCKET": ("NONE", "AWS_IAM", "CUSTOM"),
}
_INTEGRATIONS = {
    "HTTP": ("AWS_PROXY", "HTTP_PROXY"),
    "WEBSOCKET": ("AWS_PROXY", "HTTP_PROXY", "MOCK"),
}
_TIMEOUT_MS = {"HTTP": (50, 30_000), "WEBSOCKET": (50, 29_000)}
_SERVED_NOT = "is not served here"


def check_route(api: Api, route: Document) -> None:
    """A route: its key, whom it lets in, where it leads."""
    key = route["RouteKey"]
    if api.protocol == "HTTP" and _ROUTE_KEY.fullmatch(key) is None:
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
    _check_authorization(api, route)


def _check_authorization(api: Api, route: Document) -> None:
    kind = route.get("AuthorizationType", "NONE")
    if kind not in _AUTHORIZATION[api.protocol]:
        raise BadRequestException(
            f"Invalid authorization type specified: {kind} for protocol {api.protocol}"
        )
    if api.protocol == "WEBSOCKET" and kind != "NONE" and route["RouteKey"] != "$connect":
        raise BadRequestException(
            "Currently, authorization is restricted to the $connect route only"
        )
    if route.get("AuthorizationScopes") and kind != "JWT":
        raise BadRequestException("Authorization scopes can only be set for JWT authorization type")
    if kind in ("NONE", "AWS_IAM"):
        return
    authorizer_id = route.get("AuthorizerId")
    if not authorizer_id:
        raise BadRequestException(f"AuthorizerId is required for authorization type {kind}")
    authorizer = api.parts["authorizer"].get(authorizer_id)
    if authorizer is None:
        raise NotFoundException(f"Invalid Authorizer identifier specified {authorizer_id}")
    if (authorizer["AuthorizerType"] == "JWT") != (kind == "JWT"):
        raise BadRequestException(
            f"Authorizer {authorizer_id} does not fit the authorization type {kind}"
        )


def check_integration(api: Api, integration: Document) -> None:
    """An integration: what it calls, in which format, with which changes."""
    kind, uri = integration["IntegrationType"], str(integration.get("IntegrationUri") or "")
    if kind not in _INTEGRATIONS[api.protocol]:
        raise BadRequestException(
            f"Integration type {kind} {_SERVED_NOT} for {api.protocol} APIs; served are "
            f"{', '.join(_INTEGRATIONS[api.protocol])}."
        )
    if integration.get("ConnectionType", "INTERNET") != "INTERNET":
        raise BadRequestException(f"ConnectionType VPC_LINK {_SERVED_NOT}.")
    if integration.get("IntegrationSubtype"):
        _check_subtype(integration)
    elif kind == "HTTP_PROXY" and _WEB.fullmatch(uri) is None:
        raise BadRequestException(f"Invalid HTTP endpoint specified for URI: {uri}")
    elif kind == "AWS_PROXY" and not uri:
        raise BadRequestException("IntegrationUri is required for integrations of type AWS_PROXY")
    if (method := integration.get("IntegrationMethod")) and method not in _METHODS.split("|"):
        raise BadRequestException(f"Invalid HTTP method specified: {method}")
    _check_format(api, integration)
    low, high = _TIMEOUT_MS[api.protocol]
    if not low <= int(integration.get("TimeoutInMillis", high)) <= high:
        raise BadRequestException(
            f"Timeout should be between {low} ms and {high} ms for {_article(api.protocol)} API"
        )
    if api.protocol == "HTTP":
        _check_mappings(integration)


def _article(protocol: str) -> str:
    return "an HTTP" if protocol == "HTTP" else "a WebSocket"


def _check_subtype(integration: Document) -> None:
    subtype = integration["IntegrationSubtype"]
    known = SUBTYPES.get(subtype)
    if known is None:
        raise BadRequestException(
            f"Integration subtype {subtype} {_SERVED_NOT}; served are {', '.join(SUBTYPES)}."
        )
    if not integration.get("CredentialsArn"):
        raise BadRequestException("CredentialsArn is required for integrations with a subtype")
    given = set(integration.get("RequestParameters") or {})
    if missing := known.required - given:
        raise BadRequestException(
            f"Parameters: ({', '.join(sorted(missing))}) are required for {subtype}"
        )
    if unknown := given - known.required - known.optional:
        raise BadRequestException(
            f"Parameters: ({', '.join(sorted(unknown))}) are not valid for {subtype}"
        )


def _check_format(api: Api, integration: Document) -> None:
    version = integration.get("PayloadFormatVersion", "1.0")
    function = integration["IntegrationType"] == "AWS_PROXY" and not integration.get(
        "IntegrationSubtype"
    )
    allowed = ("1.0", "2.0") if function and api.protocol == "HTTP" else ("1.0",)
    if version not in allowed:
        raise BadRequestException(
            f"PayloadFormatVersion {version} is not supported for this integration; "
            f"it can be {' or '.join(allowed)}."
        )


def _check_mappings(integration: Document) -> None:
    changes = integration.get("RequestParameters") or {}
    if not integration.get("IntegrationSubtype"):
        for key in changes:
            if REQUEST_KEY.fullmatch(key) is None or is_reserved(key):
                raise BadRequestException(f"Invalid mapping expression specified: {key}")
    for status, mapped in (integration.get("ResponseParameters") or {}).items():
        if _STATUS.fullmatch(status) is None:
            raise BadRequestException(f"Invalid response status code specified: {status}")
        for key in mapped:
            if RESPONSE_KEY.fullmatch(key) is None or is_reserved(key):
                raise BadRequestException(f"Invalid mapping expression specified: {key}")


def check_stage(api: Api, stage: Document) -> None:
    """A stage: its deployment, and limits that are numbers of requests."""
    deployment = stage.get("DeploymentId")
    if deployment and deployment not in api.parts["deployment"]:
        raise NotFoundException(f"Invalid Deployment identifier specified {deployment}")
    if api.protocol == "WEBSOCKET" and stage["StageName"] == "$default":
        raise BadRequestException("Stage name $default is not supported for WebSocket APIs")


def check_authorizer(api: Api, authorizer: Document) -> None:
    """An authorizer: what it asks, and what of a request it looks at."""
    kind = authorizer["AuthorizerType"]
    sources = authorizer.get("IdentitySource") or []
    for source in sources:
        if _IDENTITY[api.protocol].fullmatch(source) is None:
            raise BadRequestException(f"Invalid identity source expression specified: {source}")
    if kind == "JWT" and api.protocol == "HTTP":
        _check_jwt(authorizer, sources)
    elif kind == "REQUEST":
        _check_request_authorizer(api, authorizer)
    else:
        raise BadRequestException(f"Authorizer type {kind} is not valid for {api.protocol} APIs")


def _check_jwt(authorizer: Document, sources: list[str]) -> None:
    configuration = authorizer.get("JwtConfiguration") or {}
    if not configuration.get("Audience"):
        raise BadRequestException("Audience list must have at least 1 item for JWT Authorizer")
    issuer = str(configuration.get("Issuer") or "")
    if _WEB.fullmatch(issuer) is None:
        raise BadRequestException("Issuer is required for JWT Authorizer, as a web address")
    if len(sources) != 1:
        raise BadRequestException("JWT Authorizer needs exactly one identity source")


def _check_request_authorizer(api: Api, authorizer: Document) -> None:
    if not authorizer.get("AuthorizerUri"):
        raise BadRequestException("AuthorizerUri is required for REQUEST authorizers")
    version = authorizer.get("AuthorizerPayloadFormatVersion")
    if api.protocol == "WEBSOCKET":
        if version is not None:
            raise BadRequestException(
                "AuthorizerPayloadFormatVersion is not supported for WebSocket APIs"
            )
        return
    if version not in ("1.0", "2.0"):
        raise BadRequestException(
            "AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer"
        )
    if authorizer.get("EnableSimpleResponses") and version != "2.0":
        raise BadRequestException("Simple responses need AuthorizerPayloadFormatVersion 2.0")
    if authorizer.get("AuthorizerResultTtlInSeconds") and not authorizer.get("IdentitySource"):
        raise BadRequestException("Caching needs at least one identity source")


def check_model(api: Api, model: Document) -> None:
    """A model: a name of its own, and a schema that can be read."""
    for other in api.parts["model"].values():
        if other["Name"] == model["Name"] and other["ModelId"] != model["ModelId"]:
            raise ConflictException(f"Model name already exists for this API {model['Name']}")
    try:
        json.loads(model["Schema"])
    except (ValueError, RecursionError) as error:
        raise BadRequestException("Model schema is not valid JSON") from error
