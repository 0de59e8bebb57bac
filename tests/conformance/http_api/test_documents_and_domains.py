"""HTTP APIs from OpenAPI documents and back, and their custom domain names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.http_apis import ApiUser

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture(scope="module")
def front(daemon: DaemonProcess) -> ApiUser:
    return ApiUser(daemon)


@pytest.fixture(scope="module")
def arn(front: ApiUser) -> str:
    return front.deploy("http-documents-echo")


def document(arn: str) -> dict[str, Any]:
    integration = {"type": "aws_proxy", "uri": arn, "payloadFormatVersion": "2.0"}
    jwt = {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"audience": ["a"], "issuer": "http://127.0.0.1:1"},
    }
    own = "x-amazon-apigateway-integration"
    return {
        "openapi": "3.0.1",
        "info": {"title": "pets", "version": "7", "description": "Of a document"},
        "tags": [{"name": "made-by", "x-amazon-apigateway-tag-value": "hand"}],
        "x-amazon-apigateway-cors": {"allowOrigins": ["*"], "maxAge": 5},
        "paths": {
            "/pets/{id}": {
                "get": {own: integration, "operationId": "getPet"},
                "put": {
                    own: {**integration, "timeoutInMillis": 5000},
                    "security": [{"jwt": ["w"]}],
                },
            },
            "/signed": {"get": {own: integration, "security": [{"sigv4": []}]}},
            "/undescribed": {"get": {"responses": {}}},
            "/$default": {"x-amazon-apigateway-any-method": {own: integration}},
        },
        "components": {
            "securitySchemes": {
                "jwt": {"type": "oauth2", "x-amazon-apigateway-authorizer": jwt},
                "sigv4": {"type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4"},
            }
        },
    }


def test_an_api_is_made_of_a_document(front: ApiUser, arn: str) -> None:
    client = front.client
    made = client.import_api(Body=json.dumps(document(arn)))
    assert (made["Name"], made["Version"], made["Tags"]) == ("pets", "7", {"made-by": "hand"})
    assert made["CorsConfiguration"] == {"AllowOrigins": ["*"], "MaxAge": 5}
    assert "/undescribed" in made["Warnings"][0]
    api = made["ApiId"]
    routes = {each["RouteKey"]: each for each in client.get_routes(ApiId=api)["Items"]}
    assert set(routes) == {"GET /pets/{id}", "PUT /pets/{id}", "GET /signed", "$default"}
    assert routes["PUT /pets/{id}"]["AuthorizationType"] == "JWT"
    assert routes["PUT /pets/{id}"]["AuthorizationScopes"] == ["w"]
    assert routes["GET /signed"]["AuthorizationType"] == "AWS_IAM"
    client.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    assert front.call(api, "/pets/3").document["pathParameters"] == {"id": "3"}
    assert front.call(api, "/pets/3", method="PUT").status == 401
    assert front.call(api, "/signed").status == 403
    assert front.call(api, "/else").document["routeKey"] == "$default"


def test_what_is_exported_can_be_imported_again(front: ApiUser, arn: str) -> None:
    client = front.client
    api = client.import_api(Body=json.dumps(document(arn)))["ApiId"]
    given = {"ApiId": api, "Specification": "OAS30"}
    text = client.export_api(OutputType="YAML", **given)["body"].read()
    assert b"openapi: 3.0.1" in text
    plain = client.export_api(OutputType="JSON", IncludeExtensions=False, **given)["body"].read()
    assert b"x-amazon-apigateway-integration" not in plain
    again = client.import_api(Body=text.decode())["ApiId"]
    keys = [
        sorted(each["RouteKey"] for each in client.get_routes(ApiId=each)["Items"])
        for each in (api, again)
    ]
    assert keys[0] == keys[1]
    client.create_stage(ApiId=again, StageName="$default", AutoDeploy=True)
    assert front.call(again, "/signed").status == 403
    only = document(arn)
    only["paths"] = {"/only": only["paths"]["/$default"]}
    client.reimport_api(ApiId=api, Body=json.dumps(only))
    assert [r["RouteKey"] for r in client.get_routes(ApiId=api)["Items"]] == ["ANY /only"]
    assert len(client.get_integrations(ApiId=api)["Items"]) == 1


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"openapi": "2.0"}', '{"openapi": "3.0.1"}', "a: &a [*a, *a]"]
)
def test_what_is_no_document_is_refused(front: ApiUser, body: str) -> None:
    with pytest.raises(ClientError) as refused:
        front.client.import_api(Body=body)
    assert refused.value.response["Error"]["Code"] == "BadRequestException"


def test_warnings_fail_an_import_that_says_so(front: ApiUser, arn: str) -> None:
    with pytest.raises(front.client.exceptions.BadRequestException):
        front.client.import_api(Body=json.dumps(document(arn)), FailOnWarnings=True)


def test_a_domain_name_leads_each_path_to_its_api(front: ApiUser, arn: str) -> None:
    client = front.client
    name = "api.http-documents.example"
    domain = client.create_domain_name(
        DomainName=name,
        DomainNameConfigurations=[{"CertificateArn": "arn:aws:acm:us-east-1:0:certificate/x"}],
        Tags={"a": "b"},
    )
    assert domain["DomainNameConfigurations"][0]["DomainNameStatus"] == "AVAILABLE"
    api = front.http_api("behind-a-name")
    front.route(api, "GET /{proxy+}", front.function(arn))
    client.create_stage(ApiId=api, StageName="beta", AutoDeploy=True)
    host = {"Host": name}
    assert front.call(api, "/x", headers=host).document == {"message": "Forbidden"}
    whole = client.create_api_mapping(DomainName=name, ApiId=api, Stage="$default")
    client.create_api_mapping(DomainName=name, ApiId=api, Stage="beta", ApiMappingKey="v1/beta")
    plain = front.call(api, "/v1/x", headers=host).document
    assert plain["requestContext"]["stage"] == "$default"
    assert plain["requestContext"]["domainName"] == name
    assert plain["pathParameters"] == {"proxy": "v1/x"}
    deep = front.call(api, "/v1/beta/x", headers={"Host": f"{name.upper()}:80"}).document
    assert (deep["requestContext"]["stage"], deep["pathParameters"]) == ("beta", {"proxy": "x"})
    client.update_api(ApiId=api, DisableExecuteApiEndpoint=True)
    assert front.call(api, "/x").status == 404
    assert front.call(api, "/x", headers=host).status == 200
    with pytest.raises(client.exceptions.ConflictException):
        client.create_api_mapping(DomainName=name, ApiId=api, Stage="beta")
    with pytest.raises(client.exceptions.BadRequestException):
        client.update_api_mapping(
            DomainName=name, ApiId=api, ApiMappingId=whole["ApiMappingId"], Stage="nothing"
        )
    client.delete_api_mapping(DomainName=name, ApiMappingId=whole["ApiMappingId"])
    assert len(client.get_api_mappings(DomainName=name)["Items"]) == 1
    assert name in {each["DomainName"] for each in client.get_domain_names()["Items"]}
    client.delete_domain_name(DomainName=name)
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_domain_name(DomainName=name)


def test_models_and_parts_of_web_sockets_are_kept(front: ApiUser) -> None:
    client = front.client
    api = client.create_api(
        Name="parts", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a"
    )["ApiId"]
    assert client.get_api(ApiId=api)["ApiEndpoint"].startswith("ws://")
    model = client.create_model(ApiId=api, Name="M", Schema='{"type": "object"}')["ModelId"]
    with pytest.raises(client.exceptions.ConflictException):
        client.create_model(ApiId=api, Name="M", Schema="{}")
    with pytest.raises(client.exceptions.BadRequestException):
        client.update_model(ApiId=api, ModelId=model, Schema="{")
    assert client.get_model_template(ApiId=api, ModelId=model)["Value"]
    client.delete_model(ApiId=api, ModelId=model)
    made = client.create_integration(ApiId=api, IntegrationType="MOCK")["IntegrationId"]
    key = {"ApiId": api, "IntegrationId": made}
    response = client.create_integration_response(IntegrationResponseKey="$default", **key)
    one = {**key, "IntegrationResponseId": response["IntegrationResponseId"]}
    changed = client.update_integration_response(ResponseTemplates={"a": "b"}, **one)
    assert changed["ResponseTemplates"] == {"a": "b"}
    assert client.get_integration_response(**one)["IntegrationResponseKey"] == "$default"
    assert len(client.get_integration_responses(**key)["Items"]) == 1
    client.delete_integration_response(**one)
    route = client.create_route(
        ApiId=api,
        RouteKey="$connect",
        RequestParameters={"route.request.header.X": {"Required": True}},
    )["RouteId"]
    client.delete_route_request_parameter(
        ApiId=api, RouteId=route, RequestParameterKey="route.request.header.X"
    )
    key = {"ApiId": api, "RouteId": route}
    assert client.get_route(**key)["RequestParameters"] == {}
    with pytest.raises(client.exceptions.BadRequestException):
        client.create_route_response(RouteResponseKey="other", **key)
    answer = client.create_route_response(RouteResponseKey="$default", **key)["RouteResponseId"]
    client.update_route_response(RouteResponseId=answer, ResponseModels={"a": "M"}, **key)
    assert client.get_route_response(RouteResponseId=answer, **key)["ResponseModels"] == {"a": "M"}
    client.delete_route(**key)
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_route_responses(**key)
