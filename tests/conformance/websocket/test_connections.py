"""WebSocket APIs: connections begin, speak, are spoken to and end, as functions are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from lambdad.testing import event_types
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.http_apis import ApiUser

pytestmark = [pytest.mark.root, pytest.mark.slow]

CHAT = """
import json, os, boto3
sqs = boto3.client("sqs", region_name="us-east-1")
def handler(event, context):
    told = event["requestContext"]
    kind = told["eventType"]
    if kind != "MESSAGE":
        sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
        if (event.get("queryStringParameters") or {}).get("refuse"):
            return {"statusCode": 403}
        headers = {"Sec-WebSocket-Protocol": "chat"} if kind == "CONNECT" else {}
        return {"statusCode": 200, "headers": headers}
    body = event["body"]
    if body.startswith("{") and json.loads(body).get("action") == "fail":
        raise ValueError("no")
    if told["routeKey"] == "push":
        client = boto3.client("apigatewaymanagementapi", region_name="us-east-1")
        for number in range(3):
            client.post_to_connection(ConnectionId=told["connectionId"], Data=f"push {number}")
    return {"statusCode": 200, "body": json.dumps(event)}
"""


class Chat:
    """A WebSocket API and what its function was told."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.user = ApiUser(daemon)
        self.address = daemon.endpoint_url.removeprefix("http://")
        sqs = self.user.user.sqs
        self.queue = sqs.create_queue(QueueName="websocket-chat-events")["QueueUrl"]
        variables = {"Variables": {"QUEUE": self.queue}}
        self.user.user.deploy("websocket-chat", CHAT, Environment=variables, Timeout=20)
        self.user.user.lambda_.add_permission(
            FunctionName="websocket-chat",
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
        self.arn = "arn:aws:lambda:us-east-1:000000000000:function:websocket-chat"
        client = self.user.client
        self.id = client.create_api(
            Name="chat",
            ProtocolType="WEBSOCKET",
            RouteSelectionExpression="$request.body.action",
        )["ApiId"]
        routes = ["$connect", "$disconnect", "$default", "push", "fail"]
        self.routes = {
            key: self.user.route(self.id, key, self.user.function(self.arn, "1.0"))
            for key in routes
        }
        for key in ("$default", "fail"):
            route = self.routes[key]
            client.update_route(
                ApiId=self.id, RouteId=route, RouteResponseSelectionExpression="$default"
            )
            client.create_route_response(ApiId=self.id, RouteId=route, RouteResponseKey="$default")
        client.create_deployment(ApiId=self.id)
        deployment = client.create_deployment(ApiId=self.id)["DeploymentId"]
        client.create_stage(
            ApiId=self.id,
            StageName="dev",
            DeploymentId=deployment,
            StageVariables={"colour": "red"},
        )

    def connect(self, query: str = "", stage: str = "dev", **more: Any) -> ClientConnection:
        """Open a connection by the path form."""
        url = f"ws://{self.address}/_aws/execute-api/{self.id}/{stage}{query}"
        return connect(url, compression=None, open_timeout=30, **more)

    def told(self) -> dict[str, Any]:
        """Return the next event of a beginning or an end."""
        sqs = self.user.user.sqs
        while True:
            for each in sqs.receive_message(QueueUrl=self.queue, WaitTimeSeconds=20)["Messages"]:
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])
                event: dict[str, Any] = json.loads(each["Body"])
                return event

    def management(self) -> Any:
        """Return a client of the API's own address."""
        url = f"{self.user.url}/_aws/execute-api/{self.id}/dev"
        return self.user.service("apigatewaymanagementapi", url)


@pytest.fixture(scope="module")
def chat(daemon: DaemonProcess) -> Chat:
    return Chat(daemon)


def heard(socket: ClientConnection) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(socket.recv(timeout=30))
    return found


def test_a_connection_from_its_beginning_to_its_end(chat: Chat) -> None:
    with chat.connect("?who=me&who=you", subprotocols=[Subprotocol("chat")]) as socket:
        assert socket.subprotocol == "chat"
        event = chat.told()
        context = event["requestContext"]
        assert event["headers"]["Sec-WebSocket-Version"] == "13"
        assert event["queryStringParameters"] == {"who": "you"}
        assert event["multiValueQueryStringParameters"] == {"who": ["me", "you"]}
        assert event["stageVariables"] == {"colour": "red"}
        assert (context["routeKey"], context["eventType"]) == ("$connect", "CONNECT")
        assert (context["apiId"], context["stage"]) == (chat.id, "dev")
        assert context["messageDirection"] == "IN"
        assert context["identity"]["sourceIp"] == "127.0.0.1"
        socket.send("hello")
        message = heard(socket)
        assert (message["body"], message["isBase64Encoded"]) == ("hello", False)
        assert message["requestContext"]["routeKey"] == "$default"
        assert message["requestContext"]["connectionId"] == context["connectionId"]
        assert message["requestContext"]["connectedAt"] == context["connectedAt"]
        assert message["requestContext"]["messageId"]
    end = chat.told()
    assert end["requestContext"]["eventType"] == "DISCONNECT"
    assert end["requestContext"]["disconnectStatusCode"] == 1000
    assert end["requestContext"]["connectionId"] == context["connectionId"]


def test_messages_fit_the_published_type(chat: Chat, published_types: Path, tmp_path: Path) -> None:
    with chat.connect() as socket:
        chat.told()
        socket.send("hello")
        events = {"message": heard(socket)}
    chat.told()
    # The type lacks who speaks, which AWS's developer guide has.
    own = """
    type Context = L.APIGatewayEventWebsocketRequestContextV2
      & {identity: {sourceIp: string; userAgent?: string}};
    type Message = L.APIGatewayProxyWebsocketEventV2WithRequestContext<Context>;
    """
    named = {"message": "Message"}
    assert event_types.complaints(published_types, tmp_path, events, named, own) == ""


def test_a_function_speaks_to_a_connection_from_inside_its_sandbox(chat: Chat) -> None:
    with chat.connect() as socket:
        socket.send(json.dumps({"action": "push"}))
        assert [socket.recv(timeout=30) for _ in range(3)] == ["push 0", "push 1", "push 2"]
    chat.told()
    chat.told()


def test_a_failing_function_is_said_so(chat: Chat) -> None:
    with chat.connect() as socket:
        connection_id = chat.told()["requestContext"]["connectionId"]
        socket.send(json.dumps({"action": "fail"}))
        answer = heard(socket)
        assert answer["message"] == "Internal server error"
        assert answer["connectionId"] == connection_id
    chat.told()


@pytest.mark.parametrize(("query", "stage"), [("?refuse=1", "dev"), ("", "nothing")])
def test_a_refused_handshake_is_forbidden(chat: Chat, query: str, stage: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        chat.connect(query, stage)
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["message"] == "Forbidden"
    if query:
        chat.told()


def test_connections_are_managed_by_their_identifiers(chat: Chat) -> None:
    client = chat.management()
    with chat.connect() as socket:
        connection_id = chat.told()["requestContext"]["connectionId"]
        client.post_to_connection(ConnectionId=connection_id, Data=b"hi")
        assert socket.recv(timeout=30) == "hi"
        large = b"x" * (128 * 1024)
        client.post_to_connection(ConnectionId=connection_id, Data=large)
        assert socket.recv(timeout=30) == large.decode()
        with pytest.raises(client.exceptions.PayloadTooLargeException):
            client.post_to_connection(ConnectionId=connection_id, Data=large + b"x")
        found = client.get_connection(ConnectionId=connection_id)
        assert found["Identity"]["SourceIp"] == "127.0.0.1"
        assert found["ConnectedAt"] <= found["LastActiveAt"]
        client.delete_connection(ConnectionId=connection_id)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=30)
    chat.told()
    for operation in ("get_connection", "delete_connection"):
        with pytest.raises(client.exceptions.GoneException):
            getattr(client, operation)(ConnectionId=connection_id)
    with pytest.raises(client.exceptions.GoneException):
        client.post_to_connection(ConnectionId=connection_id, Data=b"hi")
    plain = chat.user.call("-", f"/@connections/{quote(connection_id)}", headers={"Host": "x"})
    assert plain.status == 410
    assert chat.user.call("-", "/@connections/nonsense", headers={"Host": "x"}).status == 400


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("x" * (32 * 1024 + 1), 1009),
        (["x" * (32 * 1024)] * 4 + ["x"], 1009),
        (b"binary", 1003),
    ],
)
def test_what_is_too_large_or_binary_ends_the_connection(
    chat: Chat, message: str | bytes | list[str], code: int
) -> None:
    with chat.connect() as socket:
        with suppress(ConnectionClosed):
            socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
    chat.told()
    assert chat.told()["requestContext"]["disconnectStatusCode"] == code


def test_a_message_in_frames_is_one_message(chat: Chat) -> None:
    with chat.connect() as socket:
        socket.send(["a" * 32_000, "b" * 32_000, "c" * 32_000, "é" * 16_000])
        body = heard(socket)["body"]
        assert (len(body), body[-1]) == (112_000, "é")
        assert socket.ping().wait(30)
    chat.told()
    chat.told()


def test_what_is_no_handshake_is_told_what_is_served(chat: Chat) -> None:
    answer = chat.user.call(chat.id, "/dev")
    assert answer.status == 426


DECIDES = """
def handler(event, context):
    who = event["headers"].get("X-Who", "")
    effect = "Allow" if who == "yes" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    told = {"type": event["type"], "level": 7}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": who, "policyDocument": document, "context": told}
"""


def test_a_function_decides_who_may_connect(chat: Chat) -> None:
    user, client = chat.user, chat.user.client
    decides = user.deploy("websocket-decides", DECIDES)
    api_id = client.create_api(
        Name="guarded", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    authorizer = client.create_authorizer(
        ApiId=api_id,
        Name="decides",
        AuthorizerType="REQUEST",
        AuthorizerUri=decides,
        IdentitySource=["route.request.header.X-Who"],
    )["AuthorizerId"]
    function = user.function(chat.arn, "1.0")
    custom = {"AuthorizationType": "CUSTOM", "AuthorizerId": authorizer}
    with pytest.raises(client.exceptions.BadRequestException):
        user.route(api_id, "other", function, **custom)
    mock = {
        "IntegrationType": "MOCK",
        "RequestTemplates": {"$default": '{"statusCode": 200}'},
        "TemplateSelectionExpression": "\\$default",
    }
    user.route(api_id, "$connect", mock, **custom)
    more = {"RouteResponseSelectionExpression": "$default"}
    route = user.route(api_id, "$default", function, **more)
    client.create_route_response(ApiId=api_id, RouteId=route, RouteResponseKey="$default")
    client.create_stage(ApiId=api_id, StageName="dev", AutoDeploy=True)
    url = f"ws://{chat.address}/_aws/execute-api/{api_id}/dev"
    for headers, status in (({}, 401), ({"X-Who": "no"}, 403)):
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers=headers)
        assert refused.value.response.status_code == status
    with connect(url, additional_headers={"X-Who": "yes"}) as socket:
        socket.send("who am I?")
        told = heard(socket)["requestContext"]["authorizer"]
        assert told["principalId"] == "yes"
        assert (told["type"], told["level"]) == ("REQUEST", "7")


def test_a_route_without_a_function_answers_by_its_template(chat: Chat) -> None:
    client = chat.user.client
    api_id = client.create_api(
        Name="mocked", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
    )["ApiId"]
    made = client.create_integration(
        ApiId=api_id,
        IntegrationType="MOCK",
        RequestTemplates={"200": '{"statusCode": 200}'},
        TemplateSelectionExpression="200",
    )["IntegrationId"]
    client.create_integration_response(
        ApiId=api_id,
        IntegrationId=made,
        IntegrationResponseKey="/2\\d\\d/",
        ResponseTemplates={"$default": "pong of $context.connectionId"},
    )
    route = client.create_route(
        ApiId=api_id,
        RouteKey="ping",
        Target=f"integrations/{made}",
        RouteResponseSelectionExpression="$default",
    )["RouteId"]
    client.create_route_response(ApiId=api_id, RouteId=route, RouteResponseKey="$default")
    client.create_stage(ApiId=api_id, StageName="dev", AutoDeploy=True)
    with connect(f"ws://{chat.address}/_aws/execute-api/{api_id}/dev") as socket:
        socket.send('{"action": "ping"}')
        assert str(socket.recv(timeout=30)).startswith("pong of ")
        socket.send('{"action": "nothing"}')
        assert heard(socket)["message"] == "Forbidden"
