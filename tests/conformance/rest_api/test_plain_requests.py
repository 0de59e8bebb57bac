"""Requests of REST APIs that go by calls alone are answered as all others."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.testing.api_callers import ApiCaller, alike

pytestmark = [pytest.mark.root, pytest.mark.slow]

_ASKED = [
    ("GET", "/dev/items/4%205?x=1&x=2", b""),
    ("GET", "/dev/items/fail", b""),
    ("GET", "/dev/items/malformed", b""),
    ("GET", "/dev/items/teapot", b""),
    ("GET", "/dev/items/remapped", b""),
    ("GET", "/dev/items/image", b""),
    ("POST", "/dev/items/special", b'{"a": "\xc3\xa4"}'),
    ("POST", "/dev/files/a/b", b"\xff\x00"),
    ("HEAD", "/dev/files/a", b""),
    ("OPTIONS", "/dev/files/a", b""),
    ("GET", "/dev/variable", b""),
    ("GET", "/dev/slow", b""),
    ("GET", "/dev/closed", b""),
    ("GET", "/dev/by-role", b""),
    ("GET", "/dev/missing", b""),
    ("GET", "/dev/elsewhere", b""),
    ("GET", "/prod/items/1", b""),
]


@pytest.mark.parametrize("type_", ["text/plain", "image/png"])
def test_both_ways_have_the_same_answers(front: Any, api: str, type_: str) -> None:
    short, general = (ApiCaller(front.url, api, keep=keep) for keep in (True, False))
    headers = {"Content-Type": type_, "Accept": type_}
    for asked in _ASKED:
        answers = [alike(each.ask(*asked, headers=headers)) for each in (short, general)]
        assert answers[0] == answers[1], asked
    short.close()


def test_a_change_of_a_functions_policy_takes_effect_at_the_next_request(
    front: Any, api: str
) -> None:
    caller = ApiCaller(front.url, api, keep=True)

    def statuses() -> list[int]:
        return [caller.ask("GET", "/dev/closed")[0] for _ in range(2)]

    assert statuses() == [500] * 2
    front.user.lambda_.add_permission(
        FunctionName="rest-api-closed",
        StatementId="once",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:000000000000:{api}/*/GET/closed",
    )
    try:
        assert statuses() == [200] * 2
    finally:
        front.user.lambda_.remove_permission(FunctionName="rest-api-closed", StatementId="once")
    assert statuses() == [500] * 2
    caller.close()
