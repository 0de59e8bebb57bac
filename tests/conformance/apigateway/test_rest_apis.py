"""REST APIs with their resources, methods and integrations, as boto3 makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess

pytestmark = [pytest.mark.root, pytest.mark.slow]

Clients = Callable[..., Any]
Refused = Callable[..., str]


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_a_new_api_has_a_root_and_two_models(gateway: Any, api: dict[str, Any]) -> None:
    assert api["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert len(api["id"]) == 10
    assert api["apiKeySource"] == "HEADER"
    assert api["disableExecuteApiEndpoint"] is False
    assert api["endpointConfiguration"] == {"types": ["EDGE"], "ipAddressType": "ipv4"}
    assert plain(gateway.get_rest_api(restApiId=api["id"])) == plain(api)
    resources = gateway.get_resources(restApiId=api["id"])["items"]
    assert resources == [{"id": api["rootResourceId"], "path": "/"}]
    models = gateway.get_models(restApiId=api["id"])["items"]
    assert [model["name"] for model in models] == ["Empty", "Error"]


def test_an_api_is_changed_by_patches(gateway: Any, api: dict[str, Any], refused: Refused) -> None:
    def patch(*operations: tuple[str, str, str | None]) -> dict[str, Any]:
        listed = [
            {"op": op, "path": path, **({} if value is None else {"value": value})}
            for op, path, value in operations
        ]
        changed: dict[str, Any] = gateway.update_rest_api(
            restApiId=api["id"], patchOperations=listed
        )
        return changed

    changed = patch(
        ("add", "/binaryMediaTypes/image~1png", None),
        ("add", "/binaryMediaTypes/image~1jpeg", None),
        ("replace", "/minimumCompressionSize", "10"),
        ("replace", "/endpointConfiguration/types/EDGE", "REGIONAL"),
        ("replace", "/description", "described"),
    )
    assert changed["binaryMediaTypes"] == ["image/png", "image/jpeg"]
    assert changed["minimumCompressionSize"] == 10
    assert changed["endpointConfiguration"]["types"] == ["REGIONAL"]
    changed = patch(
        ("replace", "/binaryMediaTypes/image~1png", "image~1gif"),
        ("replace", "/minimumCompressionSize", ""),
        ("remove", "/description", None),
    )
    assert changed["binaryMediaTypes"] == ["image/gif", "image/jpeg"]
    assert "minimumCompressionSize" not in changed
    assert "description" not in changed

    def refusal(op: str, path: str, value: str) -> str:
        operations = [{"op": op, "path": path, "value": value}]
        return refused(gateway.update_rest_api, restApiId=api["id"], patchOperations=operations)

    limits = "Invalid minimum compression size, must be between 0 and 10485760"
    assert refusal("replace", "/minimumCompressionSize", "-1") == f"BadRequestException: {limits}"
    assert refusal("add", "/minimumCompressionSize", "1") == (
        "BadRequestException: Invalid patch operation specified. Must be one of: [replace]"
    )
    assert refusal("add", "/binaryMediaTypes", "a") == (
        "BadRequestException: Invalid patch path /binaryMediaTypes"
    )


def test_a_policy_is_answered_as_aws_escapes_it(gateway: Any, api: dict[str, Any]) -> None:
    operation = {"op": "replace", "path": "/policy", "value": '{"Version":"2012-10-17"}'}
    changed = gateway.update_rest_api(restApiId=api["id"], patchOperations=[operation])
    assert changed["policy"] == r"{\"Version\":\"2012-10-17\"}"


def test_apis_come_in_pages_and_stay_in_their_account(
    daemon: DaemonProcess, clients: Clients, lonely: Any, refused: Refused
) -> None:
    account_id = lonely.sts.get_caller_identity()["Account"]
    mine = clients(daemon, account_id)
    made = [mine.create_rest_api(name=f"page-{number}")["id"] for number in range(5)]
    pages = list(mine.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert [api["id"] for page in pages for api in page["items"]] == made
    elsewhere = clients(daemon, account_id, region="eu-west-1")
    text = f"NotFoundException: Invalid API identifier specified {account_id}:{made[0]}"
    assert refused(elsewhere.get_rest_api, restApiId=made[0]) == text
    assert elsewhere.get_rest_apis()["items"] == []


def test_resources_form_a_tree_that_can_be_moved(
    gateway: Any, api: dict[str, Any], refused: Refused
) -> None:
    root = {"restApiId": api["id"]}

    def create(parent: str, part: str) -> str:
        made = gateway.create_resource(**root, parentId=parent, pathPart=part)
        return str(made["id"])

    pets = create(api["rootResourceId"], "pets")
    one = create(pets, "{petId}")
    rest = create(one, "{rest+}")
    paths = {each["id"]: each["path"] for each in gateway.get_resources(**root)["items"]}
    assert paths[rest] == "/pets/{petId}/{rest+}"
    rename = [{"op": "replace", "path": "/pathPart", "value": "dogs"}]
    gateway.update_resource(**root, resourceId=pets, patchOperations=rename)
    assert gateway.get_resource(**root, resourceId=rest)["path"] == "/dogs/{petId}/{rest+}"

    create_resource = gateway.create_resource
    assert refused(create_resource, **root, parentId=rest, pathPart="x") == (
        "BadRequestException: Cannot create a child of a resource with a greedy path variable: "
        "{rest+}"
    )
    assert refused(create_resource, **root, parentId=pets, pathPart="{other}") == (
        "BadRequestException: A sibling ({petId}) of this resource already has a variable path "
        "part -- only one is allowed"
    )
    assert refused(create_resource, **root, parentId=api["rootResourceId"], pathPart="dogs") == (
        "ConflictException: Another resource with the same parent already has this name: dogs"
    )
    move = [{"op": "replace", "path": "/parentId", "value": one}]
    assert (
        refused(gateway.update_resource, **root, resourceId=pets, patchOperations=move)
        == "BadRequestException: Resources cannot be cyclical."
    )
    gateway.delete_resource(**root, resourceId=pets)
    assert len(gateway.get_resources(**root)["items"]) == 1
    missing = "NotFoundException: Invalid Resource identifier specified"
    assert refused(gateway.get_resource, **root, resourceId=one) == missing


def test_methods_hold_integrations_and_responses(
    gateway: Any, api: dict[str, Any], refused: Refused
) -> None:
    where = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "POST"}
    method = gateway.put_method(
        **where,
        authorizationType="NONE",
        requestParameters={"method.request.querystring.page": True},
        requestModels={"application/json": "Empty"},
    )
    assert method["apiKeyRequired"] is False
    assert refused(gateway.put_method, **where, authorizationType="NONE") == (
        "ConflictException: Method already exists for this resource"
    )
    gateway.put_method_response(
        **where,
        statusCode="200",
        responseModels={"application/json": "Empty"},
        responseParameters={"method.response.header.X-A": False},
    )
    uri = (
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        "arn:aws:lambda:us-east-1:000000000000:function:f/invocations"
    )
    integration = gateway.put_integration(
        **where, type="AWS", integrationHttpMethod="POST", uri=uri
    )
    assert plain(integration) == {
        "type": "AWS",
        "httpMethod": "POST",
        "uri": uri,
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": 29000,
        "cacheNamespace": api["rootResourceId"],
        "cacheKeyParameters": [],
    }
    gateway.put_integration_response(
        **where, statusCode="200", responseParameters={"method.response.header.X-A": "'1'"}
    )
    whole = gateway.get_method(**where)
    assert whole["methodIntegration"]["integrationResponses"]["200"]["responseParameters"] == {
        "method.response.header.X-A": "'1'"
    }
    assert whole["methodResponses"]["200"]["responseModels"] == {"application/json": "Empty"}
    embedded = gateway.get_resources(restApiId=api["id"], embed=["methods"])["items"][0]
    assert embedded["resourceMethods"]["POST"] == plain(whole)
    bare = gateway.get_resources(restApiId=api["id"])["items"][0]
    assert bare["resourceMethods"] == {"POST": {}}


def test_methods_and_integrations_are_changed_by_patches(
    gateway: Any, mocked: dict[str, Any], refused: Refused
) -> None:
    where = {
        "restApiId": mocked["id"],
        "resourceId": mocked["rootResourceId"],
        "httpMethod": "GET",
    }
    operations = [
        {"op": "replace", "path": "/apiKeyRequired", "value": "true"},
        {"op": "add", "path": "/requestParameters/method.request.header.X", "value": "true"},
        {"op": "add", "path": "/requestModels/application~1json", "value": "Empty"},
    ]
    changed = gateway.update_method(**where, patchOperations=operations)
    assert changed["apiKeyRequired"] is True
    assert changed["requestParameters"] == {"method.request.header.X": True}
    assert changed["requestModels"] == {"application/json": "Empty"}
    operations = [
        {"op": "add", "path": "/requestTemplates/application~1json", "value": "{}"},
        {"op": "replace", "path": "/timeoutInMillis", "value": "1000"},
        {"op": "add", "path": "/cacheKeyParameters/method.request.header.X", "value": ""},
    ]
    changed = gateway.update_integration(**where, patchOperations=operations)
    assert changed["requestTemplates"] == {"application/json": "{}"}
    assert changed["timeoutInMillis"] == 1000
    assert changed["cacheKeyParameters"] == ["method.request.header.X"]

    def refusal(path: str, value: str) -> str:
        operations = [{"op": "replace", "path": path, "value": value}]
        return refused(gateway.update_method, **where, patchOperations=operations)

    assert refusal("/httpMethod", "PUT") == "BadRequestException: Invalid patch path /httpMethod"
    assert refusal("/authorizationType", "CUSTOM") == (
        "BadRequestException: Invalid authorizer ID specified. Setting the authorization type to "
        "CUSTOM or COGNITO_USER_POOLS requires a valid authorizer."
    )
    assert refusal("/requestModels/application~1json", "Nope") == (
        "BadRequestException: Invalid model identifier specified: Nope"
    )


def test_integrations_that_could_not_be_called_are_refused(
    gateway: Any, mocked: dict[str, Any], refused: Refused
) -> None:
    where = {
        "restApiId": mocked["id"],
        "resourceId": mocked["rootResourceId"],
        "httpMethod": "GET",
    }

    def refusal(**members: Any) -> str:
        return refused(gateway.put_integration, **where, **members)

    assert refusal(type="AWS_PROXY", uri="arn:x") == (
        "BadRequestException: Enumeration value for HttpMethod must be non-empty"
    )
    assert refusal(type="HTTP", integrationHttpMethod="GET", uri="nowhere") == (
        "BadRequestException: Invalid HTTP endpoint specified for URI"
    )
    assert refusal(type="AWS_PROXY", integrationHttpMethod="POST", uri="nowhere") == (
        "BadRequestException: Invalid ARN specified in the request"
    )
    assert refusal(type="MOCK", timeoutInMillis=30) == (
        "BadRequestException: Timeout should be between 50 ms and 29000 ms"
    )
    assert refusal(type="HTTPS_PROXY").startswith(
        "ValidationException: 1 validation error detected: Value 'HTTPS_PROXY' at "
    )


def test_models_and_validators_are_kept_while_methods_need_them(
    gateway: Any, mocked: dict[str, Any], refused: Refused
) -> None:
    own = {"restApiId": mocked["id"]}
    schema = '{"title": "Pet", "type": "object"}'
    model = gateway.create_model(**own, name="Pet", contentType="application/json", schema=schema)
    assert model["schema"] == schema
    validator = gateway.create_request_validator(**own, name="body", validateRequestBody=True)["id"]
    where = {**own, "resourceId": mocked["rootResourceId"], "httpMethod": "GET"}
    operations = [
        {"op": "replace", "path": "/requestValidatorId", "value": validator},
        {"op": "add", "path": "/requestModels/application~1json", "value": "Pet"},
    ]
    gateway.update_method(**where, patchOperations=operations)
    assert refused(gateway.delete_model, **own, modelName="Pet") == (
        "ConflictException: Cannot delete model 'Pet', is referenced in method request: //GET"
    )
    assert refused(gateway.delete_request_validator, **own, requestValidatorId=validator)
    gateway.delete_method(**where)
    gateway.delete_model(**own, modelName="Pet")
    gateway.delete_request_validator(**own, requestValidatorId=validator)
    assert refused(gateway.get_model, **own, modelName="Pet") == (
        "NotFoundException: Invalid model name specified: Pet"
    )
    assert refused(gateway.get_request_validator, **own, requestValidatorId=validator) == (
        "NotFoundException: Invalid Request Validator identifier specified"
    )


def test_authorizers_of_each_type_are_checked_and_kept(
    gateway: Any, mocked: dict[str, Any], refused: Refused
) -> None:
    own = {"restApiId": mocked["id"]}
    uri = (
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        "arn:aws:lambda:us-east-1:000000000000:function:f/invocations"
    )
    made = gateway.create_authorizer(**own, name="t", type="TOKEN", authorizerUri=uri)
    assert made["identitySource"] == "method.request.header.Authorization"
    assert (made["authType"], made["authorizerResultTtlInSeconds"]) == ("custom", 300)
    pool = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_a"
    pools = gateway.create_authorizer(
        **own, name="c", type="COGNITO_USER_POOLS", providerARNs=[pool]
    )
    operations = [{"op": "add", "path": "/providerARNs", "value": f"{pool}b"}]
    changed = gateway.update_authorizer(**own, authorizerId=pools["id"], patchOperations=operations)
    assert changed["providerARNs"] == [pool, f"{pool}b"]
    assert refused(gateway.create_authorizer, **own, name="t", type="TOKEN", authorizerUri=uri)
    assert refused(gateway.create_authorizer, **own, name="r", type="REQUEST", authorizerUri=uri)
    where = {**own, "resourceId": mocked["rootResourceId"], "httpMethod": "PUT"}
    gateway.put_method(**where, authorizationType="CUSTOM", authorizerId=made["id"])
    assert refused(gateway.delete_authorizer, **own, authorizerId=made["id"]).startswith(
        "ConflictException: "
    )


def test_gateway_responses_have_defaults_that_can_be_set(
    gateway: Any, api: dict[str, Any], refused: Refused
) -> None:
    own = {"restApiId": api["id"]}
    assert len(gateway.get_gateway_responses(**own)["items"]) == 21
    found = gateway.get_gateway_response(**own, responseType="MISSING_AUTHENTICATION_TOKEN")
    assert plain(found) == {
        "responseType": "MISSING_AUTHENTICATION_TOKEN",
        "statusCode": "403",
        "responseParameters": {},
        "responseTemplates": {"application/json": '{"message":$context.error.messageString}'},
        "defaultResponse": True,
    }
    gateway.put_gateway_response(**own, responseType="DEFAULT_5XX", statusCode="599")
    inherited = gateway.get_gateway_response(**own, responseType="AUTHORIZER_FAILURE")
    assert (inherited["statusCode"], inherited["defaultResponse"]) == ("599", True)
    gateway.delete_gateway_response(**own, responseType="DEFAULT_5XX")
    assert refused(gateway.delete_gateway_response, **own, responseType="DEFAULT_5XX") == (
        "NotFoundException: Gateway response type not defined on api"
    )
