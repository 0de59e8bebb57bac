"""A deployed API as an OpenAPI 3 or Swagger 2 document. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml as yaml_text

from lambdad.neighbours.apigateway.openapi_methods import EXTENSION
from lambdad.triggers.rest_api.model import Document, Snapshot

_PLACES = {"querystring": "query", "header": "header", "path": "path"}
_MODELS = "/models/"


def exported(
    snapshot: Snapshot,
    *,
    kind: str,
    stage: str,
    host: str,
    extensions: frozenset[str],
    yaml: bool,
) -> bytes:
    """Return a document; `extensions` are integrations, authorizers, apigateway."""
    document = _Exporter(snapshot, kind == "oas30", extensions).document(stage, host)
    if yaml:
        return str(yaml_text.safe_dump(document, sort_keys=False)).encode()
    return json.dumps(document, indent=2).encode()


class _Exporter:
    """Writes one deployment."""

    def __init__(self, snapshot: Snapshot, newer: bool, extensions: frozenset[str]) -> None:
        self._snapshot = snapshot
        self._newer = newer
        self._integrations = bool(extensions & {"integrations", "apigateway"})
        self._authorizers = bool(extensions & {"authorizers", "apigateway"})
        self._all = "apigateway" in extensions
        self._schemas = "#/components/schemas/" if newer else "#/definitions/"

    def document(self, stage: str, host: str) -> dict[str, Any]:
        """Return the whole of it."""
        api = self._snapshot.document
        moment = datetime.fromtimestamp(self._snapshot.created_at, UTC)
        version = api.get("version") or moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        info = {"title": api["name"], "version": version}
        if api.get("description"):
            info["description"] = api["description"]
        schemas = {name: self._schema(each) for name, each in self._snapshot.models.items()}
        schemes = self._schemes()
        paths = {
            resource["path"]: self._path(resource)
            for resource in sorted(self._snapshot.resources.values(), key=lambda each: each["path"])
            if resource.get("resourceMethods")
        }
        if self._newer:
            server = {
                "url": f"https://{host}/{{basePath}}",
                "variables": {"basePath": {"default": stage}},
            }
            return {
                "openapi": "3.0.1",
                "info": info,
                "servers": [server],
                "paths": paths,
                "components": {
                    **({"schemas": schemas} if schemas else {}),
                    **({"securitySchemes": schemes} if schemes else {}),
                },
                **self._own(),
            }
        return {
            "swagger": "2.0",
            "info": info,
            "host": host,
            "basePath": f"/{stage}",
            "schemes": ["https"],
            "paths": paths,
            **({"securityDefinitions": schemes} if schemes else {}),
            **({"definitions": schemas} if schemas else {}),
            **self._own(),
        }

    def _own(self) -> dict[str, Any]:
        """Return the extensions of the API itself."""
        if not self._all:
            return {}
        api, snapshot = self._snapshot.document, self._snapshot
        members = ("responseParameters", "responseTemplates", "statusCode")
        found: dict[str, Any] = {
            "binary-media-types": api.get("binaryMediaTypes"),
            "minimum-compression-size": api.get("minimumCompressionSize"),
            "policy": json.loads(api["policy"]) if api.get("policy") else None,
            "api-key-source": None if api.get("apiKeySource") == "HEADER" else "AUTHORIZER",
            "request-validators": {
                each["name"]: {
                    "validateRequestParameters": each["validateRequestParameters"],
                    "validateRequestBody": each["validateRequestBody"],
                }
                for each in snapshot.validators.values()
            },
            "gateway-responses": {
                kind: {name: each[name] for name in members if each.get(name)}
                for kind, each in snapshot.gateway_responses.items()
            },
        }
        return {
            f"{EXTENSION}{name}": each for name, each in found.items() if each not in (None, {})
        }

    # --- Parts ------------------------------------------------------------------------------

    def _schema(self, model: Document) -> Any:
        return self._local(json.loads(model["schema"]))

    def _local(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return [self._local(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        found = {name: self._local(each) for name, each in schema.items() if name != "$schema"}
        ref = found.get("$ref")
        if isinstance(ref, str) and _MODELS in ref:
            found["$ref"] = self._schemas + ref.rpartition(_MODELS)[2]
        return found

    def _schemes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        methods = [
            method
            for resource in self._snapshot.resources.values()
            for method in (resource.get("resourceMethods") or {}).values()
        ]
        if any(method["apiKeyRequired"] for method in methods):
            found["api_key"] = {"type": "apiKey", "name": "x-api-key", "in": "header"}
        if any(method["authorizationType"] == "AWS_IAM" for method in methods):
            found["sigv4"] = {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                f"{EXTENSION}authtype": "awsSigv4",
            }
        for authorizer in self._snapshot.authorizers.values():
            found[authorizer["name"]] = self._scheme(authorizer)
        return found

    def _scheme(self, authorizer: Document) -> dict[str, Any]:
        source = str(authorizer.get("identitySource", ""))
        header = source.rpartition(".")[2] if source.startswith("method.request.header") else ""
        scheme: dict[str, Any] = {
            "type": "apiKey",
            "name": header or "Unused",
            "in": "header",
            f"{EXTENSION}authtype": authorizer.get("authType", "custom"),
        }
        if self._authorizers:
            named = ("id", "name", "authType", "type")
            members = {name: each for name, each in authorizer.items() if name not in named}
            scheme[f"{EXTENSION}authorizer"] = {
                "type": str(authorizer["type"]).lower(),
                **members,
            }
        return scheme

    def _path(self, resource: Document) -> dict[str, Any]:
        return {
            f"{EXTENSION}any-method" if verb == "ANY" else verb.lower(): self._operation(method)
            for verb, method in resource["resourceMethods"].items()
        }

    def _operation(self, method: Document) -> dict[str, Any]:
        parameters = [
            self._parameter(name, required)
            for name, required in (method.get("requestParameters") or {}).items()
        ]
        models = method.get("requestModels") or {}
        found: dict[str, Any] = {"operationId": method.get("operationName")}
        if models and self._newer:
            found["requestBody"] = {"content": self._content(models), "required": True}
        elif models:
            found["consumes"] = list(models)
            schema = {"$ref": self._schemas + next(iter(models.values()))}
            body = {"in": "body", "name": next(iter(models.values())), "required": True}
            parameters.append({**body, "schema": schema})
        found["parameters"] = parameters
        found["responses"] = {
            status: self._response(response)
            for status, response in (method.get("methodResponses") or {}).items()
        }
        found["security"] = self._security(method)
        validator = self._snapshot.validators.get(str(method.get("requestValidatorId")))
        if validator is not None and self._all:
            found[f"{EXTENSION}request-validator"] = validator["name"]
        if self._integrations and "methodIntegration" in method:
            found[f"{EXTENSION}integration"] = _integration(method["methodIntegration"])
        kept = {name: each for name, each in found.items() if each not in (None, [])}
        return {"responses": {}, **kept}

    def _content(self, models: Mapping[str, str]) -> dict[str, Any]:
        return {kind: {"schema": {"$ref": self._schemas + name}} for kind, name in models.items()}

    def _parameter(self, name: str, required: bool) -> dict[str, Any]:
        _, _, place, own = name.split(".", 3)
        typed = {"schema": {"type": "string"}} if self._newer else {"type": "string"}
        return {"name": own, "in": _PLACES[place], "required": required, **typed}

    def _response(self, response: Document) -> dict[str, Any]:
        typed = {"schema": {"type": "string"}} if self._newer else {"type": "string"}
        found: dict[str, Any] = {"description": f"{response['statusCode']} response"}
        headers = [name.rpartition(".")[2] for name in response.get("responseParameters") or {}]
        if headers:
            found["headers"] = dict.fromkeys(headers, typed)
        models = response.get("responseModels") or {}
        if models and self._newer:
            found["content"] = self._content(models)
        elif models:
            found["schema"] = {"$ref": self._schemas + next(iter(models.values()))}
        return found

    def _security(self, method: Document) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if method["authorizationType"] == "AWS_IAM":
            found.append({"sigv4": []})
        authorizer = self._snapshot.authorizers.get(str(method.get("authorizerId")))
        if authorizer is not None:
            found.append({authorizer["name"]: list(method.get("authorizationScopes") or ())})
        if method["apiKeyRequired"]:
            found.append({"api_key": []})
        return found


def _integration(integration: Document) -> dict[str, Any]:
    apart = ("type", "integrationResponses", "cacheKeyParameters", "cacheNamespace")
    found: dict[str, Any] = {"type": str(integration["type"]).lower()}
    found.update({name: each for name, each in integration.items() if name not in apart})
    found["passthroughBehavior"] = str(integration["passthroughBehavior"]).lower()
    responses = {
        response.get("selectionPattern") or "default": {
            name: each for name, each in response.items() if name != "selectionPattern"
        }
        for response in (integration.get("integrationResponses") or {}).values()
    }
    return {**found, "responses": responses} if responses else found
