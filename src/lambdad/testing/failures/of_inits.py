"""Failures of the init phase: of a module, of a program, of the time it takes."""

from __future__ import annotations

from lambdad.testing.failures.case import (
    WARNING,
    Answer,
    Failure,
    Fate,
    described,
    exited,
    init_report,
    log,
    platform_error,
)
from lambdad.testing.failures.programs import HASTY_S, bootstrap, handler

_KILLED = "Runtime exited with error: signal: killed"
_TIMEOUT = f"Task timed out after {HASTY_S}.00 seconds"


def _told(
    title: str,
    name: str,
    at_init: str,
    error_type: str,
    message: str,
    *,
    recorded: str | None = None,
    first: str | None = None,
) -> Failure:
    """The runtime client says what is wrong: it is not tried again before the next event.

    `recorded` is the type in the platform's lines, `first` the runtime's own line.
    """
    status = f"error\tError Type: {recorded or error_type}"
    return Failure(
        title=title,
        program=handler(f"init-{name}", BAD_INITS="1", AT_INIT=at_init),
        answer=Answer(body=described(error_type, message)),
        log=log(
            before=(
                WARNING,
                first or f"[ERROR] {error_type}: {message}\nTraceback …",
                init_report(status),
            ),
            report=f"Init Duration: <ms> ms\tStatus: {status}",
        ),
        fate=Fate.RESET,
        inits=2,
    )


def _ends(
    title: str,
    name: str,
    at_init: str,
    reason: str,
    *,
    logged: str = "Runtime.ExitError",
    memory_mb: int = 512,
    confined: bool = False,
) -> Failure:
    """The process ends: it is tried once more within the invocation."""
    return Failure(
        title=title,
        program=handler(f"init-{name}", memory_mb=memory_mb, BAD_INITS="2", AT_INIT=at_init),
        answer=Answer(body=platform_error("Runtime.ExitError", reason)),
        log=log(
            exited(reason),
            before=(init_report("error\tError Type: Runtime.ExitError"),),
            report=f"Status: error\tError Type: {logged}",
        ),
        fate=Fate.RESET,
        inits=3,
        confined=confined,
    )


_UNSTARTABLE = "error\tError Type: Runtime.InvalidEntrypoint"


def _unstartable(title: str, name: str, reason: str, **files: str) -> Failure:
    return Failure(
        title=title,
        program=bootstrap(f"init-{name}", files, executable=()),
        answer=Answer(body=platform_error("Runtime.InvalidEntrypoint", reason)),
        log=log(before=(init_report(_UNSTARTABLE),), report=f"Status: {_UNSTARTABLE}"),
        fate=Fate.RESET,
        recovers=False,
    )


ROWS = (
    _told(
        "the module is not found, or misses another",
        "import",
        "import nowhere",
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'nowhere'",
    ),
    _told(
        "a syntax error",
        "syntax",
        "import broken",
        "Runtime.UserCodeSyntaxError",
        "Syntax error in module 'app': invalid syntax (broken.py, line 1)",
    ),
    _told(
        "the handler is missing",
        "missing",
        "del handler",
        "Runtime.HandlerNotFound",
        "Handler 'handler' missing on module 'app'",
    ),
    _told(
        "the module raises",
        "raise",
        "raise OSError('no luck')",
        "OSError",
        "no luck",
        recorded="Runtime.Unknown",
    ),
    _ends(
        "`sys.exit(0)` in the module",
        "exit-0",
        "sys.exit(0)",
        "Runtime exited without providing a reason",
    ),
    _ends(
        "`os._exit(3)` in the module",
        "exit-3",
        "os._exit(3)",
        "Runtime exited with error: exit status 3",
    ),
    _ends(
        "SIGKILL of its own process in the module",
        "kill",
        "os.kill(os.getpid(), signal.SIGKILL)",
        _KILLED,
    ),
    _ends(
        "a segmentation fault in the module",
        "segfault",
        "ctypes.string_at(0)",
        "Runtime exited with error: signal: segmentation fault",
    ),
    _ends(
        "memory is used up in the module",
        "memory",
        "take_memory()",
        _KILLED,
        logged="Runtime.OutOfMemory",
        memory_mb=128,
        confined=True,
    ),
    Failure(
        title="init takes longer than its limit (10 s), once",
        program=handler("init-slow", BAD_INITS="1", AT_INIT="time.sleep(60)"),
        event={"do": "result = len(STARTED)"},
        answer=Answer(error=None, body="2"),
        log=log(before=(init_report("timeout"),)),
        fate=Fate.RESET,
        inits=2,
    ),
    Failure(
        title="init takes longer than its limit, then longer than the function's timeout",
        program=handler("init-slower", timeout_s=HASTY_S, BAD_INITS="2", AT_INIT="time.sleep(60)"),
        answer=Answer(body=platform_error("Sandbox.Timedout", _TIMEOUT)),
        log=log(
            f"<time> <id> {_TIMEOUT}\n",
            before=(init_report("timeout"),),
            report="Status: timeout",
        ),
        fate=Fate.RESET,
        inits=3,
    ),
    Failure(
        title="the runtime never asks for an event",
        program=bootstrap("init-mute", timeout_s=HASTY_S, BAD_INITS="2", AT_INIT="time.sleep(60)"),
        answer=Answer(body=platform_error("Sandbox.Timedout", _TIMEOUT)),
        log=log(
            f"<time> <id> {_TIMEOUT}\n",
            before=(init_report("timeout"),),
            report="Status: timeout",
        ),
        fate=Fate.RESET,
        inits=3,
    ),
    Failure(
        title="a custom runtime reports an init error",
        program=bootstrap(
            "init-error",
            BAD_INITS="1",
            AT_INIT="call('POST', 'init/error', '{\"errorType\":\"Runtime.NoLuck\"}', "
            "Lambda_Runtime_Function_Error_Type='Runtime.NoLuck')\nsys.exit(1)",
        ),
        answer=Answer(body='{"errorType": "Runtime.NoLuck"}'),
        log=log(
            before=(init_report("error\tError Type: Runtime.NoLuck"),),
            report="Init Duration: <ms> ms\tStatus: error\tError Type: Runtime.NoLuck",
        ),
        fate=Fate.RESET,
        inits=2,
    ),
    Failure(
        title="the wrapper script (`AWS_LAMBDA_EXEC_WRAPPER`) is missing",
        program=handler("init-wrapper", AWS_LAMBDA_EXEC_WRAPPER="/opt/nowhere"),
        answer=Answer(
            body=platform_error("Runtime.ExitError", "Runtime exited with error: exit status 127")
        ),
        log=log(
            "/opt/nowhere: does not exist",
            exited("Runtime exited with error: exit status 127"),
            before=(
                "/opt/nowhere: does not exist",
                init_report("error\tError Type: Runtime.ExitError"),
            ),
            report="Status: error\tError Type: Runtime.ExitError",
        ),
        fate=Fate.RESET,
        recovers=False,
    ),
    _unstartable(
        "there is no `bootstrap`",
        "nothing",
        "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
        readme="",
    ),
    _unstartable(
        "`bootstrap` may not be executed",
        "mode",
        "fork/exec /var/task/bootstrap: permission denied",
        bootstrap="#!/bin/sh\n",
    ),
)
