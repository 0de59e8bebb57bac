"""The operations of an OpenAPI document, read as methods with their integrations. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

EXTENSION = "x-amazon-apigateway-"
_PLACES = {"query": "querystring", "header": "header", "path": "path"}
_JSON = "application/json"
_REFS_MAX = 16
_STATUS = re.compile(r"[1-5]\d\d")
_INTEGRATION_TEXTS = (
    "cacheNamespace",
    "connectionId",
    "connectionType",
    "contentHandling",
    "credentials",
    "responseTransferMode",
    "uri",
)


def resolved(document: Mapping[str, Any], value: Any) -> Any:
    """Return what a local reference, `#/parameters/limit`, leads to, or the value itself."""
    for _ in range(_REFS_MAX):
        if not isinstance(value, Mapping) or not str(value.get("$ref", "")).startswith("#/"):
            return value
        place: Any = document
        for part in str(value["$ref"])[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            place = place.get(name) if isinstance(place, Mapping) else None
        value = place if place is not None else {}
    return {}


class MethodReader:
    """Reads the operations of one document. Mutable: it adds models and warnings."""

    def __init__(
        self,
        document: Mapping[str, Any],
        schemes: Mapping[str, Any],
        models: dict[str, dict[str, Any]],
        warnings: list[str],
    ) -> None:
        self._document = document
        self._schemes = schemes
        self._models = models
        self._warnings = warnings

    def read(self, place: str, operation: Mapping[str, Any], shared: list[Any]) -> dict[str, Any]:
        """Return a method; `place` is `GET /pets`, `shared` are the parameters of its path."""
        listed = [*shared, *(operation.get("parameters") or [])]
        parameters = [resolved(self._document, each) for each in listed]
        document = self._document
        method: dict[str, Any] = {
            "apiKeyRequired": False,
            "authorizationType": "NONE",
            **self._security(place, operation),
            "operationName": operation.get("operationId"),
            "requestValidatorId": operation.get(f"{EXTENSION}request-validator")
            or document.get(f"{EXTENSION}request-validator"),
            "requestParameters": {
                f"method.request.{_PLACES[each['in']]}.{each['name']}": bool(each.get("required"))
                for each in parameters
                if each.get("in") in _PLACES
            },
            "requestModels": self._request_models(place, operation, parameters),
            "methodResponses": self._responses(place, operation),
        }
        integration = operation.get(f"{EXTENSION}integration")
        if integration is not None:
            method["methodIntegration"] = _integration(resolved(document, integration))
        return {name: value for name, value in method.items() if value not in (None, {}, "")}

    # --- Security ---------------------------------------------------------------------------

    def _security(self, place: str, operation: Mapping[str, Any]) -> dict[str, Any]:
        own = operation.get("security")
        required = own if own is not None else self._document.get("security") or []
        found: dict[str, Any] = {}
        for requirement in required:
            for name, scopes in requirement.items():
                found.update(self._scheme(place, name, scopes or []))
        kind = (operation.get(f"{EXTENSION}auth") or {}).get("type")
        if kind in ("NONE", "AWS_IAM"):
            found["authorizationType"] = kind
        return found

    def _scheme(self, place: str, name: str, scopes: list[str]) -> dict[str, Any]:
        scheme = self._schemes.get(name)
        if scheme is None:
            if name != "NONE":
                self._warnings.append(f"Security scheme {name} of {place} is not defined")
            return {}
        authorizer = scheme.get(f"{EXTENSION}authorizer")
        if str(scheme.get(f"{EXTENSION}authtype")).lower() == "awssigv4":
            return {"authorizationType": "AWS_IAM"}
        if authorizer is not None:
            kind = str(authorizer.get("type", "")).upper()
            pools = kind == "COGNITO_USER_POOLS"
            found: dict[str, Any] = {
                "authorizationType": kind if pools else "CUSTOM",
                "authorizerId": name,
            }
            return {**found, "authorizationScopes": scopes} if scopes and pools else found
        if scheme.get("type") == "apiKey" and str(scheme.get("name")).lower() == "x-api-key":
            return {"apiKeyRequired": True}
        return {}

    # --- Models -----------------------------------------------------------------------------

    def _model(self, place: str, schema: Any) -> str | None:
        """Return the name of a schema's model; one that has no name gets one."""
        if not schema:
            return None
        ref = str(schema.get("$ref", "")) if isinstance(schema, Mapping) else ""
        name = ref.rpartition("/")[2]
        if name:
            return name if name in self._models else None
        words = "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", place))
        name = f"{words}Model"
        self._models[name] = {"name": name, "contentType": _JSON, "schema": schema}
        return name

    def _request_models(
        self, place: str, operation: Mapping[str, Any], parameters: list[Any]
    ) -> dict[str, str]:
        schemas: dict[str, Any] = {}
        body = next((each for each in parameters if each.get("in") == "body"), None)
        if body is not None:
            types = operation.get("consumes") or self._document.get("consumes") or [_JSON]
            schemas = dict.fromkeys(types, body.get("schema"))
        request = resolved(self._document, operation.get("requestBody") or {})
        for content_type, media in (request.get("content") or {}).items():
            schemas[content_type] = (media or {}).get("schema")
        found = {kind: self._model(f"{place} body", each) for kind, each in schemas.items()}
        return {kind: name for kind, name in found.items() if name}

    def _responses(self, place: str, operation: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for status, described in (operation.get("responses") or {}).items():
            if _STATUS.fullmatch(str(status)) is None:
                self._warnings.append(f"Response {status} of {place} is not a status and left out")
                continue
            response = resolved(self._document, described or {})
            entry: dict[str, Any] = {"statusCode": str(status)}
            headers = response.get("headers") or {}
            if headers:
                names = [f"method.response.header.{name}" for name in headers]
                entry["responseParameters"] = dict.fromkeys(names, False)
            models = self._response_models(f"{place} {status}", operation, response)
            if models:
                entry["responseModels"] = models
            found[str(status)] = entry
        return found

    def _response_models(
        self, place: str, operation: Mapping[str, Any], response: Mapping[str, Any]
    ) -> dict[str, str]:
        schemas: dict[str, Any] = {}
        if response.get("schema"):
            types = operation.get("produces") or self._document.get("produces") or [_JSON]
            schemas = dict.fromkeys(types, response["schema"])
        for content_type, media in (response.get("content") or {}).items():
            schemas[content_type] = (media or {}).get("schema")
        found = {kind: self._model(place, each) for kind, each in schemas.items()}
        return {kind: name for kind, name in found.items() if name}


# --- Integrations ---------------------------------------------------------------------------


def _integration(described: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": str(described.get("type", "")).upper(),
        **{name: described[name] for name in _INTEGRATION_TEXTS if described.get(name)},
    }
    if found["type"] != "MOCK" and described.get("httpMethod"):
        found["httpMethod"] = str(described["httpMethod"]).upper()
    if described.get("passthroughBehavior"):
        found["passthroughBehavior"] = str(described["passthroughBehavior"]).upper()
    if described.get("timeoutInMillis") is not None:
        found["timeoutInMillis"] = int(described["timeoutInMillis"])
    for name in ("requestParameters", "requestTemplates"):
        if described.get(name):
            found[name] = {key: _text(value) for key, value in described[name].items()}
    if described.get("cacheKeyParameters"):
        found["cacheKeyParameters"] = list(described["cacheKeyParameters"])
    if described.get("tlsConfig"):
        found["tlsConfig"] = dict(described["tlsConfig"])
    responses = _integration_responses(described.get("responses") or {})
    if responses:
        found["integrationResponses"] = responses
    return found


def _integration_responses(described: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pattern, response in described.items():
        status = str(response.get("statusCode", "200"))
        entry: dict[str, Any] = {"statusCode": status}
        if pattern != "default":
            entry["selectionPattern"] = str(pattern)
        for name in ("responseParameters", "responseTemplates"):
            if response.get(name):
                entry[name] = {key: _text(value) for key, value in response[name].items()}
        if response.get("contentHandling"):
            entry["contentHandling"] = str(response["contentHandling"]).upper()
        found[status] = entry
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
