"""Invoke: what is checked before code runs, and how its answer goes out."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Answer, Params
from lambdad.api.lambda_.response_stream import response_events
from lambdad.api.lambda_.service import LAMBDA, target_of
from lambdad.api.prepared import Prepared
from lambdad.async_invocation.event_queue import check_event_size, check_invoke_async_size
from lambdad.controlplane.references import Target
from lambdad.domain import limits
from lambdad.domain.errors import (
    InvalidParameterValueException,
    InvalidRequestContentException,
    RequestTooLargeException,
)
from lambdad.domain.functions import Function
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.domain.tenancy import check_tenant, isolates_tenants
from lambdad.protocol.eventstream import CONTENT_TYPE
from lambdad.protocol.http import HttpRequest

_EMPTY_EVENT = b"{}"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# Only looks: numbers are not converted and objects not kept, which halves the time for 6 MB.
# Strict where Python is not, as AWS is.
_JSON = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=bool, parse_float=bool, object_hook=bool
)
_SPACES = " \t\r\n"


def check_size(request: HttpRequest) -> None:
    """Refuse a request that is larger than an invocation may be."""
    if len(request.body) > limits.INVOKE_REQUEST_BYTES_MAX:
        raise RequestTooLargeException(
            f"Request must be smaller than {limits.INVOKE_REQUEST_BYTES_MAX} bytes for the "
            "InvokeFunction operation"
        )


@LAMBDA.operation("Invoke", check=check_size)
async def invoke(context: RequestContext, params: Params) -> Answer:
    """Run a function and wait for its answer, or only check that it could be run."""
    mark = context.services.prepared.now()
    target = target_of(context, params, "InvokeFunction")
    kind = params.get("InvocationType") or "RequestResponse"
    function = await context.services.functions.runnable(target)
    check_tenant(function, params.get("TenantId"))
    _refuse_unsupported(params)
    if kind == "Event":
        return await _accept_event(context, params, target)
    if kind == "DryRun":
        return Answer(result={"StatusCode": 204}, headers={})
    invocation = _invocation(context, params, target)
    _learn(context, params["FunctionName"], target, function, mark)
    return answer_of(
        await context.services.invoker.invoke(target.key, target.qualifier, invocation)
    )


def prepare(context: RequestContext, name: str) -> Prepared | None:
    """Check as :func:`invoke` does whether a function may be invoked, and remember it.

    Raises as that does. None: that has to be awaited, or checked each time.
    """
    mark = context.services.prepared.now()
    target = target_of(context, {"FunctionName": name}, "InvokeFunction")
    checking = context.services.functions.runnable(target)
    try:
        checking.send(None)
    except StopIteration as checked:
        return _learn(context, name, target, checked.value, mark)
    checking.close()
    return None


def _learn(
    context: RequestContext, name: str, target: Target, function: Function, mark: int
) -> Prepared | None:
    """Remember that this caller may invoke this function; by its tenants, each is to be checked."""
    if isolates_tenants(function):
        return None
    caller, permissions = context.caller, context.services.functions.permissions
    prepared = Prepared(
        target=target,
        invoked_arn=target.arn,
        settled=permissions.settled(target, caller.principal),
    )
    context.services.prepared.learn(mark, name, caller, context.region, prepared)
    return prepared


@LAMBDA.operation("InvokeWithResponseStream", check=check_size)
async def invoke_with_response_stream(context: RequestContext, params: Params) -> Answer:
    """Run a function; its answer comes as an event stream, log and errors at its end."""
    target = target_of(context, params, "InvokeFunction")
    function = await context.services.functions.runnable(target)
    check_tenant(function, params.get("TenantId"))
    _refuse_unsupported(params)
    if params.get("InvocationType") == "DryRun":
        return Answer(result={"StatusCode": 204, "EventStream": b""}, headers={})
    invocation = await context.services.invoker.invoke_streaming(
        target.key, target.qualifier, _invocation(context, params, target)
    )
    result = {
        "StatusCode": 200,
        "ExecutedVersion": invocation.executed_version,
        "ResponseStreamContentType": CONTENT_TYPE,
        "EventStream": b"",
    }
    return Answer(result=result, headers=invocation.headers, pieces=response_events(invocation))


@LAMBDA.operation("InvokeAsync", check=lambda request: check_invoke_async_size(len(request.body)))
async def invoke_async(context: RequestContext, params: Params) -> Answer:
    """Queue an event, by the operation that `Invoke` replaced."""
    target = target_of(context, params, "InvokeFunction")
    check_tenant(await context.services.functions.runnable(target), None)
    accepted = await _accept(context, target, event_of(params.get("InvokeArgs") or b""))
    return Answer(result={"Status": 202}, headers=accepted)


async def _accept_event(context: RequestContext, params: Params, target: Target) -> Answer:
    payload = params.get("Payload") or b""
    check_event_size(len(payload))
    accepted = await _accept(context, target, event_of(payload), params.get("TenantId"))
    return Answer(result={"StatusCode": 202}, headers=accepted)


async def _accept(
    context: RequestContext, target: Target, payload: bytes, tenant_id: str | None = None
) -> Mapping[str, str]:
    """Queue an event; returns the headers of the answer."""
    trace = await context.services.events.accept(
        target.key,
        target.qualifier,
        request_id=context.request_id,
        payload=payload,
        trace=context.trace_header,
        tenant_id=tenant_id,
    )
    return {"X-Amzn-Trace-Id": trace}


def _invocation(context: RequestContext, params: Params, target: Target) -> Invocation:
    return Invocation(
        request_id=context.request_id,
        payload=event_of(params.get("Payload") or b""),
        invoked_arn=target.arn,
        client_context=_client_context(params.get("ClientContext")),
        trace_header=context.trace_header,
        wants_log_tail=params.get("LogType") == "Tail",
        tenant_id=params.get("TenantId"),
    )


def answer_of(outcome: InvocationResult) -> Answer:
    """Return what the caller of a synchronous invocation gets."""
    result = {
        "StatusCode": 200,
        "Payload": outcome.payload,
        "ExecutedVersion": outcome.executed_version,
    }
    if outcome.function_error is not None:
        result["FunctionError"] = outcome.function_error
    if outcome.log_tail is not None:
        result["LogResult"] = base64.b64encode(outcome.log_tail).decode()
    return Answer(result=result, headers=outcome.headers)


def event_of(payload: bytes) -> bytes:
    """Return the event to hand over; an empty body is an empty object.

    Raises:
        InvalidRequestContentException: it is not JSON.
    """
    if not payload:
        return _EMPTY_EVENT
    try:
        text = payload.decode()
        # To look for spaces, as decode() does first, takes longer than a small value itself.
        if text[0] in _SPACES or _JSON.raw_decode(text)[1] != len(text):
            _JSON.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestContentException(
            f"Could not parse request body into json: Could not parse payload into json: {error}"
        ) from error
    return payload


def _client_context(encoded: str | None) -> str | None:
    """Return the JSON text of a client context.

    Raises:
        InvalidRequestContentException: it is too long, no base64, or no JSON object.
    """
    if not encoded:
        return None
    if len(encoded) > limits.CLIENT_CONTEXT_BYTES_MAX:
        raise InvalidRequestContentException(
            f"Client context must be at most {limits.CLIENT_CONTEXT_BYTES_MAX} bytes of Base64."
        )
    try:
        text = base64.b64decode(encoded, validate=True).decode()
        _JSON.decode(text)
    except (binascii.Error, ValueError, RecursionError):
        text = ""
    if not text.lstrip().startswith("{"):
        raise InvalidRequestContentException(
            "Client context must be a valid Base64-encoded JSON object."
        )
    return text


def _refuse_unsupported(params: Params) -> None:
    if params.get("DurableExecutionName") is not None:
        raise InvalidParameterValueException(
            "DurableExecutionName is accepted only by durable functions; this function is none."
        )
