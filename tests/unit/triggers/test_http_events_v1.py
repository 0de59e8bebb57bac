"""Requests as events of format 1.0, and the answers to them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from lambdad.protocol.http import HttpRequest
from lambdad.triggers.http_events import Arrival, InvalidResponse
from lambdad.triggers.http_events_v1 import event_v1, response_v1

ARRIVAL = Arrival(
    domain="abc.execute-api.us-east-1.localhost",
    api_id="abc",
    account_id="123456789012",
    request_id="9e9b1b8a-1f5e-4f5e-8f6a-0123456789ab",
    source_ip="127.0.0.1",
    port="4566",
    scheme="http",
    moment=datetime(2015, 4, 9, 12, 34, 56, tzinfo=UTC),
    trace_header="Root=1-0-0",
)
HEAD = b"GET /dev/a?x=1&x=2 HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\nUser-Agent: me\r\n\r\n"


def a_request(**members: object) -> HttpRequest:
    values = {
        "method": "GET",
        "path": "/dev/a",
        "query": "x=1&x=2",
        "head": HEAD,
        "headers": {"host": "h", "x-two": "1,2", "user-agent": "me"},
        **members,
    }
    return HttpRequest(**values)  # type: ignore[arg-type]


def test_headers_keep_their_case_and_repeated_ones_all_their_values() -> None:
    event = event_v1(a_request(), ARRIVAL, path="/dev/a", resource="/a", stage="dev")
    assert event["headers"] == {
        "Host": "h",
        "X-Two": "2",
        "User-Agent": "me",
        "X-Amzn-Trace-Id": "Root=1-0-0",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Port": "4566",
        "X-Forwarded-Proto": "http",
    }
    assert event["multiValueHeaders"]["X-Two"] == ["1", "2"]
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert event["queryStringParameters"] == {"x": "2"}


def test_what_is_missing_is_null() -> None:
    event = event_v1(a_request(query=""), ARRIVAL, path="/dev/a", resource="/a", stage="dev")
    for member in ("queryStringParameters", "pathParameters", "stageVariables", "body"):
        assert event[member] is None
    assert event["isBase64Encoded"] is False


def test_the_context_says_who_when_and_where() -> None:
    event = event_v1(a_request(), ARRIVAL, path="/dev/a", resource="/a", stage="dev")
    context = event["requestContext"]
    assert context["requestTime"] == "09/Apr/2015:12:34:56 +0000"
    assert context["requestTimeEpoch"] == 1428582896000
    assert (context["domainPrefix"], context["stage"], context["resourcePath"]) == (
        "abc",
        "dev",
        "/a",
    )
    assert context["identity"]["userAgent"] == "me"


@pytest.mark.parametrize(
    ("content_type", "binary", "expected"),
    [
        ("text/plain", None, ("hé", False)),
        ("image/png", None, ("aMOp", True)),
        ("text/plain", True, ("aMOp", True)),
        ("image/png", False, ("hé", False)),
    ],
)
def test_a_body_is_text_unless_it_counts_as_binary(
    content_type: str, binary: bool | None, expected: tuple[str, bool]
) -> None:
    request = a_request(headers={"content-type": content_type}, body="hé".encode(), head=b"")
    event = event_v1(request, ARRIVAL, path="/", resource="/", stage="dev", binary=binary)
    assert (event["body"], event["isBase64Encoded"]) == expected


def test_headers_of_an_answer_may_have_several_values() -> None:
    answer = {
        "statusCode": "201",
        "headers": {"X-One": 1, "X-Both": "lost"},
        "multiValueHeaders": {"x-both": ["a", "b"], "Set-Cookie": ["k=v", "l=w"]},
        "body": "made",
    }
    response = response_v1(json.dumps(answer).encode())
    assert (response.status, response.body) == (201, b"made")
    assert response.headers == {"x-one": "1", "content-type": "application/json"}
    assert response.repeated == (("x-both", "a"), ("x-both", "b"))
    assert response.cookies == ("k=v", "l=w")


@pytest.mark.parametrize(
    "answer",
    [
        "text",
        None,
        [],
        {},
        {"statusCode": "no"},
        {"statusCode": 99},
        {"statusCode": True},
        {"statusCode": 200, "body": {"an": "object"}},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "multiValueHeaders": {"a": "b"}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_an_answer_that_is_no_response_is_invalid(answer: object) -> None:
    with pytest.raises(InvalidResponse):
        response_v1(json.dumps(answer).encode())
