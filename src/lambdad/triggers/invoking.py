"""Functions that API Gateway calls: found by an integration's address, allowed by their policy."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache, partial
from typing import NamedTuple

from lambdad.authz.policies import Decision, Principal
from lambdad.controlplane.permissions import Permissions
from lambdad.controlplane.references import Target
from lambdad.dataplane.invoker import Invoker
from lambdad.domain.arns import FunctionKey, parse_function_reference
from lambdad.domain.errors import LambdadError, ServiceException, TooManyRequestsException
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.observability import activity
from lambdad.observability.activity import Happening
from lambdad.triggers.waiting import Outcome, Waits

_FUNCTION = re.compile(r"arn:aws:apigateway:[^:]+:lambda:path/[^/]+/functions/(.+)/invocations")
_SERVICE = Principal(service="apigateway.amazonaws.com")
_ACTION = "lambda:InvokeFunction"


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


class FunctionCall(NamedTuple):
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


Answered = Callable[[bytes | LambdadError | CallFailed], None]


class FunctionCalls:
    """Calls functions in the name of API Gateway."""

    def __init__(self, invoker: Invoker, permissions: Permissions) -> None:
        self._waits = Waits(invoker)
        self._activity = invoker.metrics.activity
        self._permissions = permissions

    async def call(self, call: FunctionCall) -> bytes:
        """Return what the function answers.

        Raises:
            CallFailed: it does not, or may not be called.
        """
        done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def answered(answer: bytes | LambdadError | CallFailed) -> None:
            if done.done():
                return  # the caller has gone
            if isinstance(answer, bytes):
                done.set_result(answer)
            else:
                done.set_exception(answer)

        self.begin(call, answered)
        return await done

    def begin(self, call: FunctionCall, answered: Answered) -> None:
        """Call a function; `answered` gets its answer once, or why there is none, perhaps now."""
        target = target_of(call.uri)
        if target is None:
            self._fail(call, Failure.NO_FUNCTION, answered)
            return
        context = {"aws:SourceArn": call.source_arn, "aws:SourceAccount": call.account_id}
        decided = self._permissions.decide(target, _SERVICE, _ACTION, context)
        if decided is not Decision.ALLOWED:
            self._fail(call, Failure.DENIED, answered)
            return
        invocation = Invocation(
            request_id=call.request_id,
            payload=call.payload,
            invoked_arn=_arn_of(call.uri),
            trace_header=call.trace_header,
        )
        told = partial(self._told, call, answered)
        self._waits.begin(target, invocation, call.limit_s, told)

    def _told(self, call: FunctionCall, answered: Answered, outcome: Outcome) -> None:
        if isinstance(outcome, InvocationResult) and outcome.function_error is None:
            self._note(call, activity.OK)
            answered(outcome.payload)
        elif isinstance(outcome, LambdadError) and not isinstance(outcome, ServiceException):
            answered(outcome)
        else:
            self._fail(call, _failure(outcome), answered)

    def _fail(self, call: FunctionCall, failure: Failure, answered: Answered) -> None:
        self._note(call, _RESULTS.get(failure, activity.REFUSED), failure.value)
        answered(CallFailed(failure))

    def _note(self, call: FunctionCall, result: str, detail: str = "") -> None:
        self._activity.note(
            Happening(
                source="apigateway",
                arn=call.source_arn,
                function=_arn_of(call.uri),
                request_id=call.request_id,
                result=result,
                detail=detail,
            )
        )


def _failure(outcome: Outcome) -> Failure:
    if isinstance(outcome, TimeoutError):
        return Failure.TIMEOUT
    if isinstance(outcome, TooManyRequestsException):
        return Failure.THROTTLED
    return Failure.REFUSED if isinstance(outcome, ServiceException) else Failure.FAILED


@lru_cache(maxsize=4_096)
def target_of(uri: str) -> Target | None:
    """Return the function that an address names, or None."""
    wrapped = _FUNCTION.fullmatch(uri)
    reference = parse_function_reference(wrapped[1] if wrapped else uri)
    if reference is None or reference.account_id is None or reference.region is None:
        return None
    key = FunctionKey(account_id=reference.account_id, region=reference.region, name=reference.name)
    return Target(key=key, qualifier=reference.qualifier)


@lru_cache(maxsize=4_096)
def _arn_of(uri: str) -> str:
    """Return the ARN of the function that an address names; of none the address."""
    target = target_of(uri)
    return uri if target is None else target.arn
