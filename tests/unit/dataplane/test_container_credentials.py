"""Who is given credentials on the Runtime API, and whose."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lambdad.authz.role_credentials import RoleCredentials
from lambdad.authz.sessions import Sessions
from lambdad.dataplane.container_credentials import (
    PATH,
    TEMPLATE_LIFETIME_S,
    ContainerCredentials,
    Tokens,
)
from lambdad.protocol.http import HttpRequest
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import a_function

TOKEN = "the-token"  # noqa: S105 - of a test
FUNCTION = a_function(version="1")


def an_endpoint(environment_id: str = "e1") -> ContainerCredentials:
    roles = RoleCredentials(Sessions(b"k" * 32), FakeClock())
    return ContainerCredentials(
        TOKEN, lambda: roles.session(environment_id, FUNCTION, TEMPLATE_LIFETIME_S)
    )


def a_request(shown: str | None = TOKEN, method: str = "GET") -> HttpRequest:
    headers = {} if shown is None else {"authorization": shown}
    return HttpRequest(method=method, path=PATH, headers=headers)


def test_who_shows_the_token_gets_credentials_of_this_environment_that_expire_in_time() -> None:
    answer = an_endpoint().answer(a_request())
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    document = json.loads(answer.body)
    session = Sessions(b"k" * 32).open(document["Token"], document["AccessKeyId"])
    assert session.secret == document["SecretAccessKey"]
    assert session.claims.environment_id == "e1"
    assert session.claims.expires_s == int(FakeClock().time()) + TEMPLATE_LIFETIME_S
    assert document["Expiration"].endswith("Z")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (a_request(None), 400),
        (a_request("another"), 404),
        (a_request("the-tokenä"), 404),
        (a_request(method="POST"), 405),
    ],
)
def test_others_get_none(request_: HttpRequest, status: int) -> None:
    answer = an_endpoint().answer(request_)
    assert answer.status == status
    assert b"Key" not in answer.body


def test_a_token_is_of_one_version_alone_and_the_same_in_all_its_environments() -> None:
    tokens = Tokens()
    token = tokens.of(FUNCTION)
    assert tokens.of(FUNCTION) == token
    others = [
        tokens.of(replace(FUNCTION, version="2")),
        tokens.of(a_function(key=replace(FUNCTION.key, name="other"), version="1")),
        Tokens().of(FUNCTION),
    ]
    assert len({token, *others}) == 4


def test_variables_lead_to_the_runtime_api() -> None:
    assert an_endpoint().variables("127.0.0.1:9001") == {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:9001{PATH}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
    }
