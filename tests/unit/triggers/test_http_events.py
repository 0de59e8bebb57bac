"""Requests as events, and answers as responses."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.protocol.http import HttpRequest
from lambdad.triggers.http_events import Arrival, InvalidResponse, event_v2, is_textual, response_of

ARRIVAL = Arrival(
    domain="abc.lambda-url.us-east-1.localhost",
    api_id="abc",
    account_id="anonymous",
    request_id="id-1",
    source_ip="127.0.0.1",
    port="4566",
    scheme="http",
    moment=datetime(2020, 3, 12, 19, 3, 58, tzinfo=UTC),
    trace_header="Root=1-0-0",
)


def an_event(**request: object) -> dict[str, object]:
    values = {"method": "GET", "path": "/", **request}
    sent = HttpRequest(**values)  # type: ignore[arg-type]
    return event_v2(sent, ARRIVAL, path=sent.path)


def test_a_request_is_an_event_of_format_2() -> None:
    event = an_event(
        method="POST",
        path="/pa2%Fth/1",
        query="a=1&a=2&b=&c=%20x",
        headers={"content-type": "application/json", "cookie": "k=v; l=w", "user-agent": "me"},
        body=b'{"x":1}',
    )
    assert event["rawPath"] == "/pa2%Fth/1"
    assert event["rawQueryString"] == "a=1&a=2&b=&c=%20x"
    assert event["queryStringParameters"] == {"a": "1,2", "b": "", "c": " x"}
    assert event["cookies"] == ["k=v", "l=w"]
    assert "cookie" not in event["headers"]  # type: ignore[operator]
    assert (event["body"], event["isBase64Encoded"]) == ('{"x":1}', False)
    context = event["requestContext"]
    assert context["time"] == "12/Mar/2020:19:03:58 +0000"  # type: ignore[index]
    assert context["http"] == {  # type: ignore[index]
        "method": "POST",
        "path": "/pa2%Fth/1",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "me",
    }


def test_without_body_or_query_their_members_are_absent() -> None:
    event = an_event()
    assert not {"body", "queryStringParameters", "cookies"} & set(event)
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("content_type", "textual"),
    [
        ("text/plain; charset=utf-8", True),
        ("application/json", True),
        ("application/problem+json", True),
        ("application/xml", True),
        ("application/x-www-form-urlencoded", False),
        ("multipart/form-data; boundary=x", False),
        ("application/octet-stream", False),
        ("", False),
    ],
)
def test_only_text_is_passed_as_text(content_type: str, textual: bool) -> None:
    assert is_textual(content_type) is textual


def test_text_that_is_none_is_base64() -> None:
    event = an_event(method="POST", headers={"content-type": "text/plain"}, body=b"\xff\xfe")
    assert (event["body"], event["isBase64Encoded"]) == ("//4=", True)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ("hello", b"hello"),
        ([1, {"a": 2}], b'[1,{"a":2}]'),
        (5, b"5"),
        (None, b"null"),
        ({"a": 1}, b'{"a":1}'),
    ],
)
def test_a_bare_value_is_the_body_of_a_200(answer: object, body: bytes) -> None:
    response = response_of(json.dumps(answer).encode())
    assert (response.status, response.body) == (200, body)
    assert response.headers == {"content-type": "application/json"}


def test_an_object_with_a_status_describes_the_response() -> None:
    answer = {
        "statusCode": 201,
        "headers": {"Content-Type": "text/html", "X-N": 5, "x-b": True},
        "cookies": ["a=1", "b=2"],
        "body": "aGk=",
        "isBase64Encoded": True,
    }
    response = response_of(json.dumps(answer).encode())
    assert (response.status, response.body, response.cookies) == (201, b"hi", ("a=1", "b=2"))
    assert response.headers == {"content-type": "text/html", "x-n": "5", "x-b": "true"}


def test_a_body_that_is_an_object_is_its_json() -> None:
    assert response_of(b'{"statusCode":200,"body":{"a":1}}').body == b'{"a":1}'


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "no"},
        {"statusCode": 99},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": float("inf")},
        {"statusCode": 200, "headers": {"a": {}}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "body": "%", "isBase64Encoded": True},
    ],
)
def test_an_answer_that_describes_no_response_is_refused(answer: object) -> None:
    with pytest.raises(InvalidResponse):
        response_of(json.dumps(answer).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(answer=JSON | st.fixed_dictionaries({"statusCode": JSON, "headers": JSON, "body": JSON}))
def test_whatever_a_function_answers_is_a_response_or_refused(answer: object) -> None:
    try:
        response = response_of(json.dumps(answer).encode())
    except InvalidResponse:
        return
    assert 100 <= response.status <= 599
