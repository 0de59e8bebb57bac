"""What HTTP APIs lead to: functions in both formats, web servers, services; and what changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.http_apis import ApiUser

pytestmark = [pytest.mark.root, pytest.mark.slow]
ROLE = "arn:aws:iam::000000000000:role/api"


@pytest.fixture(scope="module")
def front(daemon: DaemonProcess) -> ApiUser:
    return ApiUser(daemon)


@pytest.fixture(scope="module")
def arn(front: ApiUser) -> str:
    return front.deploy("http-integrations-echo")


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """A web server that answers with what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            told = {
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": self.rfile.read(length).decode(),
            }
            body = json.dumps(told).encode()
            self.send_response(207 if "odd" in self.path else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Theirs", "1")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST  # noqa: N815 - the library names them

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_format_1_has_headers_as_they_were_written(front: ApiUser, arn: str) -> None:
    api = front.http_api("first-format")
    front.route(api, "GET /pets/{id}", front.function(arn, "1.0"))
    event = front.call(api, "/pets/a%20b?x=1&x=2", headers={"X-Mixed": "v"}).document
    assert event["version"] == "1.0"
    assert (event["resource"], event["path"]) == ("/pets/{id}", "/pets/a b")
    assert event["headers"]["X-Mixed"] == "v"
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert event["pathParameters"] == {"id": "a b"}
    assert event["requestContext"]["stage"] == "$default"


def test_requests_and_responses_are_changed_as_the_integration_says(
    front: ApiUser, arn: str
) -> None:
    api = front.http_api("mapped")
    changes = {
        "append:header.x-tag": "$request.querystring.tag",
        "overwrite:header.x-who": "${context.apiId}/$request.path.id",
        "remove:header.x-secret": "''",
        "overwrite:querystring.from": "$request.body.user.name",
        "remove:querystring.tag": "''",
    }
    answers = {"200": {"overwrite:statuscode": "203", "append:header.x-new": "$context.stage"}}
    integration = front.function(arn, RequestParameters=changes, ResponseParameters=answers)
    front.route(api, "POST /in/{id}", integration)
    sent = {"X-Tag": "a", "X-Secret": "s", "Content-Type": "application/json"}
    body = json.dumps({"user": {"name": "Ada L"}}).encode()
    answer = front.call(api, "/in/7?tag=b&k=v", method="POST", body=body, headers=sent)
    assert (answer.status, answer.headers["x-new"]) == (203, "$default")
    event = answer.document
    assert event["headers"]["x-tag"] == "a,b"
    assert event["headers"]["x-who"] == f"{api}/7"
    assert "x-secret" not in event["headers"]
    assert event["queryStringParameters"] == {"k": "v", "from": "Ada L"}


def test_a_web_server_gets_the_request_and_its_answer_is_the_answer(
    front: ApiUser, web: str
) -> None:
    api = front.http_api("proxied")
    proxy = {"IntegrationType": "HTTP_PROXY", "PayloadFormatVersion": "1.0"}
    named = {**proxy, "IntegrationMethod": "ANY", "IntegrationUri": f"{web}/base/{{proxy}}"}
    front.route(api, "ANY /all/{proxy+}", named)
    moved = {"overwrite:path": "/elsewhere/$request.path.id"}
    method = {**proxy, "IntegrationMethod": "PUT", "IntegrationUri": f"{web}/x"}
    front.route(api, "GET /moved/{id}", {**method, "RequestParameters": moved})
    front.route(api, "$default", {**named, "IntegrationUri": web})
    answer = front.call(api, "/all/a/odd?q=1", method="POST", body=b"hello")
    assert (answer.status, answer.headers["x-theirs"]) == (207, "1")
    told = answer.document
    assert (told["method"], told["path"], told["body"]) == ("POST", "/base/a/odd?q=1", "hello")
    assert told["headers"]["host"] == web.removeprefix("http://")
    assert api in told["headers"]["forwarded"]
    told = front.call(api, "/moved/5").document
    assert (told["method"], told["path"]) == ("PUT", "/elsewhere/5")
    assert front.call(api, "/any/other").document["path"] == "/any/other"


def test_a_web_server_that_is_not_there_is_unavailable(front: ApiUser) -> None:
    api = front.http_api("nobody")
    proxy = {
        "IntegrationType": "HTTP_PROXY",
        "IntegrationMethod": "GET",
        "IntegrationUri": "http://127.0.0.1:1/",
        "PayloadFormatVersion": "1.0",
    }
    front.route(api, "GET /dead", proxy)
    front.route(api, "GET /host", {**proxy, "IntegrationUri": "http://169.254.169.254/latest"})
    for path in ("/dead", "/host"):
        answer = front.call(api, path)
        assert (answer.status, answer.document) == (503, {"message": "Service Unavailable"})


def service(subtype: str, parameters: dict[str, str]) -> dict[str, Any]:
    return {
        "IntegrationType": "AWS_PROXY",
        "IntegrationSubtype": subtype,
        "CredentialsArn": ROLE,
        "PayloadFormatVersion": "1.0",
        "RequestParameters": parameters,
    }


def test_a_queue_gets_a_message_without_a_function(front: ApiUser) -> None:
    sqs = front.user.sqs
    url = sqs.create_queue(QueueName="http-integrations-queue")["QueueUrl"]
    api = front.http_api("queue")
    send = service("SQS-SendMessage", {"QueueUrl": url, "MessageBody": "$request.body.text"})
    front.route(api, "POST /messages", send)
    answer = front.call(api, "/messages", method="POST", body=b'{"text": "hello"}')
    assert answer.status == 200, answer.body
    assert b"<SendMessageResponse" in answer.body
    found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert found[0]["Body"] == "hello"
    assert found[0]["MessageId"].encode() in answer.body
    assert front.call(api, "/messages", method="POST", body=b"{}").status == 400


def test_a_stream_and_a_bus_get_theirs(front: ApiUser) -> None:
    kinesis = front.service("kinesis")
    kinesis.create_stream(StreamName="http-integrations-stream", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="http-integrations-stream")
    api = front.http_api("stream")
    put = {
        "StreamName": "http-integrations-stream",
        "Data": "$request.body",
        "PartitionKey": "$request.querystring.key",
    }
    front.route(api, "POST /records", service("Kinesis-PutRecord", put))
    told = {"Detail": "$request.body", "DetailType": "Order", "Source": "shop"}
    front.route(api, "POST /events", service("EventBridge-PutEvents", told))
    answer = front.call(api, "/records?key=k", method="POST", body=b"data")
    assert answer.document["ShardId"].startswith("shardId-")
    answer = front.call(api, "/events", method="POST", body=b'{"id": 1}')
    assert answer.document["FailedEntryCount"] == 0


def test_a_stage_lets_through_what_it_is_set_to(front: ApiUser, arn: str) -> None:
    api = front.http_api("throttled")
    front.route(api, "GET /slow", front.function(arn))
    front.route(api, "GET /fast", front.function(arn))
    front.client.update_stage(
        ApiId=api,
        StageName="$default",
        RouteSettings={
            "GET /slow": {"ThrottlingRateLimit": 0.001, "ThrottlingBurstLimit": 2},
        },
        AccessLogSettings={"DestinationArn": "arn:aws:logs:us-east-1:0:log-group:x", "Format": "$"},
    )
    statuses = [front.call(api, "/slow").status for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert front.call(api, "/slow").document == {"message": "Too Many Requests"}
    assert front.call(api, "/fast").status == 200
    front.client.delete_route_settings(ApiId=api, StageName="$default", RouteKey="GET /slow")
    front.client.delete_access_log_settings(ApiId=api, StageName="$default")
    assert front.call(api, "/slow").status == 200
    assert "AccessLogSettings" not in front.client.get_stage(ApiId=api, StageName="$default")


def test_a_stage_serves_what_was_deployed_to_it(front: ApiUser, arn: str) -> None:
    api = front.http_api("deployed")
    front.client.create_stage(ApiId=api, StageName="prod")
    assert front.call(api, "/prod/a").status == 404
    front.route(api, "GET /a", front.function(arn))
    assert (front.call(api, "/a").status, front.call(api, "/prod/a").status) == (200, 404)
    front.client.create_deployment(ApiId=api, StageName="prod")
    assert front.call(api, "/prod/a").document["requestContext"]["stage"] == "prod"
    front.route(api, "GET /b", front.function(arn))
    assert (front.call(api, "/b").status, front.call(api, "/prod/b").status) == (200, 404)


def test_stage_variables_choose_the_function(front: ApiUser, arn: str) -> None:
    api = front.http_api("variables")
    wanted = arn.replace("http-integrations-echo", "${stageVariables.name}")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{wanted}/invocations"
    front.route(api, "GET /", front.function(uri))
    assert front.call(api, "/").status == 500
    front.client.update_stage(
        ApiId=api, StageName="$default", StageVariables={"name": "http-integrations-echo"}
    )
    assert front.call(api, "/").document["stageVariables"] == {"name": "http-integrations-echo"}


NO_HEADER = """
def handler(event, context):
    return {"statusCode": 200, "headers": {"not a name": "x"}, "body": "y"}
"""


def test_what_cannot_be_sent_or_meant_is_answered_at_once(front: ApiUser, arn: str) -> None:
    api = front.http_api("odd")
    bad = front.deploy("http-integrations-no-header", NO_HEADER)
    for version in ("1.0", "2.0"):
        front.route(api, f"GET /v{version[0]}", front.function(bad, version))
    front.route(api, "GET /", front.function(arn))
    assert [front.call(api, path).status for path in ("/v1", "/v2")] == [500, 500]
    assert front.call(api, "/?" + "&".join(["a=1"] * 1_001)).status == 400
    assert front.call(api, "/?" + "&".join(["a=1"] * 1_000)).status == 200
