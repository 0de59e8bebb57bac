"""Responses that come bit by bit."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

from lambdad.dataplane.streaming import StreamRate
from lambdad.domain import limits
from lambdad.testing.functions import FUNCTION_KEY, a_function
from lambdad.testing.sandbox import FakeGuest

Make = Callable[..., Any]


async def begin(plane: Any, *, tail: bool = False) -> Any:
    invocation = plane.invocation(b"{}", tail=tail)
    return await plane.invoker.invoke_streaming(FUNCTION_KEY, None, invocation)


async def test_the_first_piece_arrives_while_the_handler_still_runs(dataplane: Make) -> None:
    go_on = asyncio.Event()

    async def stream(guest: FakeGuest) -> None:
        while True:
            request_id, _ = await guest.next()
            response = await guest.stream(request_id)
            await response.write(b"first")
            await go_on.wait()
            await response.write(b"second")
            assert await response.end() == 202

    plane = dataplane(stream)
    invocation = await begin(plane)
    pieces = invocation.pieces()
    assert invocation.content_type == "text/plain"
    assert await anext(pieces) == b"first"
    go_on.set()
    assert [piece async for piece in pieces] == [b"second"]
    outcome = await invocation.outcome()
    assert (outcome.payload, outcome.function_error) == (b"", None)
    await plane.settled()
    assert plane.invoker.counts()["idle"] == 1


async def test_a_function_that_does_not_stream_comes_as_one_piece(dataplane: Make) -> None:
    async def whole(guest: FakeGuest) -> None:
        request_id, _ = await guest.next()
        await guest.respond(request_id, b'"all"')
        await guest.next()

    invocation = await begin(dataplane(whole))
    assert [piece async for piece in invocation.pieces()] == [b'"all"']


async def test_a_caller_that_wants_it_whole_gets_it_whole(dataplane: Make) -> None:
    async def stream(guest: FakeGuest) -> None:
        request_id, _ = await guest.next()
        response = await guest.stream(request_id)
        await response.write(b"a")
        await response.write(b"b")
        await response.end()
        await guest.next()

    result = await dataplane(stream).invoke(tail=True)
    assert (result.payload, result.function_error) == (b"ab", None)


async def test_an_error_half_way_is_told_at_the_end(dataplane: Make) -> None:
    document = b'{"errorType":"TypeError","errorMessage":"no"}'

    async def stream(guest: FakeGuest) -> None:
        request_id, _ = await guest.next()
        response = await guest.stream(request_id)
        await response.write(b"a")
        await response.end(
            {
                "Lambda-Runtime-Function-Error-Type": "TypeError",
                "Lambda-Runtime-Function-Error-Body": base64.b64encode(document).decode(),
            }
        )
        await guest.next()

    invocation = await begin(dataplane(stream))
    assert [piece async for piece in invocation.pieces()] == [b"a"]
    outcome = await invocation.outcome()
    assert (outcome.payload, outcome.function_error) == (document, "Unhandled")


async def test_a_connection_that_breaks_is_a_truncated_response(dataplane: Make) -> None:
    async def stream(guest: FakeGuest) -> None:
        request_id, _ = await guest.next()
        response = await guest.stream(request_id)
        await response.write(b"a")
        response.break_off()
        await guest.next()

    invocation = await begin(dataplane(stream))
    assert [piece async for piece in invocation.pieces()] == [b"a"]
    outcome = await invocation.outcome()
    assert json.loads(outcome.payload)["errorType"] == "Runtime.TruncatedResponse"


async def test_a_timeout_half_way_ends_the_stream(dataplane: Make) -> None:
    async def stream(guest: FakeGuest) -> None:
        request_id, _ = await guest.next()
        response = await guest.stream(request_id)
        await response.write(b"a")
        await asyncio.Event().wait()

    invocation = await begin(dataplane(stream, a_function(timeout_s=0.05)))
    assert [piece async for piece in invocation.pieces()] == [b"a"]
    outcome = await invocation.outcome()
    assert json.loads(outcome.payload)["errorType"] == "Sandbox.Timedout"


async def test_a_caller_that_takes_nothing_holds_the_function_back(dataplane: Make) -> None:
    sent = 0

    async def stream(guest: FakeGuest) -> None:
        nonlocal sent
        request_id, _ = await guest.next()
        response = await guest.stream(request_id)
        for _ in range(2_000):
            await response.write(bytes(65_536))
            sent += 1
        await response.end()
        await guest.next()

    plane = dataplane(stream)
    invocation = await begin(plane)
    for _ in range(20_000):  # turns of the loop: far more than it takes to fill every buffer
        await asyncio.sleep(0)
    assert sent < 400
    # Who goes away holds nobody back: the rest is dropped, and the function ends.
    await invocation.pieces().aclose()
    pieces = invocation.pieces()
    await anext(pieces)
    await pieces.aclose()
    await plane.settled()
    assert sent == 2_000


def test_the_first_6_mib_are_free_and_the_rest_comes_at_2_mib_a_second() -> None:
    rate = StreamRate(0.0, 2 * 1024 * 1024)
    assert rate.delay_s(limits.STREAM_BURST_BYTES, 0.0) == 0.0
    assert rate.delay_s(2 * 1024 * 1024, 0.0) == 1.0
    assert rate.delay_s(2 * 1024 * 1024, 1.0) == 1.0
    assert rate.delay_s(1, 1000.0) == 0.0
