"""Failures of custom runtimes and of streams."""

from __future__ import annotations

import base64

from lambdad.testing.failures.case import (
    Answer,
    Call,
    Failure,
    Fate,
    exited,
    log,
    normal_json,
    platform_error,
)
from lambdad.testing.failures.programs import HASTY_S, bootstrap

_RUNTIME = bootstrap("runtime")
_HASTY = bootstrap("hasty-runtime", timeout_s=HASTY_S)
_TIMEOUT = f"Task timed out after {HASTY_S}.00 seconds"
_EXIT = "Runtime exited with error: exit status 9"
_DOCUMENT = base64.b64encode(b'{"errorType":"Function.Bad","errorMessage":"midway"}').decode()
_TRAILERS = (
    f"Lambda-Runtime-Function-Error-Type: Function.Bad\\r\\n"
    f"Lambda-Runtime-Function-Error-Body: {_DOCUMENT}\\r\\n"
)
_TRUNCATED = (
    "Runtime.TruncatedResponse",
    normal_json(
        {
            "errorType": "Runtime.TruncatedResponse",
            "errorMessage": "The response ended before its end.",
        }
    ),
)


def _answers(title: str, do: str, body: str, *lines: str, error: str | None = None) -> Failure:
    """The runtime does something odd and answers all the same."""
    return Failure(
        title=title,
        program=_RUNTIME,
        event={"do": do},
        answer=Answer(error=error, body=body),
        log=log(*lines),
        fate=Fate.KEPT,
    )


RUNTIMES = (
    _answers("the answer is not JSON", "respond('no {json')", "no {json"),
    _answers(
        "the error document is not JSON",
        "respond('no luck', what='error')",
        "no luck",
        error="Unhandled",
    ),
    Failure(
        title="the answer is for another request id, then the runtime exits",
        program=_RUNTIME,
        event={"do": "say(respond('1', '00000000-0000-4000-8000-000000000000'))\nsys.exit(9)"},
        answer=Answer(body=platform_error("Runtime.ExitError", _EXIT)),
        log=log(
            "400 InvalidRequestID",
            exited(_EXIT),
            report="Status: error\tError Type: Runtime.ExitError",
        ),
        fate=Fate.RESET,
    ),
    _answers(
        "the next event is asked for before the answer",
        "say(call('GET', 'invocation/next'))\nrespond('1')",
        "1",
        "403 InvalidStateTransition",
    ),
    _answers(
        "a second answer is given",
        "respond('1')\nsay(respond('2'))",
        "1",
        "403 InvalidStateTransition",
    ),
    _answers(
        "an unknown response mode is named",
        "say(respond('1', Lambda_Runtime_Function_Response_Mode='psychic'))\nrespond('2')",
        "2",
        "400 InvalidFunctionResponseMode",
    ),
    _answers(
        "an answer beyond 6 MB is refused with 413, and the runtime reports an error of its own",
        "say(respond('x' * 6300000))\nrespond('{}', what='error')",
        normal_json(
            {
                "errorMessage": "Response payload size exceeded maximum allowed payload size "
                "(6291556 bytes).",
                "errorType": "Function.ResponseSizeTooLarge",
            }
        ),
        "413 RequestEntityTooLarge",
        error="Unhandled",
    ),
)


def _streams(
    title: str,
    do: str,
    complete: tuple[str, str] | None,
    *lines: str,
    report: str = "",
    fate: Fate = Fate.KEPT,
    body: str = "first",
    call: Call = Call.STREAM,
) -> Failure:
    gone = call is Call.LEAVE_STREAM
    return Failure(
        title=title,
        program=_HASTY if report == "Status: timeout" else _RUNTIME,
        event={"do": f"begin_stream()\npiece(b'first')\n{do}"},
        call=call,
        answer=Answer(
            status=None if gone else 200, error=None, body="" if gone else body, complete=complete
        ),
        log=log(*lines, report=report),
        fate=fate,
    )


STREAMS = (
    _streams(
        "the handler fails midway and says so",
        f'end_stream(b"{_TRAILERS}")',
        ("Function.Bad", normal_json({"errorType": "Function.Bad", "errorMessage": "midway"})),
    ),
    _streams(
        "the response ends before its end",
        "api.close()",
        _TRUNCATED,
    ),
    _streams(
        "the process exits midway",
        "os._exit(9)",
        _TRUNCATED,
        exited(_EXIT),
        report="Status: error\tError Type: Runtime.ExitError",
        fate=Fate.RESET,
    ),
    _streams(
        "the timeout passes midway",
        "time.sleep(60)",
        ("Sandbox.Timedout", platform_error("Sandbox.Timedout", _TIMEOUT)),
        f"<time> <id> {_TIMEOUT}\n",
        report="Status: timeout",
        fate=Fate.RESET,
    ),
    _streams(
        "the response is larger than 200 MiB",
        "try:\n    for _ in range(201):\n        piece(b'x' * 1048576)\n    end_stream()\n"
        "except OSError:\n    pass\napi.close()",
        (
            "Function.ResponseSizeTooLarge",
            normal_json(
                {
                    "errorMessage": "Response payload size exceeded maximum allowed payload size "
                    "(209715200 bytes).",
                    "errorType": "Function.ResponseSizeTooLarge",
                }
            ),
        ),
        body="209715200 bytes",
    ),
    _streams(
        "the caller goes away midway",
        "time.sleep(1)\npiece(b'x' * 20000000)\nend_stream()\nprint('to the end', flush=True)",
        None,
        "to the end",
        call=Call.LEAVE_STREAM,
    ),
)
