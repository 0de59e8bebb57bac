"""Functions that API Gateway calls: found by an integration's address, allowed by their policy."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from lambdad.authz.policies import Decision, Principal
from lambdad.controlplane.permissions import Permissions
from lambdad.controlplane.references import Target
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.arns import FunctionKey, parse_function_reference
from lambdad.domain.errors import ServiceException, TooManyRequestsException
from lambdad.domain.invocations import Invocation
from lambdad.observability import activity
from lambdad.observability.activity import Happening

_FUNCTION = re.compile(r"arn:aws:apigateway:[^:]+:lambda:path/[^/]+/functions/(.+)/invocations")
_SERVICE = Principal(service="apigateway.amazonaws.com")


class Failure(StrEnum):
    """Why a function did not answer."""

    NO_FUNCTION = "no function"
    DENIED = "denied"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    FAILED = "failed"


class CallFailed(Exception):
    """A function did not answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """One call of a function.

    Attributes:
        uri: its ARN, or API Gateway's name of its invocations.
        source_arn: what calls it, as its policy names it; `account_id` is that one's owner.
        limit_s: how long its answer is waited for.
    """

    uri: str
    source_arn: str
    account_id: str
    request_id: str
    payload: bytes
    trace_header: str
    limit_s: float


_RESULTS = {
    Failure.FAILED: activity.ERROR,
    Failure.TIMEOUT: activity.ERROR,
    Failure.THROTTLED: activity.THROTTLED,
}


class FunctionCalls:
    """Calls functions in the name of API Gateway."""

    def __init__(self, invoker: Invoker, permissions: Permissions) -> None:
        self._invoker = invoker
        self._permissions = permissions

    async def call(self, call: FunctionCall) -> bytes:
        """Return what the function answers.

        Raises:
            CallFailed: it does not, or may not be called.
        """
        try:
            answer = await self._call(call)
        except CallFailed as failed:
            self._note(call, _RESULTS.get(failed.failure, activity.REFUSED), failed.failure.value)
            raise
        self._note(call, activity.OK)
        return answer

    def _note(self, call: FunctionCall, result: str, detail: str = "") -> None:
        target = target_of(call.uri)
        self._invoker.metrics.activity.note(
            Happening(
                source="apigateway",
                arn=call.source_arn,
                function=call.uri if target is None else target.key.arn(target.qualifier),
                request_id=call.request_id,
                result=result,
                detail=detail,
            )
        )

    async def _call(self, call: FunctionCall) -> bytes:
        target = target_of(call.uri)
        if target is None:
            raise CallFailed(Failure.NO_FUNCTION)
        context = {"aws:SourceArn": call.source_arn, "aws:SourceAccount": call.account_id}
        action = "lambda:InvokeFunction"
        decided = self._permissions.decide(target, _SERVICE, action, context)
        if decided is not Decision.ALLOWED:
            raise CallFailed(Failure.DENIED)
        invocation = Invocation(
            request_id=call.request_id,
            payload=call.payload,
            invoked_arn=target.key.arn(target.qualifier),
            trace_header=call.trace_header,
        )
        try:
            async with asyncio.timeout(call.limit_s):
                outcome = await self._invoker.invoke(target.key, target.qualifier, invocation)
        except TimeoutError as error:
            raise CallFailed(Failure.TIMEOUT) from error
        except TooManyRequestsException as error:
            raise CallFailed(Failure.THROTTLED) from error
        except ServiceException as error:
            raise CallFailed(Failure.REFUSED) from error
        if outcome.function_error is not None:
            raise CallFailed(Failure.FAILED)
        return outcome.payload


@lru_cache(maxsize=4_096)
def target_of(uri: str) -> Target | None:
    """Return the function that an address names, or None."""
    wrapped = _FUNCTION.fullmatch(uri)
    reference = parse_function_reference(wrapped[1] if wrapped else uri)
    if reference is None or reference.account_id is None or reference.region is None:
        return None
    key = FunctionKey(account_id=reference.account_id, region=reference.region, name=reference.name)
    return Target(key=key, qualifier=reference.qualifier)
