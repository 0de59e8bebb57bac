"""Who is let through to the functions of a REST API: authorizers, validators, keys, policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.conformance.rest_api.conftest import REGION, Builder, Front

from lambdad.testing.http_apis import Answered

pytestmark = [pytest.mark.root, pytest.mark.slow]

AUTHORIZER = """
count = 0

def handler(event, context):
    global count
    count += 1
    token = event.get("authorizationToken") or event["headers"].get("X-Who", "")
    if token == "nobody":
        raise Exception("Unauthorized")
    if token == "broken":
        return {"principalId": "me"}
    effect = "Allow" if token.startswith("allow") else "Deny"
    return {
        "principalId": token,
        "policyDocument": {"Version": "2012-10-17", "Statement": [
            {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}]},
        "context": {"count": count, "good": True, "type": event["type"]},
    }
"""


@pytest.fixture(scope="module")
def guarded(front: Front, function: Mapping[str, Any]) -> str:
    """An API whose methods have authorizers, validators, keys and limits."""
    built = Builder(front, "rest-api-guarded")
    client, uri = front.api, front.deploy_for("rest-api-authorizer", AUTHORIZER)
    for kind, source in (
        ("TOKEN", "method.request.header.Authorization"),
        ("REQUEST", "method.request.header.X-Who, method.request.querystring.q"),
    ):
        made = client.create_authorizer(
            restApiId=built.id,
            name=kind,
            type=kind,
            authorizerUri=uri,
            identitySource=source,
            authorizerResultTtlInSeconds=300,
            **({"identityValidationExpression": "^[a-z0-9]+$"} if kind == "TOKEN" else {}),
        )
        built.method(
            f"GET /{kind.lower()}",
            integration=function,
            authorizationType="CUSTOM",
            authorizerId=made["id"],
        )
    built.method("GET /signed", integration=function, authorizationType="AWS_IAM")
    built.method("GET /keyed", integration=function, apiKeyRequired=True)
    _validated(built, function)
    client.put_gateway_response(
        restApiId=built.id,
        responseType="BAD_REQUEST_BODY",
        statusCode="422",
        responseParameters={"gatewayresponse.header.X-Why": "'body'"},
        responseTemplates={
            "application/json": '{"why": $context.error.messageString, "at": "$context.stage"}'
        },
    )
    built.stage()
    return built.id


def _validated(built: Builder, function: Mapping[str, Any]) -> None:
    client = built.client
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    client.create_model(
        restApiId=built.id, name="Thing", contentType="application/json", schema=json.dumps(schema)
    )
    validator = client.create_request_validator(
        restApiId=built.id, name="all", validateRequestBody=True, validateRequestParameters=True
    )
    built.method(
        "POST /checked",
        integration=function,
        requestValidatorId=validator["id"],
        requestModels={"application/json": "Thing"},
        requestParameters={"method.request.querystring.q": True},
    )


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({}, 401, {"message": "Unauthorized"}),
        ({"Authorization": "NOT VALID"}, 401, {"message": "Unauthorized"}),
        ({"Authorization": "nobody"}, 401, {"message": "Unauthorized"}),
        ({"Authorization": "broken"}, 500, {"message": None}),
        (
            {"Authorization": "denied"},
            403,
            {"Message": "User is not authorized to access this resource with an explicit deny"},
        ),
    ],
)
def test_an_authorizer_keeps_callers_out(
    front: Front, guarded: str, headers: dict[str, str], status: int, body: object
) -> None:
    answer = front.call(guarded, "/dev/token", headers=headers)
    assert (answer.status, answer.document) == (status, body)


def test_an_authorizer_is_asked_once_and_tells_the_function(front: Front, guarded: str) -> None:
    headers = {"Authorization": "allow1"}
    contexts = [
        front.call(guarded, "/dev/token", headers=headers).document["requestContext"]["authorizer"]
        for _ in range(2)
    ]
    assert contexts[0]["principalId"] == "allow1"
    assert (contexts[0]["good"], contexts[0]["type"]) == ("true", "TOKEN")
    assert contexts[0]["count"] == contexts[1]["count"]


def test_what_an_authorizer_answered_can_be_forgotten(front: Front, guarded: str) -> None:
    def count() -> str:
        answer = front.call(guarded, "/dev/token", headers={"Authorization": "allow2"})
        return str(answer.document["requestContext"]["authorizer"]["count"])

    first = count()
    assert count() == first
    front.api.flush_stage_authorizers_cache(restApiId=guarded, stageName="dev")
    assert count() != first


def test_a_request_authorizer_needs_all_of_its_sources(front: Front, guarded: str) -> None:
    assert front.call(guarded, "/dev/request", headers={"X-Who": "allow"}).status == 401
    answer = front.call(guarded, "/dev/request?q=1", headers={"X-Who": "allow"})
    assert answer.document["requestContext"]["authorizer"]["type"] == "REQUEST"


def test_a_method_of_iam_wants_a_signature(front: Front, guarded: str) -> None:
    refused = front.call(guarded, "/dev/signed")
    assert refused.document == {"message": "Missing Authentication Token"}
    host = f"{guarded}.execute-api.{REGION}.localhost"
    request = AWSRequest(method="GET", url=f"http://{host}/dev/signed")
    SigV4Auth(Credentials("test", "test"), "execute-api", REGION).add_auth(request)
    answer = front.call(guarded, "/dev/signed", headers=dict(request.headers.items()))
    assert answer.document["requestContext"]["identity"]["accessKey"] == "test"


def test_a_request_is_validated(front: Front, guarded: str) -> None:
    def post(path: str, body: bytes) -> Answered:
        headers = {"Content-Type": "application/json"}
        return front.call(guarded, path, method="POST", body=body, headers=headers)

    missing = post("/dev/checked", b'{"n": 1}')
    assert (missing.status, missing.document) == (
        400,
        {"message": "Missing required request parameters: [q]"},
    )
    assert post("/dev/checked?q=1", b'{"n": 1}').status == 200
    for body in (b'{"n": "x"}', b"{}", b"no JSON", b""):
        answer = post("/dev/checked?q=1", body)
        assert answer.status == 422
        assert answer.document == {"why": "Invalid request body", "at": "dev"}
        assert answer.headers["X-Why"] == "body"


def test_a_key_of_a_usage_plan_lets_through_until_its_quota_is_spent(
    front: Front, guarded: str
) -> None:
    client = front.api
    key = client.create_api_key(name="rest-api-key", enabled=True, value="k" * 24)
    plan = client.create_usage_plan(
        name="rest-api-plan",
        apiStages=[{"apiId": guarded, "stage": "dev"}],
        quota={"limit": 2, "period": "MONTH"},
    )
    headers = {"x-api-key": "k" * 24}
    assert front.call(guarded, "/dev/keyed", headers=headers).document == {"message": "Forbidden"}
    client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    assert front.call(guarded, "/dev/keyed").document == {"message": "Forbidden"}
    event = front.call(guarded, "/dev/keyed", headers=headers).document
    identity = event["requestContext"]["identity"]
    assert (identity["apiKey"], identity["apiKeyId"]) == ("k" * 24, key["id"])
    assert front.call(guarded, "/dev/keyed", headers=headers).status == 200
    spent = front.call(guarded, "/dev/keyed", headers=headers)
    assert (spent.status, spent.document) == (429, {"message": "Limit Exceeded"})


def test_a_resource_policy_keeps_strangers_out(front: Front, function: Mapping[str, Any]) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "execute-api:Invoke",
                "Resource": "execute-api:/*/GET/open",
            }
        ],
    }
    built = Builder(front, "rest-api-policy", policy=json.dumps(policy))
    built.method("GET /open", integration=function)
    built.method("GET /closed", integration=function)
    built.stage()
    assert front.call(built.id, "/dev/open").status == 200
    closed = front.call(built.id, "/dev/closed")
    assert closed.status == 403
    assert closed.document["Message"].startswith(
        "User: anonymous is not authorized to perform: execute-api:Invoke on resource: "
    )
