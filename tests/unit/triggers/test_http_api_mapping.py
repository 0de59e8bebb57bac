"""What integrations of HTTP APIs change, and how many requests a stage lets through."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.testing.clock import FakeClock
from lambdad.triggers.http_api.calls import Call
from lambdad.triggers.http_api.model import Api
from lambdad.triggers.http_api.parameter_mapping import (
    is_reserved,
    mapped_request,
    mapped_response,
    resolved,
)
from lambdad.triggers.http_events import Arrival
from lambdad.triggers.throttling import Throttle


def call(request: HttpRequest, authorizer: dict[str, Any] | None = None) -> Call:
    api = Api("111122223333", "us-east-1", {"ApiId": "abc", "ProtocolType": "HTTP"})
    api.parts["stage"]["dev"] = {"StageVariables": {"colour": "red"}}
    arrival = Arrival(
        domain="abc.example",
        api_id="abc",
        account_id="111122223333",
        request_id="00000000-0000-0000-0000-000000000001",
        source_ip="10.0.0.1",
        port="80",
        scheme="http",
        moment=datetime(2026, 1, 2, tzinfo=UTC),
        trace_header="",
    )
    return Call(
        api=api,
        stage="dev",
        served=api.parts,
        route={"RouteKey": "GET /items/{id}"},
        variables={"id": "7"},
        path="/dev/items/7",
        below_stage="/items/7",
        request=request,
        arrival=arrival,
        authorizer=authorizer,
    )


REQUEST = HttpRequest(
    method="POST",
    path="/items/7",
    query="a=1&a=2&b=x%20y",
    headers={"x-one": "1", "user-agent": "u"},
    body=b'{"user": {"name": "Ada", "tags": ["t0", "t1"]}, "n": 5}',
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("$request.header.X-One", "1"),
        ("$request.header.missing", ""),
        ("$request.querystring.a", "1,2"),
        ("$request.querystring.b", "x y"),
        ("$request.path.id", "7"),
        ("$request.path", "/items/7"),
        ("$request.body.user.name", "Ada"),
        ("$request.body.user.tags[1]", "t1"),
        ("$request.body.n", "5"),
        ("$request.body.user.tags", '["t0","t1"]'),
        ("$stageVariables.colour", "red"),
        ("$context.apiId", "abc"),
        ("$context.identity.sourceIp", "10.0.0.1"),
        ("$context.authorizer.claims.sub", "me"),
        ("${request.path.id}-${stageVariables.colour}", "7-red"),
    ],
)
def test_a_variable_has_its_value(text: str, value: str) -> None:
    told = {"jwt": {"claims": {"sub": "me"}, "scopes": None}}
    assert resolved(call(REQUEST, told), {"p": text}) == {"p": value}


def test_a_request_is_changed_as_each_action_says() -> None:
    changed = mapped_request(
        call(REQUEST),
        {
            "append:header.X-One": "2",
            "overwrite:header.x-two": "two",
            "remove:header.user-agent": "''",
            "append:querystring.a": "3",
            "remove:querystring.b": "''",
            "overwrite:path": "a b/$request.path.id",
        },
    )
    assert changed.headers == {"x-one": "1,2", "x-two": "two"}
    assert changed.query == "a=1&a=2&a=3"
    assert changed.path == "/a%20b/7"


def test_no_mapping_can_end_a_header_or_a_path() -> None:
    evil = HttpRequest(method="GET", path="/", body=b'{"x": "a\\r\\nHost: b"}')
    changed = mapped_request(call(evil), {"overwrite:path": "$request.body.x"})
    assert changed.path == "/a%0D%0AHost:%20b"


def test_a_response_is_changed_for_its_status_alone() -> None:
    answer = HttpResponse(status=200, headers={"x-a": "1"}, body=b'{"code": 3}')
    changes = {
        "200": {
            "overwrite:statuscode": "418",
            "append:header.x-a": "$response.body.code",
            "overwrite:header.x-b": "$response.header.x-a",
        }
    }
    changed = mapped_response(call(REQUEST), answer, changes)
    assert (changed.status, changed.headers) == (418, {"x-a": "1,3", "x-b": "1"})
    assert mapped_response(call(REQUEST), HttpResponse(status=500), changes).status == 500
    odd = mapped_response(call(REQUEST), answer, {"200": {"overwrite:statuscode": "9999"}})
    assert odd.status == 200


def test_headers_of_the_gateway_are_its_own() -> None:
    assert is_reserved("overwrite:header.Authorization")
    assert is_reserved("append:header.x-forwarded-for")
    assert not is_reserved("append:header.x-mine")


def test_a_bucket_lets_through_its_burst_and_then_its_rate() -> None:
    clock = FakeClock()
    throttle = Throttle(clock)
    taken = [throttle.take("a", rate=2, burst=3) for _ in range(5)]
    assert taken == [True, True, True, False, False]
    assert throttle.take("b", rate=2, burst=3)
    clock.advance(0.5)
    assert throttle.take("a", rate=2, burst=3)
    assert not throttle.take("a", rate=2, burst=3)
