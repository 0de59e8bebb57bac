"""Requests that never reach a function."""

from __future__ import annotations

from dataclasses import replace

from lambdad.testing.failures.case import Answer, Failure, Fate, Program
from lambdad.testing.failures.programs import handler


def _refused(
    title: str, program: Program, *, status: int, code: str, message: str, payload: str = "{}"
) -> Failure:
    return Failure(
        title=title,
        program=program,
        payload=payload,
        answer=Answer(status=status, error=None, body=f"{code}: {message}"),
        log=(),
        fate=Fate.UNTOUCHED,
    )


ROWS = (
    _refused(
        "the event is larger than 6 MB",
        handler("request-large"),
        status=413,
        code="RequestTooLargeException",
        message="Request must be smaller than 6291456 bytes for the InvokeFunction operation",
        payload='"' + "x" * (6 * 1024 * 1024 - 1) + '"',
    ),
    _refused(
        "the event is not JSON",
        handler("request-garbage"),
        status=400,
        code="InvalidRequestContentException",
        message="Could not parse request body into json",
        payload="{not json",
    ),
    _refused(
        "no concurrency is left",
        replace(handler("request-throttled"), reserved=0),
        status=429,
        code="TooManyRequestsException",
        message="Rate Exceeded.",
    ),
)
