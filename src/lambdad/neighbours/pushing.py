"""Events that a service pushes to functions: whether it may, and the way into the queue.

Decides what AWS decides before it invokes: that the function is there, and that its resource policy
lets this service invoke it on behalf of this bucket, topic or rule. What an event looks like, and
what becomes of one that was refused, is the pushing service's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from lambdad.api.context import EventAcceptor
from lambdad.authz.policies import Decision, Principal
from lambdad.controlplane.functions import Functions
from lambdad.controlplane.references import Target
from lambdad.domain import limits
from lambdad.domain.arns import FunctionKey, parse_function_reference
from lambdad.domain.clock import SystemClock
from lambdad.domain.errors import LambdadError, ResourceNotFoundException
from lambdad.domain.tenancy import isolates_tenants
from lambdad.observability import activity
from lambdad.observability.activity import Activity, Happening

_ACTION = "lambda:InvokeFunction"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """On whose behalf a service invokes a function.

    Attributes:
        service: `s3.amazonaws.com`.
        arn: of the bucket, topic or rule; `aws:SourceArn` in conditions.
        account_id: that owns it; `aws:SourceAccount` in conditions.
    """

    service: str
    arn: str
    account_id: str


class PushRefused(LambdadError):
    """A function gets no event, and will not get it by trying again.

    Attributes:
        code: `RESOURCE_NOT_FOUND`, `NO_PERMISSIONS` or `EVENT_TOO_LARGE`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class FunctionPush(Protocol):
    """What a service that pushes to functions calls."""

    def check(self, function_arn: str, source: EventSource) -> None:
        """Say whether the source may invoke the function now, as S3 asks when it is configured.

        Raises:
            PushRefused: the function is not there, or its policy does not allow it.
        """
        ...

    async def push(
        self,
        function_arn: str,
        payload: bytes,
        source: EventSource | None,
        *,
        trace: str | None = None,
    ) -> str:
        """Store an event for a function durably; returns its request id.

        `source` is None where a role acts, which needs no statement in the function's policy.

        Raises:
            PushRefused: see :meth:`check`; or the event is larger than Lambda takes.
            PlatformError: it could not be stored now.
        """
        ...


class FunctionTargets:
    """See `FunctionPush`."""

    def __init__(
        self, functions: Functions, events: EventAcceptor, notes: Activity | None = None
    ) -> None:
        """What is pushed is noted in `notes`."""
        self._functions = functions
        self._events = events
        self._notes = notes or Activity(SystemClock())

    def check(self, function_arn: str, source: EventSource) -> None:
        """See `FunctionPush`."""
        self._allowed(function_arn, source)

    async def push(
        self,
        function_arn: str,
        payload: bytes,
        source: EventSource | None,
        *,
        trace: str | None = None,
    ) -> str:
        """See `FunctionPush`."""
        request_id = str(uuid4())
        try:
            target = self._takes(function_arn, payload, source)
        except PushRefused as refused:
            self._note(function_arn, source, request_id, activity.REFUSED, str(refused))
            raise
        service, arn = _origin(source)
        self._notes.expect(request_id, service, arn)
        await self._events.accept(
            target.key, target.qualifier, request_id=request_id, payload=payload, trace=trace
        )
        self._note(function_arn, source, request_id, activity.QUEUED)
        return request_id

    def _takes(self, function_arn: str, payload: bytes, source: EventSource | None) -> Target:
        target = self._allowed(function_arn, source)
        if len(payload) > limits.ASYNC_EVENT_BYTES_MAX:
            raise PushRefused(
                "EVENT_TOO_LARGE",
                f"The event has {len(payload)} bytes; Lambda takes {limits.ASYNC_EVENT_BYTES_MAX}.",
            )
        return target

    def _note(
        self,
        function_arn: str,
        source: EventSource | None,
        request_id: str,
        result: str,
        detail: str = "",
    ) -> None:
        service, arn = _origin(source)
        self._notes.note(
            Happening(
                source=service,
                arn=arn,
                function=function_arn,
                request_id=request_id,
                result=result,
                detail=detail,
            )
        )

    def _allowed(self, function_arn: str, source: EventSource | None) -> Target:
        target = _target(function_arn)
        try:
            function = self._functions.find(target)
        except ResourceNotFoundException as missing:
            raise PushRefused("RESOURCE_NOT_FOUND", missing.message) from missing
        if isolates_tenants(function):
            raise PushRefused(
                "NO_PERMISSIONS", f"{function_arn} isolates tenants: events have none."
            )
        if source is None:
            return target
        context = {"aws:SourceArn": source.arn, "aws:SourceAccount": source.account_id}
        principal = Principal(service=source.service)
        decided = self._functions.permissions.decide(target, principal, _ACTION, context)
        if decided is not Decision.ALLOWED:
            raise PushRefused(
                "NO_PERMISSIONS",
                f"The policy of {function_arn} does not let {source.service} invoke it for "
                f"{source.arn}.",
            )
        return target


def _origin(source: EventSource | None) -> tuple[str, str]:
    """Return the kind of a source, `s3`, and its ARN; where a role acts it is a schedule's."""
    if source is None:
        return "scheduler", ""
    return source.service.removesuffix(".amazonaws.com").rpartition(".")[2], source.arn


def _target(function_arn: str) -> Target:
    reference = parse_function_reference(function_arn)
    if reference is None or reference.account_id is None or reference.region is None:
        raise PushRefused("RESOURCE_NOT_FOUND", f"{function_arn} is no function's ARN.")
    key = FunctionKey(account_id=reference.account_id, region=reference.region, name=reference.name)
    return Target(key=key, qualifier=reference.qualifier)
