"""Requests that go by calls alone are answered as all others.

A connection that its client does not keep open takes the general way; one that is kept, the shorter
one where it can.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.http_apis import ApiUser

pytestmark = [pytest.mark.root, pytest.mark.slow]

DOES = """
import json, time
def handler(event, context):
    does = (event.get("queryStringParameters") or {}).get("does")
    if does == "raise":
        raise ValueError("no")
    if does == "wait":
        time.sleep(2)
    if does == "cookies":
        return {"statusCode": 201, "cookies": ["a=b"], "headers": {"X-Own": "1"}, "body": "x"}
    if does == "nonsense":
        return {"statusCode": "none"}
    if does == "deep":
        return {"statusCode": 200, "body": eval("[" * 90 + "]" * 90)}
    return {"statusCode": 200, "body": json.dumps(event)}
"""
OF_A_REQUEST = ("apigw-requestid", "connection", "date")
_ASKED = [
    ("GET", "/items/4%205?x=1&x=2", b""),
    ("GET", "/items/1?does=raise", b""),
    ("GET", "/items/1?does=cookies", b""),
    ("GET", "/items/1?does=nonsense", b""),
    ("GET", "/items/1?does=deep", b""),
    ("GET", "/items/1?does=wait", b""),
    ("GET", "/elsewhere", b""),
    ("POST", "/items/1", b'{"a": "\xc3\xa4"}'),
    ("POST", "/items/1", b"\xff\x00"),
    ("HEAD", "/items/1", b""),
    ("GET", "/first/1?a=%20", b""),
    ("POST", "/first/1", b"text"),
    ("GET", "/signed", b""),
    ("GET", "/nobody", b""),
]


class Caller:
    """Asks an API on a connection that stays open, or on a new one for each request."""

    def __init__(self, url: str, api_id: str, *, keep: bool) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._prefix = f"/_aws/execute-api/{api_id}"
        self._keep = keep

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        sent = {"X-Given": "yes", "Cookie": "c=1; d=2", **(headers or {})}
        if not self._keep:
            sent["Connection"] = "close"
        self._connection.request(method, self._prefix + path, body or None, sent)
        answer = self._connection.getresponse()
        found = answer.read()
        if not self._keep:
            self._connection.close()
        return answer.status, answer.getheaders(), found

    def close(self) -> None:
        self._connection.close()


def _alike(answer: tuple[int, list[tuple[str, str]], bytes]) -> Any:
    """Return what must be the same of two requests."""
    status, headers, body = answer
    kept = [(name, value) for name, value in headers if name.lower() not in OF_A_REQUEST]
    try:
        event = json.loads(body)
    except ValueError:
        return status, kept, body
    if not isinstance(event, dict) or "requestContext" not in event:
        return status, kept, event
    context = event["requestContext"]
    for name in (
        "requestId",
        "extendedRequestId",
        "time",
        "timeEpoch",
        "requestTime",
        "requestTimeEpoch",
    ):
        context.pop(name, None)
    for member in ("headers", "multiValueHeaders"):
        for name in ("x-amzn-trace-id", "X-Amzn-Trace-Id", "connection", "Connection"):
            event.get(member, {}).pop(name, None)
    kept = [each for each in kept if each[0].lower() != "content-length"]
    return status, kept, event


@pytest.fixture
def front(daemon: DaemonProcess) -> ApiUser:
    return ApiUser(daemon)


def _api(front: ApiUser, name: str, **more: Any) -> str:
    arn = front.deploy(name, DOES)
    api_id = front.http_api(name)
    function = front.function(arn, TimeoutInMillis=1_000)
    front.route(api_id, "ANY /items/{id}", function)
    front.route(api_id, "ANY /first/{id}", front.function(arn, version="1.0"))
    front.route(api_id, "GET /signed", function, AuthorizationType="AWS_IAM")
    front.route(api_id, "GET /nobody", front.function(f"{arn}-absent"))
    if more:
        front.client.update_api(ApiId=api_id, **more)
    return api_id


@pytest.mark.parametrize("cors", [False, True])
def test_both_ways_have_the_same_answers(front: ApiUser, cors: bool) -> None:
    more = {"CorsConfiguration": {"AllowOrigins": ["https://a.example"]}} if cors else {}
    api_id = _api(front, f"http-plain-{'cors' if cors else 'same'}", **more)
    short, general = (Caller(front.url, api_id, keep=keep) for keep in (True, False))
    for asked in _ASKED:
        origin = {"Origin": "https://a.example"}
        answers = [_alike(each.ask(*asked, headers=origin)) for each in (short, general)]
        assert answers[0] == answers[1], asked
    short.close()


def test_a_change_of_a_functions_policy_takes_effect_at_the_next_request(front: ApiUser) -> None:
    name = "http-plain-policies"
    api_id = _api(front, name)
    callers = [Caller(front.url, api_id, keep=keep) for keep in (True, False)]

    def statuses() -> list[int]:
        return [caller.ask("GET", "/items/1")[0] for caller in callers for _ in range(2)]

    assert statuses() == [200] * 4
    front.user.lambda_.remove_permission(FunctionName=name, StatementId="api")
    assert statuses() == [500] * 4
    source = f"arn:aws:execute-api:us-east-1:000000000000:{api_id}/*/*/items/{{id}}"
    permission = {
        "FunctionName": name,
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
    }
    front.user.lambda_.add_permission(
        **permission, StatementId="others", SourceArn=source.replace(api_id, "a" * 10)
    )
    assert statuses() == [500] * 4
    front.user.lambda_.add_permission(**permission, StatementId="own", SourceArn=source)
    assert statuses() == [200] * 4
    callers[0].close()
