"""HTTP APIs in front of functions, as boto3 makes them and as browsers call them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

ECHO = """
def handler(event, context):
    if event["rawPath"].endswith("/fail"):
        raise ValueError("no")
    if event["rawPath"].endswith("/teapot"):
        return {"statusCode": 418, "headers": {"X-Mine": "1"}, "cookies": ["a=b"], "body": "tea"}
    return event
"""


class Front:
    """A user of API Gateway."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.url = daemon.endpoint_url
        self.user = Deployer(daemon.endpoint_url)
        self.client = boto3.client(
            "apigatewayv2",
            endpoint_url=daemon.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def deploy(self, name: str) -> str:
        """Deploy a function that API Gateway may call; return its ARN."""
        self.user.deploy(name, ECHO)
        self.user.lambda_.add_permission(
            FunctionName=name,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
        found = self.user.lambda_.get_function(FunctionName=name)
        return str(found["Configuration"]["FunctionArn"])

    def call(
        self,
        api_id: str,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Call an API by the name of its host."""
        host = f"{api_id}.execute-api.us-east-1.localhost"
        request = urllib.request.Request(  # noqa: S310 - our own daemon
            f"{self.url}{path}", method=method, data=body, headers={"Host": host, **(headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


@pytest.fixture(scope="module")
def front(daemon: DaemonProcess) -> Front:
    return Front(daemon)


@pytest.fixture(scope="module")
def api(front: Front) -> str:
    """An API with several routes and a named stage beside the default one."""
    arn = front.deploy("http-api-echo")
    made = front.client.create_api(Name="shop", ProtocolType="HTTP", Tags={"team": "a"})
    api_id = str(made["ApiId"])
    integration = front.client.create_integration(
        ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    for key in ("GET /items/{id}", "ANY /items/special", "GET /files/{rest+}", "POST /items"):
        front.client.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration}")
    front.client.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
    front.client.create_stage(
        ApiId=api_id, StageName="dev", AutoDeploy=True, StageVariables={"colour": "red"}
    )
    return api_id


def event(answer: tuple[int, Mapping[str, str], bytes]) -> dict[str, Any]:
    status, _, body = answer
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def test_the_event_of_a_route_is_that_of_payload_format_2(front: Front, api: str) -> None:
    found = event(front.call(api, "/items/a%20b?x=1&x=2", headers={"Cookie": "k=v"}))
    assert found["version"] == "2.0"
    assert found["routeKey"] == found["requestContext"]["routeKey"] == "GET /items/{id}"
    assert found["rawPath"] == "/items/a%20b"
    assert found["pathParameters"] == {"id": "a b"}
    assert found["queryStringParameters"] == {"x": "1,2"}
    assert found["cookies"] == ["k=v"]
    context = found["requestContext"]
    assert (context["accountId"], context["apiId"], context["stage"]) == (
        "000000000000",
        api,
        "$default",
    )
    assert "stageVariables" not in found


def test_the_most_specific_route_takes_a_request(front: Front, api: str) -> None:
    assert event(front.call(api, "/items/special"))["routeKey"] == "ANY /items/special"
    greedy = event(front.call(api, "/files/a/b/c"))
    assert (greedy["routeKey"], greedy["pathParameters"]) == (
        "GET /files/{rest+}",
        {"rest": "a/b/c"},
    )


def test_a_named_stage_is_the_first_part_of_the_path(front: Front, api: str) -> None:
    found = event(front.call(api, "/dev/items/1"))
    assert (found["rawPath"], found["requestContext"]["stage"]) == ("/dev/items/1", "dev")
    assert found["stageVariables"] == {"colour": "red"}


def test_an_api_is_reached_by_path_where_names_cannot_be_resolved(front: Front, api: str) -> None:
    url = f"{front.url}/_aws/execute-api/{api}/dev/items/1"
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own daemon
        assert json.load(answer)["pathParameters"] == {"id": "1"}


def test_the_answer_of_the_function_is_the_answer(front: Front, api: str) -> None:
    status, headers, body = front.call(api, "/files/teapot")
    assert (status, headers["X-Mine"], headers["Set-Cookie"], body) == (418, "1", "a=b", b"tea")
    assert headers["apigw-requestid"]


@pytest.mark.parametrize("path", ["/nothing", "/items", "/items/1/2", "/"])
def test_what_no_route_takes_is_not_found(front: Front, api: str, path: str) -> None:
    status, _, body = front.call(api, path)
    assert (status, json.loads(body)) == (404, {"message": "Not Found"})


def test_a_failing_function_is_an_internal_error(front: Front, api: str) -> None:
    status, _, body = front.call(api, "/files/fail")
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})


def test_without_permission_the_function_is_not_called(front: Front) -> None:
    front.user.deploy("http-api-closed", ECHO)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:http-api-closed"
    api_id = front.client.create_api(Name="quick", ProtocolType="HTTP", Target=arn)["ApiId"]
    assert front.call(api_id, "/anything")[0] == 500
    front.user.lambda_.add_permission(
        FunctionName="http-api-closed",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api_id}/*/$default",
    )
    assert event(front.call(api_id, "/anything", method="PUT", body=b"x"))["body"] == "eA=="


def test_browsers_are_told_what_the_api_allows(front: Front, api: str) -> None:
    rules = {"AllowOrigins": ["https://shop.example"], "AllowMethods": ["GET"], "MaxAge": 60}
    front.client.update_api(ApiId=api, CorsConfiguration=rules)
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    status, headers, _ = front.call(api, "/items/1", method="OPTIONS", headers=asked)
    assert (status, headers["access-control-allow-methods"]) == (204, "GET")
    _, headers, _ = front.call(api, "/items/1", headers={"Origin": "https://shop.example"})
    assert headers["access-control-allow-origin"] == "https://shop.example"
    front.client.delete_cors_configuration(ApiId=api)
    assert "CorsConfiguration" not in front.client.get_api(ApiId=api)


def test_parts_are_listed_changed_and_deleted(front: Front, api: str) -> None:
    client = front.client
    assert api in {each["ApiId"] for each in client.get_apis()["Items"]}
    assert client.get_tags(ResourceArn=f"arn:aws:apigateway:us-east-1::/apis/{api}")["Tags"] == {
        "team": "a"
    }
    routes = client.get_routes(ApiId=api)["Items"]
    assert len(routes) == 4
    integration = client.get_integrations(ApiId=api)["Items"][0]["IntegrationId"]
    with pytest.raises(client.exceptions.ConflictException):
        client.delete_integration(ApiId=api, IntegrationId=integration)
    with pytest.raises(client.exceptions.ConflictException):
        client.create_route(ApiId=api, RouteKey="POST /items")
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_route(ApiId=api, RouteId="nothing")
    deployment = client.create_deployment(ApiId=api, StageName="dev")["DeploymentId"]
    assert client.get_stage(ApiId=api, StageName="dev")["DeploymentId"] == deployment
    changed = client.update_route(ApiId=api, RouteId=routes[0]["RouteId"], OperationName="op")
    assert changed["OperationName"] == "op"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("create_api", {"Name": "x", "ProtocolType": "WEBSOCKET"}),
        ("create_integration", {"IntegrationType": "MOCK"}),
        ("create_integration", {"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "3.0"}),
        (
            "create_integration",
            {"IntegrationType": "AWS_PROXY", "IntegrationSubtype": "StepFunctions-StartExecution"},
        ),
        ("create_route", {"RouteKey": "FETCH /x"}),
        ("create_route", {"RouteKey": "GET /x", "AuthorizationType": "JWT"}),
        (
            "create_integration",
            {
                "IntegrationType": "HTTP_PROXY",
                "IntegrationUri": "http://x",
                "ConnectionType": "VPC_LINK",
            },
        ),
        (
            "create_integration",
            {
                "IntegrationType": "HTTP_PROXY",
                "IntegrationUri": "http://x",
                "RequestParameters": {"overwrite:header.host": "y"},
            },
        ),
        (
            "create_authorizer",
            {"AuthorizerType": "JWT", "Name": "x", "IdentitySource": ["$request.header.A"]},
        ),
    ],
)
def test_what_is_not_served_is_refused_when_it_is_made(
    front: Front, api: str, operation: str, parameters: dict[str, Any]
) -> None:
    given = parameters if operation == "create_api" else {"ApiId": api, **parameters}
    with pytest.raises(ClientError) as refused:
        getattr(front.client, operation)(**given)
    assert refused.value.response["Error"]["Code"] == "BadRequestException"


def test_a_deleted_api_answers_no_more(front: Front) -> None:
    api_id = front.client.create_api(Name="gone", ProtocolType="HTTP")["ApiId"]
    front.client.delete_api(ApiId=api_id)
    assert front.call(api_id, "/")[0] == 404
    with pytest.raises(front.client.exceptions.NotFoundException):
        front.client.get_api(ApiId=api_id)


def test_apis_are_there_after_a_crash(tmp_path: Any) -> None:
    daemon = DaemonProcess(tmp_path / "data", "--backend", "process").start()
    front = Front(daemon)
    arn = front.deploy("kept")
    api_id = front.client.create_api(Name="kept", ProtocolType="HTTP", Target=arn)["ApiId"]
    daemon.kill()
    with DaemonProcess(tmp_path / "data", "--backend", "process") as again:
        assert event(Front(again).call(api_id, "/x"))["rawPath"] == "/x"
