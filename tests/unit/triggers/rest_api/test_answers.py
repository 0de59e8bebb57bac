"""Which deployment answers, and in which form."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest

from lambdad.protocol.http import HttpResponse
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.canaries import served
from lambdad.triggers.rest_api.compression import compressed
from lambdad.triggers.rest_api.model import RestApi

MakeCall = Callable[..., Call]
STAGE = {
    "deploymentId": "old",
    "variables": {"a": "1", "b": "1"},
    "canarySettings": {
        "deploymentId": "new",
        "percentTraffic": 25.0,
        "stageVariableOverrides": {"b": "2"},
    },
}


@pytest.mark.parametrize(
    ("drawn", "deployment", "variables"),
    [
        (0.0, "new", {"a": "1", "b": "2"}),
        (0.249, "new", {"a": "1", "b": "2"}),
        (0.25, "old", {"a": "1", "b": "1"}),
        (0.999, "old", {"a": "1", "b": "1"}),
    ],
)
def test_a_canary_gets_its_share(drawn: float, deployment: str, variables: object) -> None:
    api = RestApi(account_id="123456789012", region="us-east-1", document={"id": "abcdefghij"})
    for each in ("old", "new"):
        api.deployments[each] = api.snapshot(each, created_at=0)
    snapshot, stage = served(api, STAGE, lambda: drawn)
    assert snapshot is api.deployments[deployment]
    assert stage["variables"] == variables


def test_without_a_canary_nothing_is_drawn() -> None:
    api = RestApi(account_id="123456789012", region="us-east-1", document={"id": "abcdefghij"})
    assert served(api, {"deploymentId": "gone"}, lambda: 1 // 0)[0] is None


BODY = b"x" * 1_000


@pytest.mark.parametrize(
    ("least", "accepted", "coding"),
    [
        (0, "gzip", "gzip"),
        (1_000, "deflate, gzip;q=0.5", "gzip"),
        (1_001, "gzip", None),
        (None, "gzip", None),
        (0, "gzip;q=0, deflate", "deflate"),
        (0, "br", None),
        (0, "*", "gzip"),
    ],
)
def test_an_answer_is_compressed_for_who_takes_it_so(
    make_call: MakeCall, least: int | None, accepted: str, coding: str | None
) -> None:
    call = make_call(api={"minimumCompressionSize": least}, headers={"accept-encoding": accepted})
    answer = compressed(HttpResponse(status=200, body=BODY), call)
    assert answer.headers.get("content-encoding") == coding
    body = answer.body
    if coding is not None:
        body = gzip.decompress(body) if coding == "gzip" else zlib.decompress(body)
    assert body == BODY


def test_what_the_function_compressed_itself_is_left_alone(make_call: MakeCall) -> None:
    call = make_call(api={"minimumCompressionSize": 0}, headers={"accept-encoding": "gzip"})
    own = HttpResponse(status=200, headers={"Content-Encoding": "br"}, body=BODY)
    assert compressed(own, call) is own
