"""An OpenAPI 3 or Swagger 2 document with API Gateway's extensions, read as an API. Pure.

Decides what of an API a document describes; what identifiers it gets, and what becomes of an API
that is there already, is decided in `building`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.neighbours.apigateway.authorizers import DEFAULT_SOURCE
from lambdad.neighbours.apigateway.errors import BadRequestException
from lambdad.neighbours.apigateway.openapi_methods import EXTENSION, MethodReader, resolved
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.template_text import read_template

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
_ANY_METHOD = f"{EXTENSION}any-method"
_POOLS = "COGNITO_USER_POOLS"
_AUTHORIZER_MEMBERS = (
    "authorizerCredentials",
    "authorizerResultTtlInSeconds",
    "authorizerUri",
    "identitySource",
    "identityValidationExpression",
    "providerARNs",
)


@dataclass(slots=True, kw_only=True)
class Described:
    """An API as a document has it; what it names has no identifier yet.

    Attributes:
        members: of the API.
        models: by name; schemas are objects that refer to one another by `#/...`.
        validators, authorizers: by name.
        gateway_responses: by response type.
        methods: by path and verb, naming their authorizer and validator in place of identifiers.
        warnings: about what is left out.
    """

    members: dict[str, Any]
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    validators: dict[str, dict[str, Any]] = field(default_factory=dict)
    authorizers: dict[str, dict[str, Any]] = field(default_factory=dict)
    gateway_responses: dict[str, dict[str, Any]] = field(default_factory=dict)
    methods: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def parsed(body: bytes) -> dict[str, Any]:
    """Return a document from its JSON or YAML.

    Raises:
        BadRequestException: it is neither, or no OpenAPI.
    """
    try:
        document = read_template(body.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValidationError) as error:
        raise BadRequestException(
            f"Invalid OpenAPI input. Failed to parse the uploaded document: {error}"
        ) from error
    version = str(document.get("swagger") or document.get("openapi") or "")
    if not version.startswith(("2.0", "3.0")):
        raise BadRequestException(
            "Invalid OpenAPI input. Only Swagger 2.0 and OpenAPI 3.0 documents can be imported."
        )
    if not isinstance(document.get("paths", {}), Mapping):
        raise BadRequestException("Invalid OpenAPI input. `paths` must be an object.")
    return document


def described(document: Mapping[str, Any], base_path: str = "ignore") -> Described:
    """Return the API of a document; `base_path` is `ignore`, `prepend` or `split`.

    Raises:
        BadRequestException: something that API Gateway cannot take.
    """
    try:
        return _described(document, base_path)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Whatever stands where something else was to be expected.
        raise BadRequestException(
            f"Invalid OpenAPI input. A part of the document has another form: {error}"
        ) from error


def _described(document: Mapping[str, Any], base_path: str) -> Described:
    found = Described(members=_members(document))
    components = document.get("components") or {}
    schemas = document.get("definitions") or components.get("schemas") or {}
    for name, schema in schemas.items():
        found.models[name] = {"name": name, "contentType": "application/json", "schema": schema}
    schemes = document.get("securityDefinitions") or components.get("securitySchemes") or {}
    for name, scheme in schemes.items():
        authorizer = _authorizer(name, scheme)
        if authorizer is not None:
            found.authorizers[name] = authorizer
    for name, validator in (document.get(f"{EXTENSION}request-validators") or {}).items():
        found.validators[name] = {
            "name": name,
            "validateRequestBody": bool(validator.get("validateRequestBody")),
            "validateRequestParameters": bool(validator.get("validateRequestParameters")),
        }
    for kind, response in (document.get(f"{EXTENSION}gateway-responses") or {}).items():
        found.gateway_responses[kind] = _gateway_response(kind, response or {})
    prefix = _prefix(document, base_path)
    reader = MethodReader(document, schemes, found.models, found.warnings)
    for path, verb, shared, operation in _operations(document):
        method = reader.read(f"{verb} {path}", operation, shared)
        found.methods.setdefault(_path(prefix, path), {})[verb] = {"httpMethod": verb, **method}
    for path in document.get("paths") or {}:
        found.methods.setdefault(_path(prefix, path), {})
    return found


def _path(prefix: str, path: str) -> str:
    return f"{prefix}/{path.strip('/')}".rstrip("/") or "/"


def _operations(
    document: Mapping[str, Any],
) -> Iterator[tuple[str, str, list[Any], Mapping[str, Any]]]:
    """Yield path, verb, the path's parameters and the operation."""
    for path, item in (document.get("paths") or {}).items():
        whole = resolved(document, item or {})
        for key, operation in whole.items():
            if key in _METHODS:
                yield path, key.upper(), whole.get("parameters") or [], operation or {}
            elif key == _ANY_METHOD:
                yield path, "ANY", whole.get("parameters") or [], operation or {}


def _members(document: Mapping[str, Any]) -> dict[str, Any]:
    info = document.get("info") or {}
    members: dict[str, Any] = {
        "name": None if info.get("title") is None else str(info["title"]),
        "description": str(info.get("description") or "") or None,
        "version": None if info.get("version") is None else str(info["version"]),
        "apiKeySource": document.get(f"{EXTENSION}api-key-source"),
        "binaryMediaTypes": [
            str(each) for each in document.get(f"{EXTENSION}binary-media-types") or ()
        ]
        or None,
    }
    size = document.get(f"{EXTENSION}minimum-compression-size")
    members["minimumCompressionSize"] = None if size is None else int(size)
    policy = document.get(f"{EXTENSION}policy")
    if policy is not None:
        members["policy"] = policy if isinstance(policy, str) else json.dumps(policy)
    endpoint = _endpoint(document)
    if "disableExecuteApiEndpoint" in endpoint:
        disabled = str(endpoint["disableExecuteApiEndpoint"]).lower() == "true"
        members["disableExecuteApiEndpoint"] = disabled
    if endpoint.get("types") or endpoint.get("vpcEndpointIds"):
        named = {name: endpoint[name] for name in ("types", "vpcEndpointIds") if endpoint.get(name)}
        members["endpointConfiguration"] = named
    return {name: value for name, value in members.items() if value is not None}


def _endpoint(document: Mapping[str, Any]) -> Mapping[str, Any]:
    name = f"{EXTENSION}endpoint-configuration"
    servers = [each for each in document.get("servers") or () if isinstance(each, Mapping)]
    places = (document, *servers)
    return next((each[name] for each in places if each.get(name)), {})


def _prefix(document: Mapping[str, Any], base_path: str) -> str:
    """Return what goes before every path of a document."""
    if base_path == "ignore":
        return ""
    whole = str(document.get("basePath") or "")
    servers = document.get("servers") or ()
    if not whole and servers:
        url = str(servers[0].get("url", ""))
        for name, variable in (servers[0].get("variables") or {}).items():
            url = url.replace("{" + name + "}", str(variable.get("default", "")))
        after = url.partition("://")[2] or url
        whole = "/" + after.partition("/")[2] if "://" in url else url
    parts = [part for part in whole.split("/") if part]
    if base_path == "split":
        parts = parts[1:]
    return "".join(f"/{part}" for part in parts)


def _authorizer(name: str, scheme: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the authorizer that a security scheme describes, if it does."""
    found = scheme.get(f"{EXTENSION}authorizer")
    if found is None:
        return None
    kind = str(found.get("type", "")).upper()
    authorizer = {
        "name": name,
        "type": kind,
        "authType": scheme.get(f"{EXTENSION}authtype") or "custom",
        **{member: found[member] for member in _AUTHORIZER_MEMBERS if member in found},
    }
    if kind != "REQUEST":
        header = scheme.get("name")
        authorizer.setdefault(
            "identitySource",
            f"method.request.header.{header}" if header else DEFAULT_SOURCE,
        )
    if kind == _POOLS:
        authorizer["authType"] = "cognito_user_pools"
    if "authorizerResultTtlInSeconds" in authorizer:
        authorizer["authorizerResultTtlInSeconds"] = int(authorizer["authorizerResultTtlInSeconds"])
    return authorizer


def _gateway_response(kind: str, response: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"responseType": kind}
    if response.get("statusCode") is not None:
        found["statusCode"] = str(response["statusCode"])
    for name in ("responseParameters", "responseTemplates"):
        if response.get(name) is not None:
            found[name] = {key: str(value) for key, value in response[name].items()}
    return found
