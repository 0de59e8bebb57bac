"""Which route takes a message, and when a connection has been there long enough."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from lambdad.testing.clock import FakeClock
from lambdad.triggers.http_api.model import Api
from lambdad.triggers.http_events import Arrival
from lambdad.triggers.websocket.connections import (
    IDLE_S,
    LIFE_S,
    Connection,
    Connections,
    is_id,
    new_id,
)
from lambdad.triggers.websocket.selection import route_of_message
from lambdad.triggers.websocket.socket import Socket

ROUTES = [{"RouteKey": key} for key in ("$connect", "$default", "join", "7", "a.b")]


@pytest.mark.parametrize(
    ("expression", "text", "key"),
    [
        ("$request.body.action", '{"action": "join"}', "join"),
        ("${request.body.action}", '{"action": "join"}', "join"),
        ("$request.body.action", '{"action": 7}', "7"),
        ("$request.body.deep.er", '{"deep": {"er": "join"}}', "join"),
        ("${request.body.x}.${request.body.y}", '{"x": "a", "y": "b"}', "a.b"),
        ("$request.body.action", '{"action": "leave"}', "$default"),
        ("$request.body.action", '{"action": "$connect"}', "$default"),
        ("$request.body.action", '{"action": ["join"]}', "$default"),
        ("$request.body.action", "[1]", "$default"),
        ("$request.body.action", "no JSON", "$default"),
        ("$request.body.action", "[" * 100_000, "$default"),
    ],
)
def test_the_expression_selects_a_route(expression: str, text: str, key: str) -> None:
    route = route_of_message(ROUTES, expression, text)
    assert route is not None
    assert route["RouteKey"] == key


def test_without_a_default_route_nothing_is_selected() -> None:
    assert route_of_message([{"RouteKey": "join"}], "$request.body.action", "{}") is None


def test_identifiers_have_the_form_of_api_gateways() -> None:
    assert is_id(new_id())
    assert not is_id("../../etc/passwd")
    assert new_id() != new_id()


class Closing:
    def __init__(self) -> None:
        self.codes: list[int] = []

    def close(self, code: int, reason: str = "") -> None:
        self.codes.append(code)


def connection(clock: FakeClock) -> tuple[Connection, Closing]:
    closing = Closing()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    arrival: Any = None
    made = Connection(
        id=new_id(),
        api=Api("000000000000", "us-east-1", {}),
        stage="dev",
        arrival=cast("Arrival", arrival),
        user_agent="",
        connected_at=moment,
        begun_s=clock.monotonic(),
        active_s=clock.monotonic(),
        active_at=moment,
        socket=cast("Socket", closing),
    )
    return made, closing


def test_an_idle_connection_ends_after_ten_minutes() -> None:
    clock = FakeClock()
    connections = Connections(clock)
    made, closing = connection(clock)
    connections.add(made)
    clock.advance(IDLE_S - 1)
    connections.expire()
    connections.touch(made)
    clock.advance(IDLE_S - 1)
    connections.expire()
    assert closing.codes == []
    clock.advance(1)
    connections.expire()
    assert closing.codes == [1001]
    connections.remove(made)
    assert connections.find(made.id) is None


def test_no_connection_lasts_longer_than_two_hours() -> None:
    clock = FakeClock()
    connections = Connections(clock)
    made, closing = connection(clock)
    connections.add(made)
    for _ in range(int(LIFE_S // 300)):
        assert closing.codes == []
        clock.advance(300)
        connections.touch(made)
        connections.expire()
    assert closing.codes == [1001]
