"""A user of API Gateway, and an API with methods of every kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.http_apis import ApiUser

REGION = "us-east-1"
FUNCTION = """
import base64, json, time

def handler(event, context):
    path = event.get("path", "") if isinstance(event, dict) else ""
    if path.endswith("/fail"):
        raise ValueError("no")
    if path.endswith("/slow"):
        time.sleep(0.5)
    if path.endswith("/malformed"):
        return {"statusCode": 200, "body": {"an": "object"}}
    if path.endswith("/teapot"):
        return {"statusCode": 418, "headers": {"X-Mine": "1"}, "body": "tea",
                "multiValueHeaders": {"Set-Cookie": ["a=b", "c=d"], "X-Two": ["1", "2"]}}
    if path.endswith("/remapped"):
        return {"statusCode": 200, "headers": {"Date": "then"}, "body": ""}
    if path.endswith("/image"):
        return {"statusCode": 200, "headers": {"Content-Type": "image/png"},
                "body": base64.b64encode(b"\\x89PNG").decode(), "isBase64Encoded": True}
    if isinstance(event, dict) and "wanted" in event:
        print("wanted:", event["wanted"])
        if event["wanted"] == "bad":
            raise ValueError("[BadRequest] you asked for it")
        return {"said": event["wanted"], "list": [1, 2]}
    return {"statusCode": 200, "body": json.dumps(event)}
"""


class Front(ApiUser):
    """A user of API Gateway."""

    def __init__(self, daemon: DaemonProcess) -> None:
        super().__init__(daemon, REGION)
        self.api = self.service("apigateway")

    def deploy_for(self, name: str, code: str) -> str:
        """Deploy a function that API Gateway may call; return its integration URI."""
        self.deploy(name, code)
        return uri_of(name)


def uri_of(name: str) -> str:
    arn = f"arn:aws:lambda:{REGION}:000000000000:function:{name}"
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"


class Builder:
    """An API being made."""

    def __init__(self, front: Front, name: str, **members: Any) -> None:
        self.client = front.api
        made = self.client.create_rest_api(name=name, **members)
        self.id = str(made["id"])
        self.resources = {"/": str(made["rootResourceId"])}

    def resource(self, path: str) -> str:
        """Return the id of a path, made if need be."""
        if path not in self.resources:
            parent, _, part = path.rpartition("/")
            made = self.client.create_resource(
                restApiId=self.id, parentId=self.resource(parent or "/"), pathPart=part
            )
            self.resources[path] = str(made["id"])
        return self.resources[path]

    def method(self, route: str, *, integration: Mapping[str, Any], **members: Any) -> None:
        """Add `GET /path` with an integration."""
        verb, _, path = route.partition(" ")
        where = {"restApiId": self.id, "resourceId": self.resource(path), "httpMethod": verb}
        self.client.put_method(**where, **{"authorizationType": "NONE", **members})
        self.client.put_integration(**where, integrationHttpMethod="POST", **integration)

    def responses(self, route: str, *responses: Mapping[str, Any]) -> None:
        """Add method and integration responses."""
        verb, _, path = route.partition(" ")
        where = {"restApiId": self.id, "resourceId": self.resource(path), "httpMethod": verb}
        for response in responses:
            code = response["statusCode"]
            headers = dict.fromkeys(response.get("responseParameters", {}), False)
            self.client.put_method_response(**where, statusCode=code, responseParameters=headers)
            self.client.put_integration_response(**where, **response)

    def stage(self, name: str = "dev", **members: Any) -> None:
        """Deploy what there is."""
        self.client.create_deployment(restApiId=self.id, stageName=name, **members)


@pytest.fixture(scope="session")
def front(daemon: DaemonProcess) -> Front:
    return Front(daemon)


@pytest.fixture(scope="session")
def function(front: Front) -> Mapping[str, Any]:
    uri = front.deploy_for("rest-api-function", FUNCTION)
    return {"type": "AWS_PROXY", "uri": uri}


@pytest.fixture(scope="session")
def api(front: Front, function: Mapping[str, Any]) -> Iterator[str]:
    """An API with methods of every kind."""
    built = Builder(front, "rest-api-shop", binaryMediaTypes=["image/png"])
    built.method("GET /items/{id}", integration=function)
    built.method("ANY /items/special", integration=function)
    built.method("ANY /files/{rest+}", integration=function)
    by_variable = {**function, "uri": uri_of("${stageVariables.name}")}
    built.method("GET /variable", integration=by_variable)
    built.method("GET /slow", integration={**function, "timeoutInMillis": 50})
    front.user.deploy("rest-api-closed", FUNCTION)
    closed = {**function, "uri": uri_of("rest-api-closed")}
    built.method("GET /closed", integration=closed)
    role = {"credentials": "arn:aws:iam::000000000000:role/any"}
    built.method("GET /by-role", integration={**closed, **role})
    built.method("GET /missing", integration={**function, "uri": uri_of("rest-api-nobody")})
    _mock(built)
    _custom(built, function["uri"])
    _event(built, function["uri"])
    built.stage(variables={"name": "rest-api-function"})
    yield built.id
    front.api.delete_rest_api(restApiId=built.id)


def _mock(built: Builder) -> None:
    """As the Serverless Framework makes CORS."""
    built.method(
        "OPTIONS /items",
        integration={"type": "MOCK", "requestTemplates": {"application/json": "{statusCode:200}"}},
    )
    built.responses(
        "OPTIONS /items",
        {
            "statusCode": "200",
            "responseTemplates": {"application/json": ""},
            "responseParameters": {
                "method.response.header.Access-Control-Allow-Origin": "'*'",
                "method.response.header.X-Stage": "context.stage",
            },
        },
    )


def _custom(built: Builder, uri: str) -> None:
    template = '{"wanted": "$input.path(\'$.want\')", "by": "$context.identity.sourceIp"}'
    built.method(
        "POST /custom",
        integration={
            "type": "AWS",
            "uri": uri,
            "requestTemplates": {"application/json": template},
            "passthroughBehavior": "NEVER",
        },
    )
    built.responses(
        "POST /custom",
        {
            "statusCode": "200",
            "responseTemplates": {
                "application/json": (
                    '#set($in = $input.path(\'$\')){"answer": "$in.said", '
                    '"list": [#foreach($n in $in.list)$n#if($foreach.hasNext), #end#end]}'
                )
            },
        },
        {
            "statusCode": "400",
            "selectionPattern": r".*\[BadRequest\].*",
            "responseTemplates": {"application/json": '{"problem": $input.json("$.errorMessage")}'},
            "responseParameters": {
                "method.response.header.X-Type": "integration.response.body.errorType"
            },
        },
    )


def _event(built: Builder, uri: str) -> None:
    built.method(
        "POST /event",
        integration={
            "type": "AWS",
            "uri": uri,
            "requestParameters": {"integration.request.header.X-Amz-Invocation-Type": "'Event'"},
        },
    )
    built.responses(
        "POST /event",
        {"statusCode": "202", "responseTemplates": {"application/json": '{"taken": true}'}},
    )
