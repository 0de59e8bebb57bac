"""Which route of an HTTP API takes a request."""

from __future__ import annotations

import pytest

from lambdad.triggers.http_api.routing import match

ROUTES = [
    {"RouteKey": key}
    for key in (
        "GET /pets",
        "ANY /pets/{id}",
        "GET /pets/{id}",
        "GET /pets/special",
        "GET /pets/{id}/toys",
        "ANY /{proxy+}",
        "GET /pets/{rest+}",
    )
]


@pytest.mark.parametrize(
    ("method", "path", "key", "variables"),
    [
        ("GET", "/pets", "GET /pets", {}),
        ("GET", "/pets/", "GET /pets", {}),
        ("GET", "/pets/special", "GET /pets/special", {}),
        ("POST", "/pets/special", "ANY /pets/{id}", {"id": "special"}),
        ("GET", "/pets/7", "GET /pets/{id}", {"id": "7"}),
        ("GET", "/pets/a%2Fb", "GET /pets/{id}", {"id": "a/b"}),
        ("GET", "/pets/7/toys", "GET /pets/{id}/toys", {"id": "7"}),
        ("GET", "/pets/7/else/x", "GET /pets/{rest+}", {"rest": "7/else/x"}),
        ("POST", "/pets/7/toys", "ANY /{proxy+}", {"proxy": "pets/7/toys"}),
        ("GET", "/other", "ANY /{proxy+}", {"proxy": "other"}),
    ],
)
def test_the_most_specific_route_wins(
    method: str, path: str, key: str, variables: dict[str, str]
) -> None:
    found = match(ROUTES, method, path)
    assert found is not None
    assert (found.route["RouteKey"], found.variables) == (key, variables)


def test_a_greedy_variable_is_never_empty() -> None:
    assert match([{"RouteKey": "ANY /a/{rest+}"}], "GET", "/a") is None


def test_the_default_route_takes_what_no_other_does() -> None:
    routes = [*ROUTES[:1], {"RouteKey": "$default"}]
    found = match(routes, "DELETE", "/")
    assert found is not None
    assert found.route["RouteKey"] == "$default"
    assert match(ROUTES[:1], "DELETE", "/") is None
