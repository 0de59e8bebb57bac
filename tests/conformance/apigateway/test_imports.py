"""Whole REST APIs in and out, as OpenAPI documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.root, pytest.mark.slow]

Refused = Callable[..., str]

FUNCTION = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:000000000000:function:f/invocations"
)
SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "rest-imported", "version": "1.0", "description": "pets"},
    "basePath": "/v1/shop",
    "x-amazon-apigateway-binary-media-types": ["image/png"],
    "x-amazon-apigateway-request-validators": {
        "all": {"validateRequestBody": True, "validateRequestParameters": True}
    },
    "x-amazon-apigateway-request-validator": "all",
    "x-amazon-apigateway-gateway-responses": {
        "DEFAULT_4XX": {"responseParameters": {"gatewayresponse.header.X": "'1'"}}
    },
    "securityDefinitions": {
        "mine": {
            "type": "apiKey",
            "name": "X-Token",
            "in": "header",
            "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": {
                "type": "token",
                "authorizerUri": FUNCTION,
                "authorizerResultTtlInSeconds": 60,
            },
        },
        "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
    },
    "definitions": {
        "Pet": {"type": "object", "properties": {"kind": {"$ref": "#/definitions/Kind"}}},
        "Kind": {"type": "string", "enum": ["cat"]},
    },
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "type": "string"}],
            "post": {
                "operationId": "put",
                "parameters": [
                    {"name": "dry", "in": "query", "type": "string"},
                    {"name": "Pet", "in": "body", "schema": {"$ref": "#/definitions/Pet"}},
                ],
                "security": [{"mine": []}, {"api_key": []}],
                "responses": {
                    "200": {
                        "description": "200",
                        "schema": {"$ref": "#/definitions/Pet"},
                        "headers": {"X-A": {"type": "string"}},
                    }
                },
                "x-amazon-apigateway-integration": {
                    "type": "aws",
                    "httpMethod": "POST",
                    "uri": FUNCTION,
                    "passthroughBehavior": "when_no_match",
                    "responses": {
                        "default": {
                            "statusCode": "200",
                            "responseParameters": {"method.response.header.X-A": "'a'"},
                        }
                    },
                },
            },
        },
        "/{proxy+}": {
            "x-amazon-apigateway-any-method": {
                "responses": {},
                "x-amazon-apigateway-integration": {
                    "type": "aws_proxy",
                    "httpMethod": "POST",
                    "uri": FUNCTION,
                },
            }
        },
    },
}


@pytest.fixture
def imported(gateway: Any) -> Iterator[dict[str, Any]]:
    body = json.dumps(SWAGGER).encode()
    options = {"endpointConfigurationTypes": "REGIONAL", "basepath": "prepend"}
    made = gateway.import_rest_api(body=body, parameters=options)
    yield made
    gateway.delete_rest_api(restApiId=made["id"])


def methods(gateway: Any, api_id: str) -> dict[str, dict[str, Any]]:
    items = gateway.get_resources(restApiId=api_id, embed=["methods"])["items"]
    return {each["path"]: each.get("resourceMethods", {}) for each in items}


def test_a_swagger_document_becomes_an_api(gateway: Any, imported: dict[str, Any]) -> None:
    assert imported["name"] == "rest-imported"
    assert imported["version"] == "1.0"
    assert imported["binaryMediaTypes"] == ["image/png"]
    assert imported["endpointConfiguration"]["types"] == ["REGIONAL"]
    own = {"restApiId": imported["id"]}
    found = methods(gateway, imported["id"])
    assert set(found) == {
        "/",
        "/v1",
        "/v1/shop",
        "/v1/shop/pets",
        "/v1/shop/pets/{id}",
        "/v1/shop/{proxy+}",
    }
    post = found["/v1/shop/pets/{id}"]["POST"]
    authorizer = gateway.get_authorizers(**own)["items"][0]
    assert authorizer["identitySource"] == "method.request.header.X-Token"
    assert authorizer["authorizerResultTtlInSeconds"] == 60
    assert (post["authorizationType"], post["authorizerId"]) == ("CUSTOM", authorizer["id"])
    assert post["apiKeyRequired"] is True
    assert post["operationName"] == "put"
    assert post["requestParameters"] == {
        "method.request.path.id": True,
        "method.request.querystring.dry": False,
    }
    assert post["requestModels"] == {"application/json": "Pet"}
    assert post["requestValidatorId"] == gateway.get_request_validators(**own)["items"][0]["id"]
    response = post["methodResponses"]["200"]
    assert response["responseModels"] == {"application/json": "Pet"}
    assert response["responseParameters"] == {"method.response.header.X-A": False}
    integration = post["methodIntegration"]
    assert (integration["type"], integration["passthroughBehavior"]) == ("AWS", "WHEN_NO_MATCH")
    assert integration["integrationResponses"] == {
        "200": {
            "statusCode": "200",
            "responseParameters": {"method.response.header.X-A": "'a'"},
        }
    }
    assert found["/v1/shop/{proxy+}"]["ANY"]["methodIntegration"]["type"] == "AWS_PROXY"
    schema = json.loads(gateway.get_model(**own, modelName="Pet")["schema"])
    assert schema["properties"]["kind"]["$ref"].endswith(f"/{imported['id']}/models/Kind")
    flat = json.loads(gateway.get_model(**own, modelName="Pet", flatten=True)["schema"])
    assert flat["properties"]["kind"] == {"type": "string", "enum": ["cat"]}
    response = gateway.get_gateway_response(**own, responseType="DEFAULT_4XX")
    assert response["responseParameters"] == {"gatewayresponse.header.X": "'1'"}


def test_an_api_is_overwritten_or_added_to(
    gateway: Any, imported: dict[str, Any], refused: Refused
) -> None:
    own = {"restApiId": imported["id"]}
    before = {each["path"]: each["id"] for each in gateway.get_resources(**own, limit=100)["items"]}
    document = {
        "openapi": "3.0.1",
        "info": {"title": "rest-newer"},
        "paths": {
            "/v1/shop": {
                "get": {
                    "responses": {"200": {"description": "ok"}},
                    "x-amazon-apigateway-integration": {"type": "mock"},
                }
            }
        },
    }
    body = yaml.safe_dump(document).encode()
    merged = gateway.put_rest_api(**own, mode="merge", body=body)
    assert merged["name"] == "rest-newer"
    assert "POST" in methods(gateway, imported["id"])["/v1/shop/pets/{id}"]
    overwritten = gateway.put_rest_api(**own, mode="overwrite", body=body)
    assert overwritten["endpointConfiguration"]["types"] == ["REGIONAL"]
    assert "binaryMediaTypes" not in overwritten
    after = {each["path"]: each["id"] for each in gateway.get_resources(**own)["items"]}
    assert after == {path: before[path] for path in ("/", "/v1", "/v1/shop")}
    assert gateway.get_authorizers(**own)["items"] == []
    wrong = {
        **document,
        "paths": {
            "/a": {"get": {"x-amazon-apigateway-integration": {"type": "aws", "uri": "nowhere"}}}
        },
    }
    assert refused(gateway.put_rest_api, **own, body=json.dumps(wrong).encode()) == (
        "BadRequestException: Errors found during import:\n\tUnable to put integration on 'GET' "
        "for resource at path '/a': Enumeration value for HttpMethod must be non-empty"
    )
    assert refused(gateway.put_rest_api, **own, body=b"{}").startswith(
        "BadRequestException: Invalid OpenAPI input."
    )


@pytest.mark.parametrize(("kind", "accepts"), [("oas30", "json"), ("swagger", "yaml")])
def test_what_is_exported_can_be_imported_again(
    gateway: Any, imported: dict[str, Any], kind: str, accepts: str
) -> None:
    gateway.create_deployment(restApiId=imported["id"], stageName="dev")
    answer = gateway.get_export(
        restApiId=imported["id"],
        stageName="dev",
        exportType=kind,
        parameters={"extensions": "apigateway"},
        accepts=f"application/{accepts}",
    )
    assert answer["contentType"] == f"application/{accepts}"
    body = answer["body"].read()
    again = gateway.import_rest_api(body=body)["id"]
    try:
        first, second = methods(gateway, imported["id"]), methods(gateway, again)
        assert _comparable(first) == _comparable(second)
    finally:
        gateway.delete_rest_api(restApiId=again)


def _comparable(found: dict[str, dict[str, Any]]) -> Any:
    """What methods say, but for identifiers."""
    names = ("authorizerId", "requestValidatorId")
    copies = json.loads(json.dumps({path: each for path, each in found.items() if each}))
    for verbs in copies.values():
        for method in verbs.values():
            del method["methodIntegration"]["cacheNamespace"]
            for name in names:
                if name in method:
                    method[name] = "named"
    return copies
