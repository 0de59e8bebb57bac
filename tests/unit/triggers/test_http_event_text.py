"""Events whose text is put together are those that would be made and encoded, letter by letter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdad.protocol.http import HttpRequest
from lambdad.triggers.http_api.calls import Call
from lambdad.triggers.http_api.integrations import event_of
from lambdad.triggers.http_api.model import Api
from lambdad.triggers.http_event_text import ENCODER, event_text
from lambdad.triggers.http_events import Arrival

TEXT = st.text(max_size=12)
NAMES = st.sampled_from(["host", "accept", "user-agent", "connection", "te", "content-type", "x-é"])
TYPES = st.sampled_from(["application/json", "text/plain", "image/png", ""])


def call(request: HttpRequest, route: str, variables: Any, stage_variables: Any) -> Call:
    api = Api("111122223333", "us-east-1", {"ApiId": "abc", "ProtocolType": "HTTP"})
    api.parts["stage"]["dev"] = {"StageVariables": stage_variables}
    arrival = Arrival(
        domain='abc."example',
        api_id="abc",
        account_id="111122223333",
        request_id="00000000-0000-0000-0000-000000000001",
        source_ip="10.0.0.1",
        port="80",
        scheme="http",
        moment=datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC),
        trace_header="Root=1-2;Parent=3",
    )
    return Call(
        api=api,
        stage="dev",
        served=api.parts,
        route={"RouteKey": route},
        variables=variables,
        path=request.path,
        below_stage=request.path,
        request=request,
        arrival=arrival,
    )


def put_together(made: Call) -> str | None:
    return event_text(
        made.request,
        made.arrival,
        path=made.path,
        route_key=made.route_key,
        stage=made.stage,
        variables=made.variables,
        stage_variables=made.stage_variables,
    )


@settings(max_examples=300)
@given(
    st.builds(
        HttpRequest,
        method=st.sampled_from(["GET", "POST"]),
        path=TEXT.map("/{}".format),
        query=st.sampled_from(["", "a=1&a=2&b=x%20y", 'q="%C3%A4"', "=&;"]),
        headers=st.dictionaries(NAMES, st.one_of(TEXT, TYPES), max_size=5),
        body=st.one_of(st.just(b""), st.just(b'{"a": "\xc3\xa4"}'), st.binary(max_size=9)),
        head=st.just(b"GET / HTTP/1.1"),
    ),
    st.sampled_from(["$default", "ANY /items/{id}"]),
    st.dictionaries(TEXT, TEXT, max_size=2),
    st.dictionaries(TEXT, TEXT, max_size=2),
)
def test_the_text_is_that_of_the_event(
    request: HttpRequest, route: str, variables: dict[str, str], stage_variables: dict[str, str]
) -> None:
    made = call(request, route, variables, stage_variables)
    assert put_together(made) == ENCODER.encode(event_of(made, request, first=False))


@pytest.mark.parametrize("name", ["cookie", "x-forwarded-for", "x-amzn-trace-id"])
def test_what_is_less_usual_is_not_put_together(name: str) -> None:
    request = HttpRequest(method="GET", path="/", headers={name: "x"}, head=b"GET / HTTP/1.1")
    assert put_together(call(request, "$default", {}, {})) is None
    for head in (b"", b"x" * 2_049):
        request = HttpRequest(method="GET", path="/", head=head)
        assert put_together(call(request, "$default", {}, {})) is None
