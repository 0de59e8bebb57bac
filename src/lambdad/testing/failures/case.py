"""What a row of the failure matrix says, and how what really happened is put into its words.

Knows nothing of daemons: a test brings what was seen, the page only reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Fate(StrEnum):
    """What becomes of the environment, in the words of the page."""

    KEPT = "kept: same process, same `/tmp`"
    RESET = "reset: new process at the next event, same `/tmp`"
    DESTROYED = "destroyed: the next event gets another"
    UNTOUCHED = "none is used"


class Call(StrEnum):
    """How the caller calls."""

    INVOKE = "Invoke"
    STREAM = "InvokeWithResponseStream"
    LEAVE = "Invoke, and the caller goes away"
    LEAVE_STREAM = "InvokeWithResponseStream, and the caller goes away"
    UPDATE = "Invoke, and UpdateFunctionConfiguration meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A function to fail.

    Attributes:
        name: what functions made of it are called.
        files: its package; those in `executable` have mode 0755.
        layer: files of its layer, the same.
        settings: parameters of CreateFunction.
        reserved: its reserved concurrency.
    """

    name: str
    files: Mapping[str, str]
    executable: tuple[str, ...] = ()
    layer: Mapping[str, str] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    reserved: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the caller gets.

    Attributes:
        status: of HTTP; None when nobody is there to get one.
        error: the header `X-Amz-Function-Error`.
        body: normal form of :func:`normal_body`; of a stream, what came before its end.
        complete: error code and normal details of a stream's `InvokeComplete`.
    """

    status: int | None = 200
    error: str | None = "Unhandled"
    body: str = ""
    complete: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One row.

    Attributes:
        title: what fails, as the page names it.
        event: what the function is called with; `payload` is the same as text, JSON or not.
        log: every event of the log stream that the call adds, in normal form.
        inits: how often the environment had been initialised when it works again; None when the
            function worked before it failed.
        recovers: whether the next call works; what never does is called again to see where.
        confined: whether it takes a sandbox that limits what the process may use.
    """

    title: str
    program: Program
    answer: Answer
    log: tuple[str, ...]
    fate: Fate
    event: Any = None
    payload: str | None = None
    call: Call = Call.INVOKE
    inits: int | None = None
    recovers: bool = True
    confined: bool = False


START = "START RequestId: <id> Version: $LATEST"
END = "END RequestId: <id>"
_REPORT = (
    "REPORT RequestId: <id>\tDuration: <ms> ms\tBilled Duration: <n> ms\t"
    "Memory Size: <n> MB\tMax Memory Used: <n> MB\t"
)
_WHY = "LAMBDA_WARNING: Unhandled exception. …"
WARNING = f"[WARNING]\t<time>\t\t{_WHY}"


def log(*within: str, before: tuple[str, ...] = (), report: str = "") -> tuple[str, ...]:
    """The lines of an invocation: what is between START and END, and the end of REPORT."""
    return (*before, START, *within, END, _REPORT + report)


def shown(lines: tuple[str, ...]) -> list[str]:
    """The lines that tell something: without START and END, and only the end of REPORT."""
    kept = [line for line in lines if line not in (START, END)]
    return [line.replace(_REPORT, "REPORT … ").rstrip() for line in kept]


def init_report(status: str) -> str:
    """The line of an init phase that failed."""
    return f"INIT_REPORT Init Duration: <ms> ms\tPhase: init\tStatus: {status}"


def exited(reason: str, error_type: str = "Runtime.ExitError") -> str:
    """The line, of two, of a runtime or an extension that ended."""
    return f"RequestId: <id> Error: {reason}\n{error_type}"


def described(error_type: str, message: str, **more: Any) -> str:
    """Body of an error that a Python runtime describes."""
    return normal_json({"errorMessage": message, "errorType": error_type, **more})


def platform_error(error_type: str, message: str) -> str:
    """Body of an error that the platform describes."""
    text = f"RequestId: <id> Error: {message}"
    return normal_json({"errorType": error_type, "errorMessage": text})


def normal_body(body: str, request_id: str) -> str:
    """What changes from call to call replaced by names; JSON objects compact and sorted."""
    try:
        document = json.loads(body)
    except ValueError:
        return body.replace(request_id, "<id>") if request_id else body
    text = normal_json(document)
    return text.replace(request_id, "<id>") if request_id else text


def normal_json(document: Any) -> str:
    """Compact, sorted, and without what tells where code is."""
    if isinstance(document, dict):
        document = {k: v for k, v in document.items() if k not in ("stackTrace", "requestId")}
    return json.dumps(document, sort_keys=True)


_CHANGING = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<time>"),
    (r"\d+\.\d\d ms", "<ms> ms"),
    (r"(Billed Duration:|Memory Size:|Memory Used:) \d+", r"\1 <n>"),
    (r"(?s)\nTraceback \(most recent call last\):.*", "\nTraceback …"),
    (r"LAMBDA_WARNING: Unhandled exception\..*", _WHY),
)


def normal_log(events: list[str], request_id: str) -> tuple[str, ...]:
    """The log of one call; what changes from call to call replaced by names."""
    lines = []
    for event in events:
        line = event.replace(request_id, "<id>") if request_id else event
        for pattern, name in _CHANGING:
            line = re.sub(pattern, name, line)
        lines.append(line.removesuffix("\n"))
    return tuple(lines)
