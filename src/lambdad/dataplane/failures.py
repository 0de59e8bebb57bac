"""The documents a caller receives when the platform ends an invocation (AWS's texts)."""

from __future__ import annotations

import json
import signal

from lambdad.dataplane.extensions_api.extension import ExtensionFailure
from lambdad.domain import limits
from lambdad.domain.errors import FunctionError
from lambdad.observability.report import Outcome
from lambdad.sandbox.base import ExitStatus

TIMED_OUT = "Sandbox.Timedout"

# What ends a runtime or an extension: what was reported, the exit of the runtime (one that is
# empty: it was not ready in time), or an extension.
Failure = FunctionError | ExitStatus | ExtensionFailure


class FatalError(FunctionError):
    """A failure that the platform saw and after which the runtime process is gone.

    Attributes:
        reason: the exit in AWS's words, None when it was not an exit.
        logged_type: the error type on the REPORT line, which tells memory from other exits;
            None for a timeout, which has a status of its own.
    """

    def __init__(
        self,
        error_type: str,
        message: str,
        *,
        reason: str | None = None,
        logged_type: str | None = None,
    ) -> None:
        document = {"errorType": error_type, "errorMessage": message}
        super().__init__(error_type, json.dumps(document, separators=(",", ":")).encode())
        self.reason = reason
        self.logged_type = logged_type


def timed_out(request_id: str, timeout_s: float) -> FatalError:
    """The function's timeout passed."""
    return FatalError(
        TIMED_OUT,
        f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds",
    )


def exited(request_id: str, status: ExitStatus) -> FatalError:
    """The runtime process ended although an answer was due."""
    reason = exit_reason(status)
    return FatalError(
        "Runtime.ExitError",
        f"RequestId: {request_id} Error: {reason}",
        reason=reason,
        logged_type="Runtime.OutOfMemory" if status.out_of_memory else "Runtime.ExitError",
    )


def of_init(outcome: Failure, request_id: str, limit_s: float) -> FunctionError:
    """Why an init phase failed: what was reported, what ended, or the time it took."""
    if isinstance(outcome, FunctionError):
        return outcome
    if isinstance(outcome, ExtensionFailure):
        return of_extension(request_id, outcome)
    if outcome.code is not None or outcome.signal is not None:
        return exited(request_id, outcome)
    return timed_out(request_id, limit_s)


def of_extension(request_id: str, failure: ExtensionFailure) -> FatalError:
    """An extension ended, or said that it cannot go on."""
    return FatalError(
        failure.error_type,
        f"RequestId: {request_id} Error: {failure.reason}",
        reason=failure.reason,
        logged_type=failure.error_type,
    )


def response_too_large() -> FunctionError:
    """A streamed answer is larger than a caller takes who wants it whole."""
    size = limits.INVOKE_RESPONSE_BYTES_MAX
    document = {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        f"({size} bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    payload = json.dumps(document, separators=(",", ":")).encode()
    return FunctionError("Function.ResponseSizeTooLarge", payload)


def invalid_entrypoint(
    request_id: str, reason: str, error_type: str = "Runtime.InvalidEntrypoint"
) -> FatalError:
    """There is nothing to start, or it cannot be started."""
    text = f"RequestId: {request_id} Error: {reason}"
    return FatalError(error_type, text, logged_type=error_type)


def extension_exit(status: ExitStatus) -> ExtensionFailure:
    """An extension's process ended although its environment goes on."""
    if status.signal is not None or status.out_of_memory:
        reason = f"signal: {_signal_name(status.signal or signal.SIGKILL)}"
    else:
        # AWS quirk: a status that is no error is called by another name.
        reason = f"exit status {status.code}" if status.code else "exit code 0"
    return ExtensionFailure(error_type="Extension.Crash", reason=reason)


def outcome_of_phase(error: FunctionError | None) -> Outcome | None:
    """How an init or a restore ended."""
    if error is None:
        return None
    if isinstance(error, FatalError) and error.logged_type is None:
        return Outcome(status="timeout")
    return Outcome(status="error", error_type=error.error_type)


def outcome_reported(error: FunctionError | None) -> Outcome | None:
    """How an invocation ended whose runtime lives on."""
    return None if error is None else Outcome(status="failure", error_type=error.error_type)


def exit_reason(status: ExitStatus) -> str:
    """How the runtime ended, in AWS's words."""
    if status.out_of_memory:
        return "Runtime exited with error: signal: killed"
    if status.signal is not None:
        return f"Runtime exited with error: signal: {_signal_name(status.signal)}"
    if status.code:
        return f"Runtime exited with error: exit status {status.code}"
    return "Runtime exited without providing a reason"


# Go's names, which the sandbox agent of AWS prints.
_SIGNALS: dict[int, str] = {
    signal.SIGKILL: "killed",
    signal.SIGTERM: "terminated",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGINT: "interrupt",
    signal.SIGHUP: "hangup",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
    signal.SIGSYS: "bad system call",
    signal.SIGTRAP: "trace/breakpoint trap",
    signal.SIGPIPE: "broken pipe",
    signal.SIGALRM: "alarm clock",
    signal.SIGQUIT: "quit",
}


def _signal_name(number: int) -> str:
    return _SIGNALS.get(number, f"signal {number}")
