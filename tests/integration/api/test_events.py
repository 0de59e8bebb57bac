"""Invoke with InvocationType Event, and InvokeAsync, as boto3 sees them."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.domain.async_events import QueuedEvent
from lambdad.testing.requests import FUNCTION_ARN, a_request, error_of


@pytest.fixture
async def deployed(endpoint: Any) -> Any:
    await endpoint.client().create_function(**a_request())
    return endpoint


async def queued(endpoint: Any) -> list[QueuedEvent]:
    return [
        await endpoint.storage.events.show(each.event_id)
        for each in await endpoint.storage.events.list()
    ]


async def test_an_event_is_in_the_queue_when_it_is_answered(deployed: Any) -> None:
    aws = deployed.client()
    answer = await aws.invoke(
        FunctionName="hello", Qualifier="$LATEST", InvocationType="Event", Payload=b'{"n": 1}'
    )
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert "ExecutedVersion" not in answer
    [event] = await queued(deployed)
    assert event.event.payload == b'{"n": 1}'
    assert (event.event.key.arn(), event.event.qualifier) == (FUNCTION_ARN, "$LATEST")
    assert event.event.request_id == answer["ResponseMetadata"]["RequestId"]
    assert event.event.trace_header == aws.responses[-1].headers["X-Amzn-Trace-Id"]
    assert deployed.invoker.calls == [], "nothing runs before it is accepted"


async def test_an_event_without_a_body_is_an_empty_object(deployed: Any) -> None:
    await deployed.client().invoke(FunctionName="hello", InvocationType="Event")
    [event] = await queued(deployed)
    assert event.event.payload == b"{}"


async def test_one_megabyte_is_the_limit_of_an_event(deployed: Any) -> None:
    aws = deployed.client()
    largest = b'"' + b"x" * (1024 * 1024 - 2) + b'"'
    await aws.invoke(FunctionName="hello", InvocationType="Event", Payload=largest)
    refused = aws.invoke(FunctionName="hello", InvocationType="Event", Payload=largest + b" ")
    assert await error_of(refused) == (
        413,
        "RequestTooLargeException",
        "Request must be smaller than 1048576 bytes for the InvokeFunction operation",
    )
    assert len(await queued(deployed)) == 1


async def test_invoke_async_answers_its_status_and_queues_the_event(deployed: Any) -> None:
    answer = await deployed.client().invoke_async(FunctionName="hello", InvokeArgs=b'{"n": 2}')
    assert answer["Status"] == 202
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    [event] = await queued(deployed)
    assert event.event.payload == b'{"n": 2}'


async def test_invoke_async_takes_a_quarter_of_a_megabyte(deployed: Any) -> None:
    aws = deployed.client()
    largest = b'"' + b"x" * (256 * 1024 - 2) + b'"'
    await aws.invoke_async(FunctionName="hello", InvokeArgs=largest)
    # boto3 has no name for the error of an operation whose model does not list it.
    status, code, message = await error_of(
        aws.invoke_async(FunctionName="hello", InvokeArgs=largest + b" ")
    )
    assert (status, code) == (413, "RequestTooLargeException")
    assert message == "Request must be smaller than 262144 bytes for the InvokeAsync operation"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"FunctionName": "absent"}, (404, "ResourceNotFoundException")),
        ({"FunctionName": "hello", "Qualifier": "live"}, (404, "ResourceNotFoundException")),
        ({"FunctionName": "hello", "Payload": b"{"}, (400, "InvalidRequestContentException")),
    ],
)
async def test_what_cannot_be_invoked_is_refused_before_it_is_accepted(
    deployed: Any, request_: dict[str, Any], expected: tuple[int, str]
) -> None:
    call = deployed.client().invoke(InvocationType="Event", **request_)
    assert (await error_of(call))[:2] == expected
    assert await queued(deployed) == []
