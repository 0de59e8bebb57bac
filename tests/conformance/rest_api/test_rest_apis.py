"""REST APIs in front of functions, as boto3 makes them and as browsers call them."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from lambdad.testing import event_types
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

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


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Front:
    """A user of API Gateway."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.url = daemon.endpoint_url
        self.user = Deployer(daemon.endpoint_url)
        self.api = self.client("apigateway")

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def deploy(self, name: str, code: str) -> str:
        """Deploy a function that API Gateway may call; return its integration URI."""
        self.user.deploy(name, code)
        self.user.lambda_.add_permission(
            FunctionName=name,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
        return uri_of(name)

    def call(
        self,
        api_id: str,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        host: str | None = None,
    ) -> Answer:
        """Call an API by the name of its host, or of another one."""
        host = host or f"{api_id}.execute-api.{REGION}.localhost"
        request = urllib.request.Request(  # noqa: S310 - our own daemon
            f"{self.url}{path}", method=method, data=body, headers={"Host": host, **(headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())


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


@pytest.fixture(scope="module")
def front(daemon: DaemonProcess) -> Front:
    return Front(daemon)


@pytest.fixture(scope="module")
def function(front: Front) -> Mapping[str, Any]:
    uri = front.deploy("rest-api-function", FUNCTION)
    return {"type": "AWS_PROXY", "uri": uri}


@pytest.fixture(scope="module")
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


def test_the_event_of_a_proxy_is_that_of_the_developer_guide(front: Front, api: str) -> None:
    headers = {"X-Mixed-Case": "v", "User-Agent": "me"}
    event = front.call(api, "/dev/items/a%20b?x=1&x=2&y=%20", headers=headers).json
    assert sorted(event) == [
        "body",
        "headers",
        "httpMethod",
        "isBase64Encoded",
        "multiValueHeaders",
        "multiValueQueryStringParameters",
        "path",
        "pathParameters",
        "queryStringParameters",
        "requestContext",
        "resource",
        "stageVariables",
    ]
    assert (event["resource"], event["path"]) == ("/items/{id}", "/items/a%20b")
    assert event["pathParameters"] == {"id": "a%20b"}
    assert event["queryStringParameters"] == {"x": "2", "y": " "}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [" "]}
    assert event["headers"]["X-Mixed-Case"] == "v"
    assert event["multiValueHeaders"]["User-Agent"] == ["me"]
    assert event["stageVariables"] == {"name": "rest-api-function"}
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    context = event["requestContext"]
    assert (context["accountId"], context["apiId"], context["stage"]) == (
        "000000000000",
        api,
        "dev",
    )
    assert (context["path"], context["resourcePath"]) == ("/dev/items/a%20b", "/items/{id}")
    assert context["identity"]["userAgent"] == "me"
    assert {"deploymentId", "extendedRequestId", "requestTimeEpoch", "resourceId"} <= set(context)


# The type wants what only methods with an authorizer, a key or a certificate have, and is older
# than the deployment in the context.
OPEN_TYPE = """
type Identity = Omit<L.APIGatewayEventIdentity, "apiKey" | "apiKeyId" | "clientCert">;
type OpenContext = Omit<L.APIGatewayEventRequestContext, "authorizer" | "identity">
  & {identity: Identity; deploymentId: string};
type Open = Omit<L.APIGatewayProxyEvent, "requestContext"> & {requestContext: OpenContext};
"""


def test_events_fit_the_published_types(
    front: Front, api: str, published_types: Path, tmp_path: Path
) -> None:
    events = {
        "plain": front.call(api, "/dev/items/a").json,
        "full": front.call(api, "/dev/items/a?x=1&x=2", headers={"X-A": "1"}).json,
    }
    named = dict.fromkeys(events, "Open")
    assert event_types.complaints(published_types, tmp_path, events, named, OPEN_TYPE) == ""


def test_the_most_specific_resource_takes_a_request(front: Front, api: str) -> None:
    assert front.call(api, "/dev/items/special").json["resource"] == "/items/special"
    greedy = front.call(api, "/dev/files/a/b/c", method="PUT", body=b"x").json
    assert (greedy["resource"], greedy["pathParameters"]) == ("/files/{rest+}", {"rest": "a/b/c"})
    assert greedy["body"] == "x"


@pytest.mark.parametrize("path", ["/dev/nothing", "/dev/items", "/dev"])
def test_a_path_without_a_method_is_refused_as_aws_does(front: Front, api: str, path: str) -> None:
    answer = front.call(api, path)
    assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
    assert answer.headers["x-amzn-RequestId"]
    assert answer.headers["x-amz-apigw-id"]


def test_an_unknown_stage_is_forbidden(front: Front, api: str) -> None:
    answer = front.call(api, "/prod/items/1")
    assert (answer.status, answer.json) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    "form", ["/_aws/execute-api/{}/dev/items/1", "/restapis/{}/dev/_user_request_/items/1"]
)
def test_an_api_is_reached_by_path_where_names_cannot_be_resolved(
    front: Front, api: str, form: str
) -> None:
    with urllib.request.urlopen(f"{front.url}{form.format(api)}", timeout=30) as answer:  # noqa: S310
        assert json.load(answer)["path"] == "/items/1"


def test_the_answer_of_the_function_is_the_answer(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/files/teapot")
    assert (answer.status, answer.headers["X-Mine"], answer.body) == (418, "1", b"tea")
    assert answer.headers.get_all("Set-Cookie") == ["a=b", "c=d"]
    assert answer.headers.get_all("X-Two") == ["1", "2"]


@pytest.mark.parametrize("path", ["/dev/files/fail", "/dev/files/malformed"])
def test_a_function_that_fails_is_a_bad_gateway(front: Front, api: str, path: str) -> None:
    answer = front.call(api, path)
    assert (answer.status, answer.json) == (502, {"message": "Internal server error"})


def test_a_function_that_is_not_there_is_an_error(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/missing")
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})


def test_a_function_that_takes_too_long_is_not_waited_for(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/slow")
    assert (answer.status, answer.json) == (504, {"message": "Endpoint request timed out"})


def test_a_function_must_let_the_api_invoke_it_or_its_role_does(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/closed")
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
    assert front.call(api, "/dev/by-role").status == 200


def test_a_function_may_be_invoked_without_waiting_for_it(front: Front, api: str) -> None:
    headers = {"Content-Type": "application/json"}
    body = b'{"wanted": "an-event"}'
    answer = front.call(api, "/dev/event", method="POST", body=body, headers=headers)
    assert (answer.status, answer.json) == (202, {"taken": True})
    deadline = time.monotonic() + 60
    while not _logged(front, "wanted: an-event"):
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def _logged(front: Front, text: str) -> bool:
    """Whether the function has logged a text; its log group is made with its first line."""
    try:
        found = front.client("logs").filter_log_events(
            logGroupName="/aws/lambda/rest-api-function", filterPattern=f'"{text}"'
        )
    except ClientError:
        return False
    return bool(found["events"])


def test_stage_variables_choose_the_function(front: Front, api: str) -> None:
    assert front.call(api, "/dev/variable").json["resource"] == "/variable"


def test_binary_bodies_are_base64_in_events_and_bytes_outside(front: Front, api: str) -> None:
    headers = {"Content-Type": "image/png"}
    sent = front.call(api, "/dev/files/a", method="POST", body=b"\x89PNG", headers=headers).json
    assert (sent["body"], sent["isBase64Encoded"]) == ("iVBORw==", True)
    shown = front.call(api, "/dev/files/image", headers={"Accept": "image/png"})
    assert (shown.body, shown.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    assert front.call(api, "/dev/files/image").body == b"iVBORw=="


def test_a_mock_answers_browsers_before_their_requests(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/items", method="OPTIONS")
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert answer.headers["X-Stage"] == "dev"


def test_templates_map_requests_and_answers(front: Front, api: str) -> None:
    headers = {"Content-Type": "application/json"}
    good = front.call(api, "/dev/custom", method="POST", body=b'{"want": "x"}', headers=headers)
    assert (good.status, good.json) == (200, {"answer": "x", "list": [1, 2]})
    bad = front.call(api, "/dev/custom", method="POST", body=b'{"want": "bad"}', headers=headers)
    assert (bad.status, bad.json) == (400, {"problem": "[BadRequest] you asked for it"})
    assert bad.headers["X-Type"] == "ValueError"


def test_a_body_that_no_template_takes_is_refused(front: Front, api: str) -> None:
    answer = front.call(
        api, "/dev/custom", method="POST", body=b"x", headers={"Content-Type": "text/plain"}
    )
    assert (answer.status, answer.json) == (415, {"message": "Unsupported Media Type"})


def test_a_hostile_template_ends_and_harms_nobody(front: Front, api: str) -> None:
    built = Builder(front, "rest-api-hostile")
    loop = "#foreach($i in [1..1000])"
    templates = {
        "loops": f"{loop}{loop}{loop}x#end#end#end",
        "doubles": f"#set($a = 'xx'){loop}#set($a = \"$a$a\")#end$a",
        "slow": "$input.body.matches('(x+x+)+y')",
    }
    for name, template in templates.items():
        integration = {"type": "MOCK", "requestTemplates": {"application/json": template}}
        built.method(f"POST /{name}", integration=integration)
        built.responses(f"POST /{name}", {"statusCode": "200"})
    built.stage()
    for name in templates:
        answer = front.call(
            built.id,
            f"/dev/{name}",
            method="POST",
            body=b"x" * 60,
            headers={"Content-Type": "application/json"},
        )
        assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
    assert front.call(api, "/dev/items/1").status == 200


def test_headers_of_the_connection_come_back_by_another_name(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/files/remapped")
    assert answer.headers["x-amzn-Remapped-date"] == "then"
    assert answer.headers["X-Amzn-Trace-Id"].startswith("Root=1-")


def test_a_body_that_is_too_large_is_refused(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/files/a", method="POST", body=b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status, answer.json) == (413, {"message": "Request Too Long"})


def test_a_domain_name_leads_to_a_stage(front: Front, api: str) -> None:
    domain = "rest-api.example.com"
    front.api.create_domain_name(
        domainName=domain,
        regionalCertificateArn=f"arn:aws:acm:{REGION}:000000000000:certificate/any",
        endpointConfiguration={"types": ["REGIONAL"]},
    )
    where = {"domainName": domain, "restApiId": api}
    front.api.create_base_path_mapping(**where, basePath="shop", stage="dev")
    front.api.create_base_path_mapping(**where, basePath="all")
    found = front.call(api, "/shop/items/5", host=domain).json
    assert (found["path"], found["requestContext"]["stage"]) == ("/items/5", "dev")
    assert found["requestContext"]["domainName"] == domain
    assert front.call(api, "/all/dev/items/5", host=domain).json["path"] == "/items/5"
    assert front.call(api, "/other", host=domain).status == 403
    front.api.delete_domain_name(domainName=domain)
    assert front.call(api, "/shop/items/5", host=domain).status != 200


def test_a_change_shows_after_its_deployment(front: Front, function: Mapping[str, Any]) -> None:
    built = Builder(front, "rest-api-deployments")
    built.method("GET /one", integration=function)
    built.stage()
    built.method("GET /two", integration=function)
    assert front.call(built.id, "/dev/one").status == 200
    assert front.call(built.id, "/dev/two").status == 403
    built.stage()
    assert front.call(built.id, "/dev/two").status == 200


@pytest.fixture(scope="module")
def guarded(front: Front, function: Mapping[str, Any]) -> str:
    """An API whose methods have authorizers, validators, keys and limits."""
    built = Builder(front, "rest-api-guarded")
    client, uri = front.api, front.deploy("rest-api-authorizer", AUTHORIZER)
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
    assert (answer.status, answer.json) == (status, body)


def test_an_authorizer_is_asked_once_and_tells_the_function(front: Front, guarded: str) -> None:
    headers = {"Authorization": "allow1"}
    contexts = [
        front.call(guarded, "/dev/token", headers=headers).json["requestContext"]["authorizer"]
        for _ in range(2)
    ]
    assert contexts[0]["principalId"] == "allow1"
    assert (contexts[0]["good"], contexts[0]["type"]) == ("true", "TOKEN")
    assert contexts[0]["count"] == contexts[1]["count"]


def test_what_an_authorizer_answered_can_be_forgotten(front: Front, guarded: str) -> None:
    def count() -> str:
        answer = front.call(guarded, "/dev/token", headers={"Authorization": "allow2"})
        return str(answer.json["requestContext"]["authorizer"]["count"])

    first = count()
    assert count() == first
    front.api.flush_stage_authorizers_cache(restApiId=guarded, stageName="dev")
    assert count() != first


def test_a_request_authorizer_needs_all_of_its_sources(front: Front, guarded: str) -> None:
    assert front.call(guarded, "/dev/request", headers={"X-Who": "allow"}).status == 401
    answer = front.call(guarded, "/dev/request?q=1", headers={"X-Who": "allow"})
    assert answer.json["requestContext"]["authorizer"]["type"] == "REQUEST"


def test_a_method_of_iam_wants_a_signature(front: Front, guarded: str) -> None:
    assert front.call(guarded, "/dev/signed").json == {"message": "Missing Authentication Token"}
    host = f"{guarded}.execute-api.{REGION}.localhost"
    request = AWSRequest(method="GET", url=f"http://{host}/dev/signed")
    SigV4Auth(Credentials("test", "test"), "execute-api", REGION).add_auth(request)
    answer = front.call(guarded, "/dev/signed", headers=dict(request.headers.items()))
    assert answer.json["requestContext"]["identity"]["accessKey"] == "test"


def test_a_request_is_validated(front: Front, guarded: str) -> None:
    def post(path: str, body: bytes) -> Answer:
        headers = {"Content-Type": "application/json"}
        return front.call(guarded, path, method="POST", body=body, headers=headers)

    missing = post("/dev/checked", b'{"n": 1}')
    assert (missing.status, missing.json) == (
        400,
        {"message": "Missing required request parameters: [q]"},
    )
    assert post("/dev/checked?q=1", b'{"n": 1}').status == 200
    for body in (b'{"n": "x"}', b"{}", b"no JSON", b""):
        answer = post("/dev/checked?q=1", body)
        assert (answer.status, answer.json) == (422, {"why": "Invalid request body", "at": "dev"})
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
    assert front.call(guarded, "/dev/keyed", headers=headers).json == {"message": "Forbidden"}
    client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    assert front.call(guarded, "/dev/keyed").json == {"message": "Forbidden"}
    identity = front.call(guarded, "/dev/keyed", headers=headers).json["requestContext"]["identity"]
    assert (identity["apiKey"], identity["apiKeyId"]) == ("k" * 24, key["id"])
    assert front.call(guarded, "/dev/keyed", headers=headers).status == 200
    spent = front.call(guarded, "/dev/keyed", headers=headers)
    assert (spent.status, spent.json) == (429, {"message": "Limit Exceeded"})


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
    assert closed.json["Message"].startswith(
        "User: anonymous is not authorized to perform: execute-api:Invoke on resource: "
    )


def test_a_queue_is_sent_to_without_a_function(front: Front) -> None:
    queues = front.client("sqs")
    url = queues.create_queue(QueueName="rest-api-queue")["QueueUrl"]
    built = Builder(front, "rest-api-services")
    built.method(
        "POST /send",
        integration={
            "type": "AWS",
            "uri": f"arn:aws:apigateway:{REGION}:sqs:path/000000000000/rest-api-queue",
            "credentials": "arn:aws:iam::000000000000:role/any",
            "requestParameters": {
                "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
            },
            "requestTemplates": {
                "application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
            },
        },
    )
    taken = "$input.path('$.SendMessageResponse.SendMessageResult.MessageId')"
    built.responses(
        "POST /send", {"statusCode": "200", "responseTemplates": {"application/json": taken}}
    )
    built.stage()
    sent = front.call(
        built.id,
        "/dev/send",
        method="POST",
        body=b'{"a": "b&c"}',
        headers={"Content-Type": "application/json"},
    )
    assert sent.status == 200, sent.body
    received = queues.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert [each["Body"] for each in received] == ['{"a": "b&c"}']
    assert sent.body.decode() == received[0]["MessageId"]


def test_a_table_is_read_without_a_function(front: Front) -> None:
    tables = front.client("dynamodb")
    tables.create_table(
        TableName="rest-api-table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    tables.put_item(TableName="rest-api-table", Item={"id": {"S": "a"}, "n": {"N": "5"}})
    built = Builder(front, "rest-api-table")
    key = '{"TableName": "rest-api-table", "Key": {"id": {"S": "$input.params(\'id\')"}}}'
    built.method(
        "GET /rows/{id}",
        integration={
            "type": "AWS",
            "uri": f"arn:aws:apigateway:{REGION}:dynamodb:action/GetItem",
            "credentials": "arn:aws:iam::000000000000:role/any",
            "requestTemplates": {"application/json": key},
        },
    )
    built.responses(
        "GET /rows/{id}",
        {
            "statusCode": "200",
            "responseTemplates": {"application/json": "$input.path('$.Item.n.N')"},
        },
    )
    built.stage()
    assert front.call(built.id, "/dev/rows/a").body == b"5"


def test_web_servers_answer_in_place_of_functions(front: Front) -> None:
    built = Builder(front, "rest-api-web")
    base = f"{front.url}/_lambdad"
    proxy = {"type": "HTTP_PROXY", "uri": f"{base}/{{page}}"}
    built.method(
        "GET /web/{page}",
        integration={
            **proxy,
            "requestParameters": {"integration.request.path.page": "method.request.path.page"},
        },
        requestParameters={"method.request.path.page": True},
    )
    built.method("GET /gone", integration={**proxy, "uri": "http://127.0.0.1:1/"})
    for route in ("GET /web/{page}", "GET /gone"):
        verb, _, path = route.partition(" ")
        front.api.update_integration(
            restApiId=built.id,
            resourceId=built.resource(path),
            httpMethod=verb,
            patchOperations=[{"op": "replace", "path": "/httpMethod", "value": "GET"}],
        )
    built.stage()
    assert front.call(built.id, "/dev/web/health").json["status"] == "ok"
    assert front.call(built.id, "/dev/web/nothing").status == 404
    gone = front.call(built.id, "/dev/gone")
    assert (gone.status, gone.json) == (
        504,
        {"message": "Network error communicating with endpoint"},
    )
