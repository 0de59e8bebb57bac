"""One attempt at one event: an invocation through the one door, or a delivery.

Decides nothing itself: `retry_policy` and `destinations` do. Never raises but for cancellation.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from lambdad.async_invocation import metric_names
from lambdad.async_invocation.delivery import DeliveryFailed
from lambdad.async_invocation.destinations import DEAD_LETTER, reports
from lambdad.async_invocation.policies import EventPolicies, EventPolicy
from lambdad.async_invocation.retry_policy import (
    Condition,
    Decision,
    Finish,
    Result,
    after,
    after_failed_delivery,
    before,
    poisoned,
)
from lambdad.domain.arns import FunctionKey
from lambdad.domain.async_events import AsyncEvent, EventKind, Outcome, QueuedEvent
from lambdad.domain.clock import Clock
from lambdad.domain.errors import (
    PlatformError,
    RecursiveInvocationException,
    ResourceNotFoundException,
    ServiceException,
    TooManyRequestsException,
)
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.observability import activity
from lambdad.observability.activity import Happening
from lambdad.observability.metrics import Metrics

_LOGGER = logging.getLogger(__name__)

# Of an error document; what is longer is not looked into for its message.
_DOCUMENT_BYTES_MAX = 256 * 1024
_MESSAGE_LENGTH_MAX = 1_024
_THROTTLED = 429
_WORDS = {Result.SUCCEEDED: activity.OK, Result.FAILED: activity.ERROR}


class Door(Protocol):
    """The one door to running code."""

    async def invoke(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> InvocationResult:
        """Run a function once; see `dataplane.invoker.Invoker`."""
        ...


class Courier(Protocol):
    """Takes records to their targets."""

    async def deliver(self, event: AsyncEvent) -> AsyncEvent | None:
        """Deliver once; returns an event that is to be queued in the place of the delivery.

        Raises:
            DeliveryFailed: the target did not take it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of an attempt.

    Attributes:
        follow_ups: to be queued when the event leaves the queue.
        refused: whether its lane should wait.
    """

    decision: Decision
    follow_ups: Sequence[AsyncEvent] = ()
    refused: bool = False


class Attempts:
    """Carries out attempts."""

    def __init__(
        self,
        *,
        door: Door,
        policies: EventPolicies,
        courier: Courier,
        clock: Clock,
        metrics: Metrics,
        retry_delay_s: float,
    ) -> None:
        self._door = door
        self._policies = policies
        self._courier = courier
        self._clock = clock
        self._metrics = metrics
        self._retry_delay_s = retry_delay_s

    async def make(self, queued: QueuedEvent) -> Attempt:
        """Make one attempt."""
        poison = poisoned(queued)
        if poison is not None:
            return Attempt(decision=poison)
        if queued.event.kind is EventKind.DELIVERY:
            return await self._deliver(queued)
        return await self._invoke(queued)

    async def _invoke(self, queued: QueuedEvent) -> Attempt:
        event = queued.event
        if not self._policies.exists(event.key):
            _LOGGER.info("event %s: its function is gone", event.request_id)
            self._metrics.add(metric_names.DROPPED, event.key.arn())
            return Attempt(decision=Finish(Condition.EVENT_AGE_EXCEEDED, queued.progress))
        policy = self._policies.of(event.key, event.qualifier)
        hopeless = before(queued, policy, self._now_ms())
        if hopeless is not None:
            return self._ended(queued, policy, hopeless)
        result, outcome = await self._run(event)
        self._note(event, result, outcome)
        # It may have been configured anew, or deleted, while it ran.
        policy = self._policies.of(event.key, event.qualifier)
        decision = after(
            queued,
            policy,
            result,
            outcome,
            now_ms=self._now_ms(),
            retry_delay_s=self._retry_delay_s,
        )
        attempt = self._ended(queued, policy, decision)
        return replace(attempt, refused=result is Result.REFUSED)

    async def _run(self, event: AsyncEvent) -> tuple[Result, Outcome]:
        invocation = Invocation(
            request_id=event.request_id,
            payload=event.payload,
            invoked_arn=event.key.arn(event.qualifier),
            trace_header=event.trace_header,
            is_event=True,
            tenant_id=event.tenant_id,
        )
        self._metrics.add(metric_names.AGE_MS, event.key.arn(), self._now_ms() - event.accepted_ms)
        try:
            answer = await self._door.invoke(event.key, event.qualifier, invocation)
        except RecursiveInvocationException as error:
            return Result.RECURSIVE, Outcome(status_code=400, message=error.message)
        except ServiceException as error:
            return Result.REFUSED, Outcome(status_code=_status(error), message=error.message)
        except PlatformError as error:
            _LOGGER.warning("event %s could not be run: %s", event.request_id, error)
            return Result.REFUSED, Outcome(status_code=500, message=str(error))
        except Exception:
            _LOGGER.exception("event %s could not be run", event.request_id)
            return Result.REFUSED, Outcome(status_code=500, message="lambdad failed: see its log")
        failed = answer.function_error is not None
        return Result.FAILED if failed else Result.SUCCEEDED, Outcome(
            status_code=200,
            message=_error_message(answer.payload) if failed else "",
            executed_version=answer.executed_version,
            function_error=answer.function_error,
            payload=answer.payload,
        )

    def _note(self, event: AsyncEvent, result: Result, outcome: Outcome) -> None:
        source, arn = self._metrics.activity.expected(event.request_id)
        word = _WORDS.get(result, activity.REFUSED)
        self._metrics.activity.note(
            Happening(
                source=source,
                arn=arn,
                function=event.key.arn(event.qualifier),
                request_id=event.request_id,
                result=activity.THROTTLED if outcome.status_code == _THROTTLED else word,
                detail=outcome.message,
                age_ms=float(self._now_ms() - event.accepted_ms),
            )
        )

    def _ended(self, queued: QueuedEvent, policy: EventPolicy, decision: Decision) -> Attempt:
        if not isinstance(decision, Finish):
            return Attempt(decision=decision)
        if decision.condition is not Condition.SUCCESS:
            self._metrics.add(metric_names.DROPPED, queued.event.key.arn())
        told = reports(queued, policy, decision.condition, decision.progress, self._now_ms())
        return Attempt(decision=decision, follow_ups=told)

    async def _deliver(self, queued: QueuedEvent) -> Attempt:
        event = queued.event
        try:
            follow_up = await self._courier.deliver(event)
        except DeliveryFailed as error:
            outcome = Outcome(status_code=500, message=str(error)[:_MESSAGE_LENGTH_MAX])
        except Exception as error:
            _LOGGER.exception("the record of %s was not delivered", event.request_id)
            outcome = Outcome(status_code=500, message=str(error)[:_MESSAGE_LENGTH_MAX])
        else:
            if follow_up is not None:
                self._metrics.add(metric_names.RECEIVED, follow_up.key.arn())
            done = Finish(Condition.SUCCESS, queued.progress)
            return Attempt(decision=done, follow_ups=() if follow_up is None else (follow_up,))
        dead_letter = event.details.get("form") == DEAD_LETTER
        self._metrics.add(
            metric_names.DEAD_LETTER_ERRORS
            if dead_letter
            else metric_names.DESTINATION_DELIVERY_FAILURES,
            event.key.arn(),
        )
        _LOGGER.warning(
            "%s of %s did not reach %s: %s",
            "the dead letter" if dead_letter else "the record",
            event.request_id,
            event.target,
            outcome.message,
        )
        decision = after_failed_delivery(queued, outcome, self._now_ms())
        return Attempt(decision=decision, refused=True)

    def _now_ms(self) -> int:
        return int(self._clock.time() * 1_000)


def _status(error: ServiceException) -> int:
    if isinstance(error, TooManyRequestsException):
        return _THROTTLED
    return 404 if isinstance(error, ResourceNotFoundException) else 500


def _error_message(payload: bytes) -> str:
    """The `errorMessage` of an error document; what functions write need not be one."""
    try:
        document = json.loads(payload) if len(payload) <= _DOCUMENT_BYTES_MAX else None
    except (ValueError, RecursionError):
        return ""
    message = document.get("errorMessage") if isinstance(document, dict) else None
    return message[:_MESSAGE_LENGTH_MAX] if isinstance(message, str) else ""
