"""How Python functions fail, seen by their callers and in their logs."""

from __future__ import annotations

import re
import zlib
from typing import Any

import pytest

pytestmark = [pytest.mark.root, pytest.mark.slow]

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SIX_MB = 6 * 1024 * 1024
WARNING = (
    rf"\[WARNING\]\t{ISO}\t\tLAMBDA_WARNING: Unhandled exception\. "
    r"The most likely cause is an issue in the function code\."
)

APP = """
import ctypes, os, signal, sys, time

def deep():
    raise KeyError("gone")

class Answer:
    pass

def handler(event, context):
    what = event["do"]
    if what == "raise":
        raise ValueError(event["text"])
    if what == "deep":
        deep()
    if what == "exit":
        sys.exit(event["code"])
    if what == "_exit":
        os._exit(event["code"])
    if what == "kill":
        os.kill(os.getpid(), event["signal"])
        time.sleep(30)
    if what == "segfault":
        ctypes.string_at(0)
    if what == "object":
        return Answer()
    if what == "sized":
        return "x" * (event["size"] - 2)
    if what == "measure":
        return len(event["text"])
    if what == "memory":
        hog = bytearray(512 * 1024 * 1024)
        for i in range(0, len(hog), 4096):
            hog[i] = 1
    if what == "sleep":
        print("asleep")
        time.sleep(event["seconds"])
    return "done"
"""


@pytest.fixture
def a_python() -> str:
    """For what does not depend on the interpreter."""
    return "python3.12"


@pytest.fixture
def function(workshop: Any, python: str) -> Any:
    return workshop(f"fails-{python.replace('.', '_')}", python, {"app.py": APP})


def minor(python: str) -> int:
    return int(python.rpartition(".")[2])


def exit_error(request_id: str, reason: str) -> dict[str, str]:
    return {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: {reason}",
    }


def test_an_exception_of_the_handler_is_described_and_the_process_goes_on(
    function: Any, python: str
) -> None:
    answer, lines = function({"do": "raise", "text": "bad\nluck é"})
    assert answer.error == "Unhandled"
    assert answer.payload == {
        "errorMessage": "bad\nluck é",
        "errorType": "ValueError",
        **({"requestId": lines.request_id} if minor(python) > 8 else {}),
        "stackTrace": [
            '  File "/var/task/app.py", line 13, in handler\n    raise ValueError(event["text"])\n'
        ],
    }
    # AWS: indentation by no-break spaces, which consoles keep; no newline at the end.
    assert lines.text == (
        "[ERROR] ValueError: bad\nluck é\nTraceback (most recent call last):\n"
        '\xa0\xa0File "/var/task/app.py", line 13, in handler\n'
        '\xa0\xa0\xa0\xa0raise ValueError(event["text"])'
    )
    lines.expect_report()
    answer, lines = function({"do": "deep"})
    assert answer.payload["errorMessage"] == "'gone'"
    assert [line.split("\n")[0] for line in answer.payload["stackTrace"]] == [
        '  File "/var/task/app.py", line 15, in handler',
        '  File "/var/task/app.py", line 5, in deep',
    ]
    lines.expect_report(cold=False)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"do": "exit", "code": 0}, "Runtime exited without providing a reason"),
        ({"do": "exit", "code": 7}, "Runtime exited with error: exit status 7"),
        ({"do": "_exit", "code": 255}, "Runtime exited with error: exit status 255"),
        ({"do": "kill", "signal": 9}, "Runtime exited with error: signal: killed"),
        ({"do": "kill", "signal": 15}, "Runtime exited with error: signal: terminated"),
        ({"do": "segfault"}, "Runtime exited with error: signal: segmentation fault"),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_an_exit_of_the_process_is_described_and_the_next_call_works(
    workshop: Any, a_python: str, event: Any, reason: str
) -> None:
    function = workshop("exits", a_python, {"app.py": APP})
    answer, lines = function(event)
    assert answer.error == "Unhandled"
    assert answer.payload == exit_error(lines.request_id, reason)
    assert lines.output[-2:] == [
        f"RequestId: {lines.request_id} Error: {reason}",
        "Runtime.ExitError",
    ]
    lines.expect_report("Status: error\tError Type: Runtime.ExitError")
    # AWS: the environment stays, its process is made anew within the next invocation.
    answer, lines = function({"do": "nothing"})
    assert (answer.error, answer.payload) == (None, "done")
    lines.expect_report(cold=False)


def test_what_json_cannot_hold_is_a_marshal_error(function: Any, python: str) -> None:
    answer, lines = function({"do": "object"})
    message = "Unable to marshal response: Object of type Answer is not JSON serializable"
    assert answer.error == "Unhandled"
    assert answer.payload == {
        "errorMessage": message,
        "errorType": "Runtime.MarshalError",
        **({"requestId": lines.request_id} if minor(python) > 8 else {}),
        "stackTrace": [],
    }
    assert lines.output == [
        f"[ERROR] Runtime.MarshalError: {message}",
        "Traceback (most recent call last):",
    ]


def test_six_megabytes_go_out_and_no_more(workshop: Any, a_python: str) -> None:
    """AWS counts 100 bytes on top of 6 MB."""
    function = workshop("sizes", a_python, {"app.py": APP})
    for size in (SIX_MB, SIX_MB + 100):
        answer, _ = function({"do": "sized", "size": size})
        assert answer.error is None
        assert answer.payload == "x" * (size - 2)
    answer, lines = function({"do": "sized", "size": SIX_MB + 101})
    assert answer.error == "Unhandled"
    assert answer.payload == {
        "errorMessage": (
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        ),
        "errorType": "Function.ResponseSizeTooLarge",
    }
    lines.expect_report(cold=False)
    assert function({"do": "nothing"})[0].payload == "done"


def test_six_megabytes_come_in(workshop: Any, a_python: str) -> None:
    function = workshop("sizes", a_python, {"app.py": APP})
    room = SIX_MB - len('{"do": "measure", "text": ""}')
    answer, _ = function({"do": "measure", "text": "x" * room})
    assert answer.payload == room


def test_too_much_memory_ends_the_process(workshop: Any, a_python: str) -> None:
    function = workshop("memory", a_python, {"app.py": APP}, memory_mb=128)
    reason = "Runtime exited with error: signal: killed"
    for _ in range(2):
        answer, lines = function({"do": "memory"})
        assert answer.error == "Unhandled"
        assert answer.payload == exit_error(lines.request_id, reason)
        assert lines.output[-2:] == [
            f"RequestId: {lines.request_id} Error: {reason}",
            "Runtime.ExitError",
        ]
        figures = lines.expect_report("Status: error\tError Type: Runtime.OutOfMemory")
        assert figures["used"] == 128
    answer, lines = function({"do": "nothing"})
    assert answer.payload == "done"


def test_the_timeout_ends_the_process_when_it_says(workshop: Any, a_python: str) -> None:
    function = workshop("slow", a_python, {"app.py": APP}, Timeout=1)
    for _ in range(2):
        answer, lines = function({"do": "sleep", "seconds": 30})
        assert answer.error == "Unhandled"
        assert answer.payload == {
            "errorType": "Sandbox.Timedout",
            "errorMessage": (
                f"RequestId: {lines.request_id} Error: Task timed out after 1.00 seconds"
            ),
        }
        assert lines.output[0] == "asleep"
        assert re.fullmatch(
            rf"{ISO} {lines.request_id} Task timed out after 1.00 seconds", lines.output[1]
        )
        assert lines.output[2:] == [""]
        figures = lines.expect_report("Status: timeout")
        assert 1000 <= figures["duration"] < 1250
    assert function({"do": "nothing"})[0].payload == "done"


AT_INIT: dict[str, tuple[str, dict[str, str], str, str]] = {
    "absent module": (
        "nope.handler",
        {},
        "Runtime.ImportModuleError",
        "Unable to import module 'nope': No module named 'nope'",
    ),
    "module that misses another": (
        "app.handler",
        {"app.py": "import not_there\n"},
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'not_there'",
    ),
    "absent function": (
        "app.nope",
        {"app.py": "def handler(event, context): pass\n"},
        "Runtime.HandlerNotFound",
        "Handler 'nope' missing on module 'app'",
    ),
    "handler without a dot": (
        "handler",
        {"handler.py": ""},
        "Runtime.MalformedHandlerName",
        "Bad handler 'handler': not enough values to unpack (expected 2, got 1)",
    ),
    "built-in module": (
        "sys.exit",
        {"sys.py": ""},
        "Runtime.BuiltInModuleConflict",
        "Cannot use built-in module sys as a handler module",
    ),
}


@pytest.mark.parametrize("case", AT_INIT)
def test_what_cannot_be_loaded_is_named(workshop: Any, python: str, case: str) -> None:
    handler, files, error_type, message = AT_INIT[case]
    name = f"init-{case.replace(' ', '-')}-{python.replace('.', '_')}"
    function = workshop(name, python, {"readme.txt": "", **files}, Handler=handler)
    for _ in range(2):
        answer, lines = function()
        assert answer.error == "Unhandled"
        assert answer.payload == {
            "errorMessage": message,
            "errorType": error_type,
            **({"requestId": ""} if minor(python) > 8 else {}),
            "stackTrace": [],
        }
        lines.expect_report(f"Status: error\tError Type: {error_type}")
    events = function.events(lines.request_id)
    warnings = [event for event in events if re.match(WARNING, event)]
    errors = [event for event in events if event.startswith(f"[ERROR] {error_type}: {message}")]
    assert len(warnings) == len(errors) >= 2
    assert any(
        re.fullmatch(
            r"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error"
            rf"\tError Type: {error_type}\n",
            event,
        )
        for event in events
    )


def test_a_syntax_error_is_located(workshop: Any, python: str) -> None:
    name = f"init-syntax-{python.replace('.', '_')}"
    function = workshop(name, python, {"app.py": "x = 1\ndef handler(:\n"})
    answer, lines = function()
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Runtime.UserCodeSyntaxError"
    assert re.fullmatch(
        r"Syntax error in module 'app': invalid syntax \(app\.py, line 2\)",
        answer.payload["errorMessage"],
    )
    assert answer.payload["stackTrace"] == ['  File "/var/task/app.py" Line 2\n    def handler(:\n']
    lines.expect_report("Status: error\tError Type: Runtime.UserCodeSyntaxError")


def test_an_exception_of_the_module_is_described(workshop: Any, python: str) -> None:
    name = f"init-raises-{python.replace('.', '_')}"
    source = "print('loading')\nraise OSError('no luck')\n"
    function = workshop(name, python, {"app.py": source})
    answer, lines = function()
    assert answer.error == "Unhandled"
    payload = answer.payload
    assert (payload["errorType"], payload["errorMessage"]) == ("OSError", "no luck")
    assert payload.get("requestId", "") == ""
    assert payload["stackTrace"][-1] == (
        "  File \"/var/task/app.py\", line 2, in <module>\n    raise OSError('no luck')\n"
    )
    lines.expect_report("Status: error\tError Type: Runtime.Unknown")
    assert "loading\n" in function.events(lines.request_id)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("sys.exit(0)", "Runtime exited without providing a reason"),
        ("sys.exit(3)", "Runtime exited with error: exit status 3"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
def test_an_exit_at_init_is_tried_again_within_the_invocation(
    workshop: Any, a_python: str, statement: str, reason: str
) -> None:
    name = f"init-exit-{zlib.crc32(statement.encode())}"
    source = f"import os, sys\nprint('loading', flush=True)\n{statement}\n"
    function = workshop(name, a_python, {"app.py": source})
    answer, lines = function()
    assert answer.error == "Unhandled"
    assert answer.payload == exit_error(lines.request_id, reason)
    lines.expect_report("Status: error\tError Type: Runtime.ExitError", cold=False)
    events = function.events(lines.request_id)
    assert events[0].startswith(
        f"INIT_START Runtime Version: {a_python.replace('python', 'python:')}\t"
    )
    assert events[1] == "loading\n"
    assert re.fullmatch(
        r"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: init\tStatus: error"
        r"\tError Type: Runtime\.ExitError\n",
        events[2],
    )
    assert events[3].startswith("START RequestId: ")
    assert events[4] == "loading\n"
