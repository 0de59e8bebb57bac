"""What browsers are told."""

from __future__ import annotations

import pytest

from lambdad.protocol.http import HttpRequest
from lambdad.triggers.cors import preflight, response_headers

CONFIG = {
    "AllowOrigins": ["https://a.example"],
    "AllowMethods": ["GET", "POST"],
    "AllowHeaders": ["x-one"],
    "ExposeHeaders": ["x-two"],
    "MaxAge": 60,
}


def ask(origin: str, **headers: str) -> HttpRequest:
    return HttpRequest(
        method="OPTIONS",
        path="/",
        headers={"origin": origin, "access-control-request-method": "POST", **headers},
    )


def test_a_preflight_of_an_allowed_origin_is_answered_in_full() -> None:
    response = preflight(CONFIG, ask("https://a.example"))
    assert response is not None
    assert response.headers == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "x-one",
        "access-control-max-age": "60",
        "vary": "Origin",
    }


def test_a_preflight_of_another_origin_allows_nothing() -> None:
    response = preflight(CONFIG, ask("https://evil.example"))
    assert response is not None
    assert response.headers == {"vary": "Origin"}


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_other_requests_are_no_preflights(method: str) -> None:
    assert preflight(CONFIG, HttpRequest(method=method, path="/")) is None


def test_the_functions_own_rules_are_replaced() -> None:
    request = HttpRequest(method="GET", path="/", headers={"origin": "https://a.example"})
    own = {"access-control-allow-origin": "*", "x": "y"}
    assert response_headers(CONFIG, request, own) == {
        "x": "y",
        "access-control-allow-origin": "https://a.example",
        "access-control-expose-headers": "x-two",
        "vary": "Origin",
    }
    assert response_headers(None, request, own) == own


def test_with_credentials_the_origin_is_named_even_for_everybody() -> None:
    request = HttpRequest(method="GET", path="/", headers={"origin": "https://b.example"})
    everybody = {"AllowOrigins": ["*"]}
    assert response_headers(everybody, request, {})["access-control-allow-origin"] == "*"
    trusted = {**everybody, "AllowCredentials": True}
    headers = response_headers(trusted, request, {})
    assert headers["access-control-allow-origin"] == "https://b.example"
    assert headers["access-control-allow-credentials"] == "true"
