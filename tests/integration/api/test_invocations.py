"""Invoke, as boto3 sees it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lambdad.domain.errors import TooManyRequestsException
from lambdad.domain.invocations import InvocationResult
from lambdad.testing.requests import FUNCTION_ARN, a_request, error_of

NOT_JSON = "Could not parse request body into json: Could not parse payload into json: "


@pytest.fixture
async def deployed(endpoint: Any) -> Any:
    await endpoint.client().create_function(**a_request())
    return endpoint


async def test_an_invocation_carries_payload_and_circumstances_and_brings_back_the_answer(
    deployed: Any,
) -> None:
    deployed.invoker.result = InvocationResult(
        payload=b'{"ok":true}',
        executed_version="$LATEST",
        log_tail=b"START\nEND\n",
        trace_header="Root=1-2-3",
    )
    aws = deployed.client()
    answer = await aws.invoke(
        FunctionName="hello",
        Payload=b'{"n": 1}',
        LogType="Tail",
        ClientContext=base64.b64encode(b'{"client":{}}').decode(),
    )
    assert answer["StatusCode"] == 200
    assert answer["Payload"].read() == b'{"ok":true}'
    assert answer["ExecutedVersion"] == "$LATEST"
    assert base64.b64decode(answer["LogResult"]) == b"START\nEND\n"
    assert "FunctionError" not in answer
    headers = aws.responses[-1].headers
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Amzn-Trace-Id"] == "Root=1-2-3"
    [(key, qualifier, invocation)] = deployed.invoker.calls
    assert (key.arn(), qualifier) == (FUNCTION_ARN, None)
    assert invocation.payload == b'{"n": 1}'
    assert invocation.client_context == '{"client":{}}'
    assert invocation.wants_log_tail
    assert invocation.invoked_arn == FUNCTION_ARN
    assert invocation.request_id == answer["ResponseMetadata"]["RequestId"]


async def test_the_invoked_arn_is_qualified_as_the_caller_did(deployed: Any) -> None:
    await deployed.client().invoke(FunctionName="hello", Qualifier="$LATEST")
    _, qualifier, invocation = deployed.invoker.calls[-1]
    assert (qualifier, invocation.invoked_arn) == ("$LATEST", f"{FUNCTION_ARN}:$LATEST")


async def test_a_function_error_is_an_http_success(deployed: Any) -> None:
    deployed.invoker.result = InvocationResult(
        payload=b'{"errorMessage":"x"}', executed_version="$LATEST", function_error="Unhandled"
    )
    answer = await deployed.client().invoke(FunctionName="hello")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert answer["Payload"].read() == b'{"errorMessage":"x"}'


async def test_an_empty_body_is_an_empty_object(deployed: Any) -> None:
    await deployed.client().invoke(FunctionName="hello")
    assert deployed.invoker.calls[-1][2].payload == b"{}"


@pytest.mark.parametrize(
    "payload", [b"0", b"null", b'"text"', b"[1e400, 1.5]", b" {} ", b"1" * 5_000, '"ä"'.encode()]
)
async def test_every_json_value_is_carried_unchanged(deployed: Any, payload: bytes) -> None:
    await deployed.client().invoke(FunctionName="hello", Payload=payload)
    assert deployed.invoker.calls[-1][2].payload == payload


@pytest.mark.parametrize(
    "payload",
    [b"{", b"hello", b"{'a': 1}", b"NaN", b"[Infinity]", b"\xff", b"{} {}", b"[" * 100_000, b" "],
)
async def test_what_is_not_json_never_reaches_the_function(deployed: Any, payload: bytes) -> None:
    status, code, message = await error_of(
        deployed.client().invoke(FunctionName="hello", Payload=payload)
    )
    assert (status, code) == (400, "InvalidRequestContentException")
    assert message.startswith(NOT_JSON)
    assert deployed.invoker.calls == []


async def test_six_megabytes_are_the_limit(deployed: Any) -> None:
    aws = deployed.client()
    largest = b'"' + b"x" * (6 * 1024 * 1024 - 2) + b'"'
    await aws.invoke(FunctionName="hello", Payload=largest)
    assert await error_of(aws.invoke(FunctionName="hello", Payload=largest + b" ")) == (
        413,
        "RequestTooLargeException",
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    )


async def test_dry_run_runs_nothing(deployed: Any) -> None:
    aws = deployed.client()
    answer = await aws.invoke(FunctionName="hello", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert aws.responses[-1].body == b""
    assert deployed.invoker.calls == []
    status, _, _ = await error_of(aws.invoke(FunctionName="absent", InvocationType="DryRun"))
    assert status == 404


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (
            {"FunctionName": "absent"},
            (
                404,
                "ResourceNotFoundException",
                f"Function not found: {FUNCTION_ARN.replace('hello', 'absent')}",
            ),
        ),
        (
            {"FunctionName": "hello", "Qualifier": "7"},
            (404, "ResourceNotFoundException", f"Function not found: {FUNCTION_ARN}:7"),
        ),
        (
            {"FunctionName": "hello:live"},
            (404, "ResourceNotFoundException", f"Cannot find alias arn: {FUNCTION_ARN}:live"),
        ),
        (
            {"FunctionName": "hello:1", "Qualifier": "2"},
            (
                400,
                "InvalidParameterValueException",
                (
                    "The derived qualifier from the function name does not match the specified "
                    "qualifier."
                ),
            ),
        ),
        (
            {"FunctionName": "hello", "ClientContext": "no base64!"},
            (
                400,
                "InvalidRequestContentException",
                "Client context must be a valid Base64-encoded JSON object.",
            ),
        ),
        (
            {"FunctionName": "hello", "ClientContext": base64.b64encode(b"[]").decode()},
            (
                400,
                "InvalidRequestContentException",
                "Client context must be a valid Base64-encoded JSON object.",
            ),
        ),
        (
            {"FunctionName": "hello", "ClientContext": "A" * 3584},
            (
                400,
                "InvalidRequestContentException",
                "Client context must be at most 3583 bytes of Base64.",
            ),
        ),
        (
            {"FunctionName": "hello", "TenantId": "t"},
            (
                400,
                "InvalidParameterValueException",
                (
                    "The invoked function is not enabled with tenancy configuration. Remove the "
                    "tenant ID from your request and try again."
                ),
            ),
        ),
    ],
)
async def test_what_cannot_be_invoked_is_refused(
    deployed: Any, request_: dict[str, Any], error: tuple[int, str, str]
) -> None:
    assert await error_of(deployed.client().invoke(**request_)) == error
    assert deployed.invoker.calls == []


async def test_a_refusal_of_the_invoker_goes_out_with_its_members(deployed: Any) -> None:
    deployed.invoker.failure = TooManyRequestsException(
        "Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded"
    )
    aws = deployed.client()
    assert await error_of(aws.invoke(FunctionName="hello")) == (
        429,
        "TooManyRequestsException",
        "Rate Exceeded.",
    )
    assert b'"Reason":"ConcurrentInvocationLimitExceeded"' in aws.responses[-1].body
