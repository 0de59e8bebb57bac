"""How an invocation looks as an event stream."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping

from botocore.eventstream import EventStreamBuffer

from lambdad.api.lambda_.response_stream import response_events
from lambdad.domain.invocations import InvocationResult


class Finished:
    """A streamed invocation that is over."""

    content_type = "application/json"
    executed_version = "1"
    headers: Mapping[str, str] = {}

    def __init__(self, outcome: InvocationResult) -> None:
        self._outcome = outcome

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        if self._outcome.function_error is None:
            yield self._outcome.payload

    async def outcome(self) -> InvocationResult:
        return self._outcome


async def events(outcome: InvocationResult) -> list[tuple[str, bytes]]:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join([event async for event in response_events(Finished(outcome))]))
    return [(message.headers[":event-type"], message.payload) for message in buffer]


async def test_a_payload_comes_in_chunks_and_then_the_end() -> None:
    payload = bytes(150_000)
    *chunks, end = await events(InvocationResult(payload=payload, executed_version="1"))
    assert [kind for kind, _ in chunks] == ["PayloadChunk"] * 3
    assert b"".join(piece for _, piece in chunks) == payload
    assert end == ("InvokeComplete", b"{}")


async def test_an_error_is_told_at_the_end() -> None:
    document = b'{"errorType":"ValueError","errorMessage":"x"}'
    outcome = InvocationResult(
        payload=document, executed_version="1", function_error="Unhandled", log_tail=b"log"
    )
    ((kind, payload),) = await events(outcome)
    assert kind == "InvokeComplete"
    assert json.loads(payload) == {
        "ErrorCode": "ValueError",
        "ErrorDetails": document.decode(),
        "LogResult": "bG9n",
    }


async def test_an_error_document_of_any_form_is_told() -> None:
    for document in (b"no json", b"[]", b'{"errorType":1}'):
        outcome = InvocationResult(
            payload=document, executed_version="1", function_error="Unhandled"
        )
        ((_, payload),) = await events(outcome)
        assert json.loads(payload)["ErrorCode"] == "Unhandled"
