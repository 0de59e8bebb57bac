"""Requests that go by calls alone are answered as all others.

A connection that its client does not keep open takes the general way; one that is kept, the shorter
one where it can.
"""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.testing.api_callers import ApiCaller, alike
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
    short, general = (ApiCaller(front.url, api_id, keep=keep) for keep in (True, False))
    for asked in _ASKED:
        origin = {"Origin": "https://a.example"}
        answers = [alike(each.ask(*asked, headers=origin)) for each in (short, general)]
        assert answers[0] == answers[1], asked
    short.close()


def test_a_change_of_a_functions_policy_takes_effect_at_the_next_request(front: ApiUser) -> None:
    name = "http-plain-policies"
    api_id = _api(front, name)
    callers = [ApiCaller(front.url, api_id, keep=keep) for keep in (True, False)]

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


def test_a_change_of_the_api_takes_effect_at_the_next_request(front: ApiUser) -> None:
    """What a request was found to ask for is remembered only until then."""
    api_id = _api(front, "http-plain-changes")
    caller = ApiCaller(front.url, api_id, keep=True)

    def statuses(path: str = "/items/1") -> set[int]:
        return {caller.ask("GET", path)[0] for _ in range(2)}

    client, own = front.client, {"ApiId": api_id}
    assert (statuses(), statuses("/other")) == ({200}, {404})
    found = {each["RouteKey"]: each for each in client.get_routes(**own)["Items"]}
    items = found["ANY /items/{id}"]
    client.update_route(**own, RouteId=items["RouteId"], AuthorizationType="AWS_IAM")
    assert statuses() == {403}
    client.update_route(**own, RouteId=items["RouteId"], AuthorizationType="NONE")
    assert statuses() == {200}
    client.create_route(**own, RouteKey="GET /other", Target=items["Target"])
    assert statuses("/other") == {200}
    nobody = found["GET /nobody"]["Target"]
    client.update_route(**own, RouteId=items["RouteId"], Target=nobody)
    assert statuses() == {500}
    client.delete_route(**own, RouteId=items["RouteId"])
    assert statuses() == {404}
    caller.close()
