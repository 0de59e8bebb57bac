"""Which method of a REST API takes a request."""

from __future__ import annotations

import pytest

from lambdad.triggers.rest_api.routing import Routes

METHODS = {
    "/": "GET",
    "/pets": "GET POST",
    "/pets/{id}": "GET",
    "/pets/mine": "ANY",
    "/pets/{id}/toys": "GET",
    "/pets/mine/{rest+}": "GET",
    "/{proxy+}": "ANY",
    "/empty": "",
}


@pytest.fixture
def routes() -> Routes:
    return Routes(
        {
            path: {
                "path": path,
                "resourceMethods": {
                    verb: {"httpMethod": verb, "of": path} for verb in verbs.split()
                },
            }
            for path, verbs in METHODS.items()
        }
    )


@pytest.mark.parametrize(
    ("verb", "path", "expected", "parameters"),
    [
        ("GET", "/", "GET /", {}),
        ("GET", "", "GET /", {}),
        ("GET", "/pets", "GET /pets", {}),
        ("GET", "/pets/", "GET /pets", {}),
        ("GET", "/pets/a%2Fb", "GET /pets/{id}", {"id": "a%2Fb"}),
        ("DELETE", "/pets/mine", "ANY /pets/mine", {}),
        ("GET", "/pets/mine/a/b/", "GET /pets/mine/{rest+}", {"rest": "a/b"}),
        ("GET", "/pets/1/toys", "GET /pets/{id}/toys", {"id": "1"}),
        ("GET", "/pets/mine/toys", "GET /pets/mine/{rest+}", {"rest": "toys"}),
        ("PUT", "/pets", "ANY /{proxy+}", {"proxy": "pets"}),
        ("GET", "/other/place", "ANY /{proxy+}", {"proxy": "other/place"}),
        ("GET", "/empty", "ANY /{proxy+}", {"proxy": "empty"}),
    ],
)
def test_the_most_specific_method_takes_a_request(
    routes: Routes, verb: str, path: str, expected: str, parameters: dict[str, str]
) -> None:
    match = routes.match(verb, path)
    assert match is not None
    assert f"{match.method['httpMethod']} {match.resource['path']}" == expected
    assert match.parameters == parameters


def test_nothing_takes_what_no_method_is_for() -> None:
    routes = Routes({"a": {"path": "/a", "resourceMethods": {"GET": {"httpMethod": "GET"}}}})
    assert routes.match("POST", "/a") is None
    assert routes.match("GET", "/a/b") is None
    assert routes.match("GET", "/") is None
