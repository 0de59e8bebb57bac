"""Functions that APIs call: whether they may, and how an invocation ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from lambdad.authz.policies import Decision, Principal
from lambdad.controlplane.permissions import Permissions
from lambdad.controlplane.references import Target
from lambdad.dataplane.invoker import Invoker
from lambdad.domain import limits
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import LambdadError, ServiceException
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.gateway_responses import Refused, internal_error, misconfigured
from lambdad.triggers.waiting import Outcome, Waits

_SERVICE = Principal(service="apigateway.amazonaws.com")
_ACTION = "lambda:InvokeFunction"
Told = Callable[[InvocationResult | Exception], None]


class Events(Protocol):
    """The way into the queue of asynchronous invocations."""

    async def accept(
        self,
        key: FunctionKey,
        qualifier: str | None,
        *,
        request_id: str,
        payload: bytes,
        trace: str | None,
        tenant_id: str | None = None,
    ) -> str:
        """Store an event durably and return its trace header.

        Raises:
            PlatformError: it could not be stored.
        """
        ...


class ApiFunctions:
    """Invokes functions for APIs."""

    def __init__(self, invoker: Invoker, permissions: Permissions, events: Events) -> None:
        self._invoker = invoker
        self._waits = Waits(invoker)
        self._permissions = permissions
        self._events = events

    def check(self, call: Call, target: Target, source_arn: str) -> None:
        """See that the function's policy lets the API invoke it.

        Raises:
            Refused: it does not.
        """
        context = {"aws:SourceArn": source_arn, "aws:SourceAccount": call.api.account_id}
        decided = self._permissions.decide(target, _SERVICE, _ACTION, context)
        if decided is not Decision.ALLOWED:
            raise misconfigured()

    async def invoke(
        self,
        call: Call,
        target: Target,
        payload: bytes,
        *,
        timeout_s: float,
        tenant_id: str | None = None,
    ) -> InvocationResult:
        """Run a function for a call.

        Raises:
            Refused: it takes too long, or could not be invoked.
        """
        invocation = _invocation(call, target, payload, tenant_id)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._invoker.invoke(target.key, target.qualifier, invocation)
        except (TimeoutError, ServiceException) as error:
            raise _reason(error) from error

    def begin(
        self, call: Call, target: Target, payload: bytes, *, timeout_s: float, told: Told
    ) -> None:
        """Like :meth:`invoke`, but `told` gets the outcome once, or what would be raised.

        Raises:
            Refused: the event is too large.
        """

        def ended(outcome: Outcome) -> None:
            told(outcome if isinstance(outcome, InvocationResult) else _reason(outcome))

        self._waits.begin(target, _invocation(call, target, payload, None), timeout_s, ended)

    async def send(
        self, call: Call, target: Target, payload: bytes, *, tenant_id: str | None = None
    ) -> None:
        """Invoke a function asynchronously.

        Raises:
            Refused: its event is too large, or it is not there.
        """
        if len(payload) > limits.ASYNC_EVENT_BYTES_MAX:
            raise Refused("REQUEST_TOO_LARGE", "Request Too Long")
        try:
            await self._events.accept(
                target.key,
                target.qualifier,
                request_id=call.arrival.request_id,
                payload=payload,
                trace=call.arrival.trace_header,
                tenant_id=tenant_id,
            )
        except ServiceException as error:
            raise internal_error() from error


def _invocation(call: Call, target: Target, payload: bytes, tenant_id: str | None) -> Invocation:
    if len(payload) > limits.INVOKE_REQUEST_BYTES_MAX:
        raise Refused("REQUEST_TOO_LARGE", "Request Too Long")
    return Invocation(
        request_id=call.arrival.request_id,
        payload=payload,
        invoked_arn=target.key.arn(target.qualifier),
        trace_header=call.arrival.trace_header,
        tenant_id=tenant_id,
    )


def _reason(error: TimeoutError | LambdadError) -> Exception:
    """Return what a caller is told; what the platform failed at is not for them."""
    if isinstance(error, TimeoutError):
        return Refused("INTEGRATION_TIMEOUT", "Endpoint request timed out")
    return internal_error() if isinstance(error, ServiceException) else error
