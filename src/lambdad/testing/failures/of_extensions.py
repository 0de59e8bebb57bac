"""Failures of extensions."""

from __future__ import annotations

from lambdad.testing.failures.case import (
    Answer,
    Failure,
    Fate,
    exited,
    init_report,
    log,
    platform_error,
)
from lambdad.testing.failures.programs import HASTY_S, extended

_TIMEOUT = f"Task timed out after {HASTY_S}.00 seconds"
_EVENTS = "Events: [INVOKE]"


def _line(state: str, error_type: str = "", events: str = _EVENTS) -> str:
    ending = f"\tError Type: {error_type}" if error_type else ""
    return f"EXTENSION\tName: companion\tState: {state}\t{events}{ending}"


def _at_init(
    title: str,
    name: str,
    error_type: str,
    reason: str,
    line: str,
    *,
    executable: bool = True,
    **variables: str,
) -> Failure:
    """An extension fails while it starts; the init is tried once more within the invocation."""
    status = f"error\tError Type: {error_type}"
    return Failure(
        title=title,
        program=extended(
            f"extension-{name}", {"BAD_INITS": "2", **variables}, executable=executable
        ),
        answer=Answer(body=platform_error(error_type, reason)),
        log=log(
            line,
            exited(reason, error_type),
            before=(line, init_report(status)),
            report=f"Status: {status}",
        ),
        fate=Fate.RESET,
        # The runtime had not been started before.
        inits=1 if executable else None,
        recovers=executable,
    )


def _at_invoke(title: str, name: str, error_type: str, reason: str, do: str) -> Failure:
    status = f"error\tError Type: {error_type}"
    return Failure(
        title=title,
        program=extended(f"extension-{name}", {"AT_INVOKE": do}),
        event={"do": "time.sleep(60)"},
        answer=Answer(body=platform_error(error_type, reason)),
        log=log(exited(reason, error_type), report=f"Status: {status}"),
        fate=Fate.RESET,
    )


ROWS = (
    _at_init(
        "an extension exits before it registers",
        "crash",
        "Extension.Crash",
        "exit status 7",
        _line("Started", "Extension.Crash", "Events: []"),
        BEFORE="os._exit(7)",
    ),
    _at_init(
        "an extension reports an init error",
        "init-error",
        "Extension.InitError",
        "Extension.NoLuck",
        _line("InitError", "Extension.NoLuck"),
        BEHIND="report('init/error')",
    ),
    _at_init(
        "an extension may not be executed",
        "mode",
        "Extension.LaunchError",
        "fork/exec /opt/extensions/companion: permission denied",
        _line("LaunchError", "PermissionDenied", "Events: []"),
        executable=False,
    ),
    Failure(
        title="an extension never registers",
        program=extended(
            "extension-mute",
            {"BAD_INITS": "2", "BEFORE": "time.sleep(60)"},
            timeout_s=HASTY_S,
        ),
        answer=Answer(body=platform_error("Sandbox.Timedout", _TIMEOUT)),
        log=log(
            _line("Started", events="Events: []"),
            f"<time> <id> {_TIMEOUT}\n",
            before=(_line("Started", events="Events: []"), init_report("timeout")),
            report="Status: timeout",
        ),
        fate=Fate.RESET,
        inits=1,
    ),
    _at_invoke(
        "an extension exits while an event is handled",
        "dies",
        "Extension.Crash",
        "exit status 7",
        "os._exit(7)",
    ),
    _at_invoke(
        "an extension is killed while an event is handled",
        "killed",
        "Extension.Crash",
        "signal: killed",
        "os.kill(os.getpid(), 9)",
    ),
    _at_invoke(
        "an extension reports an exit error",
        "exit-error",
        "Extension.ExitError",
        "Extension.NoLuck",
        "report('exit/error')",
    ),
    Failure(
        title="an extension is not done when the function's timeout passes",
        program=extended("extension-slow", {"AT_INVOKE": "time.sleep(60)"}, timeout_s=HASTY_S),
        event={"do": "pass"},
        answer=Answer(error=None, body='"done"'),
        log=log(f"<time> <id> {_TIMEOUT}\n", report="Status: timeout"),
        fate=Fate.RESET,
    ),
)
