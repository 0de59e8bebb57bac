"""OpenAPI documents read as REST APIs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambdad.neighbours.apigateway.building import built
from lambdad.neighbours.apigateway.errors import BadRequestException
from lambdad.neighbours.apigateway.openapi import described, parsed
from lambdad.triggers.rest_api.model import RestApi

URI = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    "arn:aws:lambda:us-east-1:000000000000:function:f/invocations"
)
PROXY = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": URI}}


def document(**members: Any) -> dict[str, Any]:
    return {"openapi": "3.0.1", "info": {"title": "a"}, "paths": {}, **members}


def operation(found: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Read the only operation of a document."""
    whole = document(paths={"/a": {"get": {**PROXY, **found}}}, **more)
    (method,) = described(whole).methods["/a"].values()
    return method


def test_extensions_of_the_document_become_members_of_the_api() -> None:
    found = described(
        document(
            **{
                "x-amazon-apigateway-api-key-source": "AUTHORIZER",
                "x-amazon-apigateway-minimum-compression-size": 5,
                "x-amazon-apigateway-policy": {"Version": "2012-10-17"},
                "x-amazon-apigateway-endpoint-configuration": {
                    "disableExecuteApiEndpoint": True,
                    "vpcEndpointIds": ["vpce-1"],
                },
            }
        )
    )
    assert found.members == {
        "name": "a",
        "apiKeySource": "AUTHORIZER",
        "minimumCompressionSize": 5,
        "policy": '{"Version": "2012-10-17"}',
        "disableExecuteApiEndpoint": True,
        "endpointConfiguration": {"vpcEndpointIds": ["vpce-1"]},
    }


def test_parameters_of_path_and_operation_are_followed_through_references() -> None:
    parameter = {"name": "page", "in": "query", "required": True}
    whole = document(
        components={"parameters": {"Page": parameter}},
        paths={
            "/a/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True}],
                "get": {**PROXY, "parameters": [{"$ref": "#/components/parameters/Page"}]},
            }
        },
    )
    assert described(whole).methods["/a/{id}"]["GET"]["requestParameters"] == {
        "method.request.path.id": True,
        "method.request.querystring.page": True,
    }


def test_schemas_without_a_name_get_a_model() -> None:
    body = {"content": {"application/json": {"schema": {"type": "object"}}}}
    whole = document(paths={"/a": {"post": {**PROXY, "requestBody": body}}})
    found = described(whole)
    assert found.methods["/a"]["POST"]["requestModels"] == {"application/json": "PostABodyModel"}
    assert found.models["PostABodyModel"]["schema"] == {"type": "object"}


SCHEMES = {
    "pool": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authorizer": {
            "type": "cognito_user_pools",
            "providerARNs": ["arn:aws:cognito-idp:us-east-1:000000000000:userpool/a"],
        },
    },
    "own": {
        "type": "apiKey",
        "name": "Unused",
        "in": "header",
        "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {
            "type": "request",
            "identitySource": "method.request.header.A",
            "authorizerUri": URI,
        },
    },
    "sigv4": {"type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4"},
    "key": {"type": "apiKey", "name": "x-api-key", "in": "header"},
}


@pytest.mark.parametrize(
    ("security", "method"),
    [
        (
            [{"pool": ["read"]}],
            {
                "authorizationType": "COGNITO_USER_POOLS",
                "authorizerId": "pool",
                "authorizationScopes": ["read"],
            },
        ),
        (
            [{"own": []}, {"key": []}],
            {"authorizationType": "CUSTOM", "authorizerId": "own", "apiKeyRequired": True},
        ),
        ([{"sigv4": []}], {"authorizationType": "AWS_IAM"}),
        ([{"NONE": []}], {"authorizationType": "NONE"}),
        (None, {"authorizationType": "AWS_IAM"}),
        ([], {"authorizationType": "NONE"}),
    ],
)
def test_security_says_who_may_call(security: Any, method: dict[str, Any]) -> None:
    given = {} if security is None else {"security": security}
    components = {"securitySchemes": SCHEMES}
    found = operation(given, components=components, security=[{"sigv4": []}])
    wanted = {"apiKeyRequired": False, **method}
    names = ("apiKeyRequired", "authorizationType", "authorizerId", "authorizationScopes")
    assert {name: each for name, each in found.items() if name in names} == wanted


def test_responses_of_an_integration_are_chosen_by_their_key() -> None:
    integration = {
        "type": "http",
        "httpMethod": "get",
        "uri": "http://example.test",
        "passthroughBehavior": "never",
        "requestTemplates": {"application/json": {"a": 1}},
        "responses": {
            "default": {"statusCode": 200},
            "4\\d{2}": {"statusCode": "400", "responseTemplates": {"text/plain": "no"}},
        },
    }
    found = operation({"x-amazon-apigateway-integration": integration})["methodIntegration"]
    assert found == {
        "type": "HTTP",
        "httpMethod": "GET",
        "uri": "http://example.test",
        "passthroughBehavior": "NEVER",
        "requestTemplates": {"application/json": '{"a": 1}'},
        "integrationResponses": {
            "200": {"statusCode": "200"},
            "400": {
                "statusCode": "400",
                "selectionPattern": "4\\d{2}",
                "responseTemplates": {"text/plain": "no"},
            },
        },
    }


@pytest.mark.parametrize(
    ("base_path", "path"), [("ignore", "/a"), ("prepend", "/v1/shop/a"), ("split", "/shop/a")]
)
@pytest.mark.parametrize(
    "where",
    [
        {"swagger": "2.0", "basePath": "/v1/shop"},
        {
            "openapi": "3.0.1",
            "servers": [
                {
                    "url": "https://example.test/{base}",
                    "variables": {"base": {"default": "v1/shop"}},
                }
            ],
        },
    ],
)
def test_a_base_path_is_ignored_put_before_or_split(
    base_path: str, path: str, where: dict[str, Any]
) -> None:
    whole = {**where, "info": {"title": "a"}, "paths": {"/a": {"get": PROXY}}}
    assert list(described(whole, base_path).methods) == [path]


def api() -> RestApi:
    return RestApi(
        account_id="000000000000",
        region="us-east-1",
        document={"id": "api", "rootResourceId": "root"},
        resources={"root": {"id": "root", "path": "/"}},
    )


def test_what_is_built_refers_by_identifiers() -> None:
    numbers = itertools.count()
    whole = document(
        components={
            "securitySchemes": SCHEMES,
            "schemas": {"A": {"$ref": "#/components/schemas/B"}},
        },
        paths={"/a/b": {"get": {**PROXY, "security": [{"own": []}]}}},
    )
    found = built(api(), described(whole), lambda: f"id-{next(numbers)}", merge=False)
    paths = {each["path"]: each for each in found.resources.values()}
    assert paths["/a/b"]["parentId"] == paths["/a"]["id"]
    method = paths["/a/b"]["resourceMethods"]["GET"]
    assert found.authorizers[method["authorizerId"]]["name"] == "own"
    assert method["methodIntegration"]["cacheNamespace"] == paths["/a/b"]["id"]
    assert json.loads(found.models["A"]["schema"])["$ref"].endswith("/restapis/api/models/B")


def test_every_error_of_a_document_is_told() -> None:
    wrong = {"x-amazon-apigateway-integration": {"type": "http", "httpMethod": "GET", "uri": "x"}}
    whole = document(paths={"/a": {"get": wrong}, "/b!": {"get": PROXY}})
    with pytest.raises(BadRequestException) as refusal:
        built(api(), described(whole), lambda: "id", merge=False)
    first, *errors = refusal.value.message.split("\n\t")
    assert first == "Errors found during import:"
    assert len(errors) == 2


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"openapi": "2.9"}', b"a: &b [*b]"])
def test_what_is_no_openapi_document_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestException, match=r"Invalid OpenAPI input\."):
        parsed(body)


RICH = document(
    components={"securitySchemes": SCHEMES, "schemas": {"A": {"type": "object"}}},
    paths={
        "/a/{id}": {
            "parameters": [{"name": "id", "in": "path"}],
            "post": {
                **PROXY,
                "security": [{"pool": ["read"]}],
                "requestBody": {"content": {"a/b": {"schema": {"$ref": "#/components/schemas/A"}}}},
                "responses": {"200": {"headers": {"X": {}}, "content": {"a/b": {"schema": {}}}}},
            },
        }
    },
    **{
        "x-amazon-apigateway-gateway-responses": {
            "DEFAULT_4XX": {"statusCode": 400, "responseParameters": {"a": "b"}}
        },
        "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True}},
        "x-amazon-apigateway-request-validator": "all",
        "x-amazon-apigateway-binary-media-types": ["a/b"],
    },
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in a document."""
    if not isinstance(value, dict | list):
        return
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        yield from places(each, (*path, key))


@pytest.mark.parametrize("other", [None, 1, "x", [], {}, [1], {"a": 1}, True, [None], {"a": None}])
def test_a_document_with_something_else_somewhere_is_read_or_refused(other: Any) -> None:
    numbers = itertools.count()
    for *path, last in places(RICH):
        changed = json.loads(json.dumps(RICH))
        place = changed
        for key in path:
            place = place[key]
        place[last] = other
        try:
            found = built(api(), described(changed), lambda: f"{next(numbers)}", merge=False)
        except BadRequestException:
            continue
        json.dumps([found.resources, found.models, found.gateway_responses])
