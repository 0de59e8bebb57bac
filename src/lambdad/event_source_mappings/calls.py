"""One call of a function with a batch, and what came of it. Never raises but for cancellation."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum, auto
from uuid import uuid4

from lambdad.async_invocation.attempts import Door
from lambdad.domain.clock import Clock, SystemClock
from lambdad.domain.errors import (
    PlatformError,
    RecursiveInvocationException,
    ServiceException,
    TooManyRequestsException,
)
from lambdad.domain.event_source_mappings import EventSourceMapping
from lambdad.domain.invocations import Invocation
from lambdad.event_source_mappings.base import FUNCTION_FAILED, OK
from lambdad.observability import activity
from lambdad.observability.activity import Activity, Happening

_LOGGER = logging.getLogger(__name__)


class Verdict(Enum):
    """What came of a call.

    `REFUSED` means that the function did not run and that this does not count as an attempt.
    """

    SUCCEEDED = auto()
    FAILED = auto()
    THROTTLED = auto()
    REFUSED = auto()


_RESULTS = {
    Verdict.SUCCEEDED: activity.OK,
    Verdict.FAILED: activity.ERROR,
    Verdict.THROTTLED: activity.THROTTLED,
    Verdict.REFUSED: activity.REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that has ended.

    Attributes:
        payload: what the function answered; empty when it did not run.
        text: `LastProcessingResult`.
        executed_version: None when it did not run.
    """

    verdict: Verdict
    request_id: str
    payload: bytes = b""
    text: str = OK
    executed_version: str | None = None
    function_error: str | None = None

    @property
    def ran(self) -> bool:
        """Whether the function has run, to whatever end."""
        return self.verdict in (Verdict.SUCCEEDED, Verdict.FAILED)


class Calls:
    """Calls the function of a mapping."""

    def __init__(
        self, door: Door, clock: Clock | None = None, notes: Activity | None = None
    ) -> None:
        """What is called is noted in `notes`."""
        self._door = door
        self._clock = clock or SystemClock()
        self._notes = notes

    async def make(
        self,
        mapping: EventSourceMapping,
        event: bytes,
        trace: str | None,
        *,
        size: int = 1,
        oldest_s: float | None = None,
    ) -> Call:
        """Invoke synchronously, once, with a batch of so many records.

        `oldest_s` is when the oldest of them was written, in seconds since the Unix epoch.
        """
        begun_s = self._clock.time()
        call = await self._invoke(mapping, event, trace)
        if self._notes is None:
            return call
        self._notes.note(
            Happening(
                source=mapping.kind.value,
                arn=mapping.settings.get("EventSourceArn", ""),
                function=mapping.function_arn,
                request_id=call.request_id,
                result=_RESULTS[call.verdict],
                size=size,
                detail="" if call.verdict is Verdict.SUCCEEDED else call.text,
                age_ms=None if oldest_s is None else max(0.0, begun_s - oldest_s) * 1_000,
                took_ms=(self._clock.time() - begun_s) * 1_000,
                mapping=mapping.uuid,
            )
        )
        return call

    async def _invoke(self, mapping: EventSourceMapping, event: bytes, trace: str | None) -> Call:
        request_id = str(uuid4())
        invocation = Invocation(
            request_id=request_id,
            payload=event,
            invoked_arn=mapping.function_arn,
            trace_header=trace,
            is_event=True,
        )
        try:
            answer = await self._door.invoke(mapping.function, mapping.qualifier, invocation)
        except TooManyRequestsException:
            return _not_run(Verdict.THROTTLED, request_id, "PROBLEM: Function call was throttled")
        except RecursiveInvocationException as error:
            return _not_run(Verdict.FAILED, request_id, f"PROBLEM: {error.message}")
        except ServiceException as error:
            return _not_run(Verdict.REFUSED, request_id, f"PROBLEM: {error.message}")
        except PlatformError as error:
            _LOGGER.warning("mapping %s: the function could not run: %s", mapping.uuid, error)
            return _not_run(Verdict.REFUSED, request_id, FUNCTION_FAILED)
        except Exception:
            _LOGGER.exception("mapping %s: the function could not run", mapping.uuid)
            return _not_run(Verdict.REFUSED, request_id, FUNCTION_FAILED)
        failed = answer.function_error is not None
        return Call(
            verdict=Verdict.FAILED if failed else Verdict.SUCCEEDED,
            request_id=request_id,
            payload=answer.payload,
            text=FUNCTION_FAILED if failed else OK,
            executed_version=answer.executed_version,
            function_error=answer.function_error,
        )


def _not_run(verdict: Verdict, request_id: str, text: str) -> Call:
    return Call(verdict=verdict, request_id=request_id, text=text)
