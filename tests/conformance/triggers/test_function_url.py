"""Function URLs over HTTP: by host name and by path, whole and streamed."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

APP = """
import json

def handler(event, context):
    path = event["rawPath"]
    if path == "/fail":
        raise ValueError("no")
    if path == "/bare":
        return "hello"
    if path == "/odd":
        return {"statusCode": "odd"}
    if path == "/cookies":
        made = {"statusCode": 201, "headers": {"X-Own": "yes"}, "body": "made"}
        return {**made, "cookies": ["a=1", "b=2"]}
    return event
"""

STREAM = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  const head = { statusCode: 202, headers: { 'x-own': 'yes' }, cookies: ['a=1'] };
  if (event.rawPath === '/head') stream = awslambda.HttpResponseStream.from(stream, head);
  else stream.setContentType('text/plain');
  stream.write('one');
  if (event.rawPath === '/break') {
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new Error('half way');
  }
  stream.write('two');
  stream.end();
});
"""


class Browser:
    """Speaks HTTP to a URL whose host name does not resolve here."""

    def __init__(self, endpoint_url: str, function_url: str) -> None:
        self.endpoint = urlsplit(endpoint_url).netloc
        self.host = urlsplit(function_url).netloc

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self.endpoint, timeout=30)
        try:
            connection.request(method, path, body, {"Host": self.host, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


def allow_everybody(user: Deployer, name: str) -> None:
    user.lambda_.add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    user.lambda_.add_permission(
        FunctionName=name, StatementId="invoke", Action="lambda:InvokeFunction", Principal="*"
    )


def with_url(user: Deployer, daemon: DaemonProcess, name: str, **config: Any) -> Browser:
    created = user.lambda_.create_function_url_config(
        FunctionName=name, **{"AuthType": "NONE", **config}
    )
    return Browser(daemon.endpoint_url, created["FunctionUrl"])


@pytest.fixture(scope="module")
def url(user: Deployer, daemon: DaemonProcess) -> Browser:
    user.deploy("web", APP)
    allow_everybody(user, "web")
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["*"]}
    return with_url(user, daemon, "web", Cors=cors)


def test_a_request_reaches_the_function_as_an_event(url: Browser) -> None:
    headers = {"Content-Type": "text/plain", "Cookie": "k=v", "X-Custom": "1"}
    status, answered, body = url.ask("POST", "/some/path?x=1&x=2", b"text", headers)
    event = json.loads(body)
    assert status == 200
    assert answered["Content-Type"] == "application/json"
    assert event["rawPath"] == "/some/path"
    assert event["queryStringParameters"] == {"x": "1,2"}
    assert event["headers"]["x-custom"] == "1"
    assert event["cookies"] == ["k=v"]
    assert (event["body"], event["isBase64Encoded"]) == ("text", False)
    assert event["requestContext"]["accountId"] == "anonymous"
    assert event["requestContext"]["requestId"] == answered["x-amzn-RequestId"]


def test_the_path_form_needs_no_host_name(url: Browser) -> None:
    url_id = url.host.split(".")[0]
    by_path = Browser(f"http://{url.endpoint}", f"http://{url.endpoint}")
    status, _, body = by_path.ask("GET", f"/_lambdad/function-urls/{url_id}/deep/er?q=1")
    assert status == 200
    assert json.loads(body)["rawPath"] == "/deep/er"


def test_answers_become_responses(url: Browser) -> None:
    assert url.ask("GET", "/bare")[2] == b"hello"
    status, headers, body = url.ask("GET", "/cookies")
    assert (status, body) == (201, b"made")
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert headers["x-own"] == "yes"


@pytest.mark.parametrize("path", ["/fail", "/odd"])
def test_failures_are_a_bad_gateway(url: Browser, path: str) -> None:
    status, _, body = url.ask("GET", path)
    assert (status, body) == (502, b"Internal Server Error")


def test_an_unknown_url_is_forbidden(url: Browser) -> None:
    stranger = Browser(f"http://{url.endpoint}", f"http://{'a' * 32}.lambda-url.us-east-1.x")
    status, headers, body = stranger.ask("GET", "/")
    assert (status, json.loads(body)) == (403, {"Message": None})
    assert headers["x-amzn-ErrorType"] == "AccessDeniedException"


def test_preflights_are_answered_for_the_function(url: Browser) -> None:
    question = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    status, headers, body = url.ask("OPTIONS", "/", None, question)
    assert (status, body) == (200, b"")
    assert headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_without_a_policy_nobody_may_call(user: Deployer, daemon: DaemonProcess) -> None:
    user.deploy("closed", APP)
    status, _, body = with_url(user, daemon, "closed").ask("GET", "/")
    assert status == 403
    assert json.loads(body)["Message"].startswith("Forbidden. For troubleshooting")


def test_aws_iam_wants_a_signature(user: Deployer, daemon: DaemonProcess) -> None:
    user.deploy("signed", APP)
    browser = with_url(user, daemon, "signed", AuthType="AWS_IAM")
    assert browser.ask("GET", "/")[0] == 403
    credentials = boto3.session.Session(
        aws_access_key_id="000000000000", aws_secret_access_key="test"
    ).get_credentials()
    request = AWSRequest("GET", f"http://{browser.host}/", headers={"host": browser.host})
    SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
    status, _, body = browser.ask("GET", "/", None, dict(request.headers))
    assert status == 200
    iam = json.loads(body)["requestContext"]["authorizer"]["iam"]
    assert iam["accountId"] == "000000000000"


@pytest.fixture(scope="module")
def stream(user: Deployer, daemon: DaemonProcess) -> Browser:
    user.deploy("web-stream", {"i.js": STREAM}, Runtime="nodejs20.x", Handler="i.handler")
    allow_everybody(user, "web-stream")
    return with_url(user, daemon, "web-stream", InvokeMode="RESPONSE_STREAM")


def test_a_streamed_response_has_the_runtimes_type(stream: Browser) -> None:
    status, headers, body = stream.ask("GET", "/")
    assert (status, headers["Content-Type"], body) == (200, "text/plain", b"onetwo")


def test_a_prelude_sets_status_headers_and_cookies(stream: Browser) -> None:
    status, headers, body = stream.ask("GET", "/head")
    assert (status, headers["x-own"], body) == (202, "yes", b"onetwo")
    assert headers.get_all("Set-Cookie") == ["a=1"]


def test_a_failure_half_way_cuts_the_connection(stream: Browser) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        stream.ask("GET", "/break")
