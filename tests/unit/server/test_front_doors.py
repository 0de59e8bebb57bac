"""Which requests are for front doors: what is looked at first decides as everything together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lambdad.protocol.http import HttpRequest
from lambdad.server.front_doors import FrontDoors
from lambdad.triggers.execute_api import Mapped
from lambdad.triggers.websocket.management import PLACE as MANAGEMENT

API, URL = "a1b2c3d4e5", "abcdefghijabcdefghijabcdefghij12"
INVOCATIONS = "/2015-03-31/functions/f/invocations"
HOSTS = [
    "localhost:4566",
    "",
    f"{API}.execute-api.us-east-1.localhost:4566",
    f"{API}.execute-api",
    "x.execute-api.us-east-1.localhost:4566",
    f"{URL}.lambda-url.us-east-1.localhost:4566",
    f"{API.upper()}.EXECUTE-API.us-east-1.localhost",
    "000000000000.dkr.ecr.us-east-1.localhost:4566",
    "Own.example:4566",
]
PATHS = [
    "/",
    INVOCATIONS,
    "/2015-03-31/functions/_user_request_/invocations",
    f"/restapis/{API}/prod/_user_request_/invocations",
    f"/restapis/{API}",
    f"/_aws/execute-api/{API}/x",
    "/_aws/execute-api/",
    f"/_lambdad/function-urls/{URL}/",
    "/_lambdad/health",
    f"{MANAGEMENT}x",
    "/v2",
    "/v2/",
    "/v2x",
]


class Domains:
    """Knows one domain name."""

    def mapped(self, host: str, path: str) -> Mapped | None:
        return Mapped(api_id=API, stage="s", path=path) if host == "own.example" else None


def front(*domains: Any) -> FrontDoors:
    def served(*_: object, **__: object) -> Any:
        return "served"

    def registry(request: HttpRequest) -> Any:
        return served if request.path in ("/v2", "/v2/") and not request.headers["host"] else None

    door: Any = SimpleNamespace(handle=served, manage=served, handler=registry)
    return FrontDoors(
        door,
        door,
        sockets=door,
        domains=[SimpleNamespace(parts=each) for each in domains],
        registries=door,
        calls=door,
    )


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", PATHS)
def test_what_is_looked_at_first_decides_as_all_together(host: str, path: str) -> None:
    doors = front(None, Domains())
    request = HttpRequest(method="POST", path=path, headers={"host": host})
    assert doors.claims(request) == (doors.answer(request, guest=False) is not None)


def test_an_invocation_is_for_a_front_door_by_its_host_alone() -> None:
    requests = [HttpRequest(method="POST", path=INVOCATIONS, headers={"host": h}) for h in HOSTS]
    claimed = [front(None, Domains()).claims(request) for request in requests]
    assert claimed == [False, False, True, False, False, True, False, False, True]
    assert not front(None, None).claims(requests[-1])
