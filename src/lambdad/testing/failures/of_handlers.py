"""Failures of a handler on a managed runtime, while an event is handled."""

from __future__ import annotations

from typing import Any

from lambdad.testing.failures.case import (
    Answer,
    Call,
    Failure,
    Fate,
    described,
    exited,
    log,
    normal_json,
    platform_error,
)
from lambdad.testing.failures.programs import HASTY_S, handler

_PLAIN = handler("handler")
_HASTY = handler("hasty-handler", timeout_s=HASTY_S)
_SMALL = handler("small-handler", memory_mb=128)
_SLEEPY = handler("sleepy-handler")


def _raises(title: str, do: str, error_type: str, message: str, **more: Any) -> Failure:
    """The handler raises, or cannot be answered for; the process goes on."""
    return Failure(
        title=title,
        program=_PLAIN,
        event={"do": do},
        answer=Answer(body=described(error_type, message)),
        log=log(f"[ERROR] {error_type}: {message}\nTraceback …"),
        fate=Fate.KEPT,
        **more,
    )


def _exits(title: str, do: str, reason: str) -> Failure:
    return Failure(
        title=title,
        program=_PLAIN,
        event={"do": do},
        answer=Answer(body=platform_error("Runtime.ExitError", reason)),
        log=log(exited(reason), report="Status: error\tError Type: Runtime.ExitError"),
        fate=Fate.RESET,
    )


_KILLED = "Runtime exited with error: signal: killed"
_TIMEOUT = f"Task timed out after {HASTY_S}.00 seconds"

ROWS = (
    _raises("the handler raises", "raise ValueError('no luck')", "ValueError", "no luck"),
    _raises(
        "the result is not JSON",
        "result = {1, 2}",
        "Runtime.MarshalError",
        "Unable to marshal response: Object of type set is not JSON serializable",
    ),
    _raises(
        "`/tmp` is full",
        "fill_tmp()",
        "OSError",
        "[Errno 28] No space left on device",
        confined=True,
    ),
    _raises(
        "a file outside `/tmp` is written",
        "open('/var/task/new', 'w')",
        "OSError",
        "[Errno 30] Read-only file system: '/var/task/new'",
        confined=True,
    ),
    _raises(
        "descriptors are used up (1,024)",
        "open_until_refused()",
        "OSError",
        "[Errno 24] Too many open files: '/dev/null'",
    ),
    _raises(
        "processes are used up (1,024), a fork bomb",
        "fork_until_refused()",
        "BlockingIOError",
        "[Errno 11] Resource temporarily unavailable",
        confined=True,
    ),
    Failure(
        title="the answer is larger than 6 MB",
        program=_PLAIN,
        event={"do": "result = 'x' * (6 * 1024 * 1024 + 99)"},
        answer=Answer(
            body=normal_json(
                {
                    "errorMessage": "Response payload size exceeded maximum allowed payload size "
                    "(6291556 bytes).",
                    "errorType": "Function.ResponseSizeTooLarge",
                }
            )
        ),
        log=log(),
        fate=Fate.KEPT,
    ),
    _exits("`sys.exit(0)`", "sys.exit(0)", "Runtime exited without providing a reason"),
    _exits("`os._exit(7)`", "os._exit(7)", "Runtime exited with error: exit status 7"),
    _exits("SIGKILL of its own process", "os.kill(os.getpid(), signal.SIGKILL)", _KILLED),
    _exits(
        "SIGTERM of its own process",
        "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)",
        "Runtime exited with error: signal: terminated",
    ),
    _exits(
        "a segmentation fault",
        "ctypes.string_at(0)",
        "Runtime exited with error: signal: segmentation fault",
    ),
    _exits(
        "`os.abort()`",
        "os.abort()",
        "Runtime exited with error: signal: aborted",
    ),
    Failure(
        title="memory is used up",
        program=_SMALL,
        event={"do": "take_memory()"},
        answer=Answer(body=platform_error("Runtime.ExitError", _KILLED)),
        log=log(exited(_KILLED), report="Status: error\tError Type: Runtime.OutOfMemory"),
        fate=Fate.RESET,
        confined=True,
    ),
    Failure(
        title="the function's timeout passes",
        program=_HASTY,
        event={"do": "time.sleep(60)"},
        answer=Answer(body=platform_error("Sandbox.Timedout", _TIMEOUT)),
        log=log(f"<time> <id> {_TIMEOUT}\n", report="Status: timeout"),
        fate=Fate.RESET,
    ),
    Failure(
        title="the caller goes away",
        program=_PLAIN,
        event={"do": "time.sleep(1)\nprint('to the end')"},
        call=Call.LEAVE,
        answer=Answer(status=None, error=None),
        log=log("to the end"),
        fate=Fate.KEPT,
    ),
    Failure(
        title="the function's configuration changes while it runs",
        program=_SLEEPY,
        event={"do": "time.sleep(4)"},
        call=Call.UPDATE,
        answer=Answer(error=None, body='"done"'),
        log=log(),
        fate=Fate.DESTROYED,
    ),
)
