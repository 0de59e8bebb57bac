"""Node.js functions, seen by their callers and in their logs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytestmark = [pytest.mark.root, pytest.mark.slow]

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SIX_MB = 6 * 1024 * 1024

APP = """
let calls = 0;
const later = (ms) => new Promise((done) => setTimeout(done, ms));
const ways = {
  echo: async (event) => event.value,
  count: async () => ++calls,
  throw: async (event) => { throw new RangeError(event.text); },
  sync: () => { throw new TypeError('sync'); },
  reject: () => Promise.reject(new Error('rejected')),
  text: async () => { throw 'only text'; },
  exit: async (event) => { process.exit(event.code); },
  kill: async (event) => { process.kill(process.pid, event.signal); await later(30000); },
  uncaught: async () => { setTimeout(() => { throw new Error('boo'); }, 1); await later(30000); },
  unhandled: async () => { Promise.reject(new Error('boo')); await later(30000); },
  never: () => new Promise(() => {}),
  circular: async () => { const a = {}; a.a = a; return a; },
  bigint: async () => 1n,
  sized: async (event) => 'x'.repeat(event.size - 2),
  measure: async (event) => event.text.length,
  memory: async () => { const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1)); },
  sleep: async () => { console.log('asleep'); await later(30000); },
  callback: (event, context, done) => { setTimeout(() => done(null, 'called back'), 1); },
  failed: (event, context, done) => done(new Error('passed on')),
  succeed: (event, context) => { setTimeout(() => {}, 30000); context.succeed('at once'); },
  done: (event, context) => { setTimeout(() => {}, 30000); context.done(null, 'done'); },
  fail: (event, context) => { setTimeout(() => {}, 30000); context.fail(new RangeError('no')); },
  patient: (event, context, done) => {
    done(null, ways.late ? 'late' : 'early');
    setTimeout(() => { ways.late = true; }, 100);
  },
  wasLate: async () => Boolean(ways.late),
  hasty: (event, context, done) => {
    context.callbackWaitsForEmptyEventLoop = false;
    setTimeout(() => {}, 30000);
    done(null, 'hasty');
  },
  twice: (event, context, done) => { done(null, 'first'); done(null, 'second'); },
  silent: () => 'ignored',
  log: async () => {
    console.log('one %s', 'é');
    console.error('two\\nlines');
    process.stdout.write('plain\\n');
    process.stderr.write('bare');
  },
  about: async (event, context) => ({
    id: context.awsRequestId, name: context.functionName, version: context.functionVersion,
    arn: context.invokedFunctionArn, memory: context.memoryLimitInMB,
    group: context.logGroupName, stream: context.logStreamName,
    left: context.getRemainingTimeInMillis(), client: context.clientContext,
    keys: Object.keys(process.env).sort(), env: process.env, cwd: process.cwd(),
    uid: process.getuid(), node: process.versions.node,
  }),
};
exports.handler = function (event, context) { return ways[event.do](...arguments); };
"""


@pytest.fixture
def function(workshop: Any, node: str) -> Any:
    return workshop(f"node-{major(node)}", node, {"app.js": APP})


def major(node: str) -> int:
    return int(node.removeprefix("nodejs").removesuffix(".x"))


def exit_error(request_id: str, reason: str) -> dict[str, str]:
    message = f"RequestId: {request_id} Error: {reason}"
    return {"errorType": "Runtime.ExitError", "errorMessage": message}


@pytest.mark.parametrize(
    "value",
    [None, 0, -1.5, True, "é\u2028😀", [], {"a": {"b": [1, None]}}, "x" * 300_000, "aé😀" * 40_000],
)
def test_every_kind_of_json_goes_in_and_out(function: Any, value: Any) -> None:
    answer, lines = function({"do": "echo", "value": value})
    assert (answer.error, answer.payload) == (None, value)
    lines.expect_report()


def test_one_process_serves_one_request_after_the_other(function: Any) -> None:
    first = function({"do": "count"})[0].payload
    assert [function({"do": "count"})[0].payload for _ in range(3)] == [
        first + 1,
        first + 2,
        first + 3,
    ]


@pytest.mark.parametrize(
    ("event", "error_type", "message", "trace"),
    [
        ({"do": "throw", "text": "bad\né"}, "RangeError", "bad\né", "RangeError: bad"),
        ({"do": "sync"}, "TypeError", "sync", "TypeError: sync"),
        ({"do": "reject"}, "Error", "rejected", "Error: rejected"),
    ],
    ids=["throw", "sync", "reject"],
)
def test_an_exception_of_the_handler_is_described_and_the_process_goes_on(
    function: Any, event: Any, error_type: str, message: str, trace: str
) -> None:
    answer, lines = function(event)
    assert answer.error == "Unhandled"
    found = answer.payload.pop("trace")
    assert answer.payload == {"errorType": error_type, "errorMessage": message}
    assert found[0] == trace
    assert any(line.startswith("    at ") and "/var/task/app.js:" in line for line in found)
    stamp, request_id, level, title, document = lines.text.rstrip("\n").split("\t")
    assert re.fullmatch(ISO, stamp)
    assert (request_id, level, title) == (lines.request_id, "ERROR", "Invoke Error ")
    logged = json.loads(document)
    assert (logged["errorType"], logged["errorMessage"]) == (error_type, message)
    assert logged["stack"] == found
    lines.expect_report()
    assert function({"do": "echo", "value": 1})[0].payload == 1
    function({"do": "echo", "value": 1})[1].expect_report(cold=False)


def test_what_is_no_error_is_described_as_text(function: Any) -> None:
    answer, _ = function({"do": "text"})
    assert answer.payload == {"errorType": "string", "errorMessage": "only text", "trace": []}


def test_handlers_of_the_old_style_answer(function: Any, node: str) -> None:
    if major(node) >= 24:
        pytest.skip("AWS removed callbacks in nodejs24.x")
    assert function({"do": "callback"})[0].payload == "called back"
    assert function({"do": "silent"})[0].payload is None
    answer, _ = function({"do": "failed"})
    assert (answer.error, answer.payload["errorMessage"]) == ("Unhandled", "passed on")


def test_the_context_ends_an_invocation_without_waiting(workshop: Any, node: str) -> None:
    if major(node) >= 24:
        pytest.skip("AWS removed callbacks in nodejs24.x")
    function = workshop(f"node-hasty-{major(node)}", node, {"app.js": APP})
    # Each leaves a timer behind that would keep the event loop busy past the timeout.
    assert function({"do": "succeed"})[0].payload == "at once"
    assert function({"do": "done"})[0].payload == "done"
    answer, _ = function({"do": "fail"})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "RangeError")
    assert function({"do": "hasty"})[0].payload == "hasty"


def test_a_callback_waits_until_the_event_loop_is_empty(workshop: Any, node: str) -> None:
    if major(node) >= 24:
        pytest.skip("AWS removed callbacks in nodejs24.x")
    function = workshop(f"node-patient-{major(node)}", node, {"app.js": APP})
    assert function({"do": "patient"})[0].payload == "early"
    assert function({"do": "wasLate"})[0].payload is True
    assert function({"do": "twice"})[0].payload == "first"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"do": "exit", "code": 0}, "Runtime exited without providing a reason"),
        ({"do": "exit", "code": 7}, "Runtime exited with error: exit status 7"),
        ({"do": "kill", "signal": "SIGKILL"}, "Runtime exited with error: signal: killed"),
        (
            {"do": "kill", "signal": "SIGSEGV"},
            "Runtime exited with error: signal: segmentation fault",
        ),
    ],
    ids=["exit 0", "exit 7", "SIGKILL", "SIGSEGV"],
)
def test_an_exit_of_the_process_is_described_and_the_next_call_works(
    function: Any, event: Any, reason: str
) -> None:
    answer, lines = function(event)
    assert answer.error == "Unhandled"
    assert answer.payload == exit_error(lines.request_id, reason)
    assert lines.output == [f"RequestId: {lines.request_id} Error: {reason}", "Runtime.ExitError"]
    lines.expect_report("Status: error\tError Type: Runtime.ExitError")
    answer, lines = function({"do": "echo", "value": "again"})
    assert answer.payload == "again"
    lines.expect_report(cold=False)


@pytest.mark.parametrize(
    ("way", "error_type", "title"),
    [
        ("uncaught", "Error", "Uncaught Exception "),
        ("unhandled", "Runtime.UnhandledPromiseRejection", "Unhandled Promise Rejection "),
    ],
)
def test_what_nobody_catches_is_described_and_the_next_call_works(
    function: Any, way: str, error_type: str, title: str
) -> None:
    answer, lines = function({"do": way})
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == error_type
    assert answer.payload["errorMessage"].endswith("boo")
    assert lines.output[0].split("\t")[2:4] == ["ERROR", title]
    answer, lines = function({"do": "echo", "value": 1})
    assert (answer.error, answer.payload) == (None, 1)
    lines.expect_report(cold=False)


def test_a_promise_that_never_settles_is_an_exit(function: Any) -> None:
    answer, _ = function({"do": "never"})
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Runtime.NodeJsExit")


@pytest.mark.parametrize("way", ["circular", "bigint"])
def test_what_json_cannot_hold_is_an_error(function: Any, way: str) -> None:
    answer, _ = function({"do": way})
    assert answer.error == "Unhandled"
    assert answer.payload["errorMessage"] == "Unable to stringify response body"


def test_six_megabytes_go_in_and_out_and_no_more(function: Any) -> None:
    answer, _ = function({"do": "sized", "size": SIX_MB})
    assert (answer.error, len(answer.payload)) == (None, SIX_MB - 2)
    answer, _ = function({"do": "sized", "size": SIX_MB + 101})
    assert answer.error == "Unhandled"
    assert answer.payload == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": (
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        ),
    }
    room = SIX_MB - len('{"do": "measure", "text": ""}')
    assert function({"do": "measure", "text": "x" * room})[0].payload == room


def test_too_much_memory_ends_the_process(workshop: Any, node: str) -> None:
    function = workshop(f"node-memory-{major(node)}", node, {"app.js": APP}, memory_mb=128)
    answer, lines = function({"do": "memory"})
    assert answer.error == "Unhandled"
    reason = "Runtime exited with error: signal: killed"
    assert answer.payload == exit_error(lines.request_id, reason)
    figures = lines.expect_report("Status: error\tError Type: Runtime.OutOfMemory")
    assert figures["used"] == 128
    assert function({"do": "echo", "value": 1})[0].payload == 1


def test_the_timeout_ends_the_process_when_it_says(workshop: Any, node: str) -> None:
    function = workshop(f"node-slow-{major(node)}", node, {"app.js": APP}, Timeout=1)
    answer, lines = function({"do": "sleep"})
    assert answer.error == "Unhandled"
    assert answer.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {lines.request_id} Error: Task timed out after 1.00 seconds",
    }
    assert lines.output[0].endswith(f"\t{lines.request_id}\tINFO\tasleep")
    figures = lines.expect_report("Status: timeout")
    assert 1000 <= figures["duration"] < 1250


RUNTIME_INDEX = "\nRequire stack:\n- /var/runtime/index.mjs"
AT_INIT: dict[str, tuple[str, dict[str, str], str, str]] = {
    "absent file": (
        "gone.handler",
        {},
        "Runtime.ImportModuleError",
        f"Error: Cannot find module 'gone'{RUNTIME_INDEX}",
    ),
    "absent module": (
        "app.handler",
        {"app.js": "require('absent');"},
        "Runtime.ImportModuleError",
        (
            "Error: Cannot find module 'absent'\nRequire stack:\n- /var/task/app.js\n"
            "- /var/runtime/index.mjs"
        ),
    ),
    "absent export": (
        "app.nope",
        {"app.js": "exports.handler = async () => {};"},
        "Runtime.HandlerNotFound",
        "app.nope is undefined or not exported",
    ),
    "malformed": ("app", {"app.js": ""}, "Runtime.MalformedHandlerName", "Bad handler"),
    "syntax": (
        "app.handler",
        {"app.js": "x = )"},
        "Runtime.UserCodeSyntaxError",
        "SyntaxError: Unexpected token ')'",
    ),
    "exception": (
        "app.handler",
        {"app.js": "throw new RangeError('early');"},
        "RangeError",
        "early",
    ),
    "exception of an ES module": (
        "app.handler",
        {"app.mjs": "throw new RangeError('early');"},
        "RangeError",
        "early",
    ),
}


@pytest.mark.parametrize("case", AT_INIT)
def test_what_cannot_be_loaded_is_named(workshop: Any, node: str, case: str) -> None:
    handler, files, error_type, message = AT_INIT[case]
    name = f"node-init-{case.replace(' ', '-')}-{major(node)}"
    function = workshop(name, node, {"readme.txt": "", **files}, Handler=handler)
    for _ in range(2):
        answer, lines = function()
        assert answer.error == "Unhandled"
        assert answer.payload.pop("trace")
        assert answer.payload == {"errorType": error_type, "errorMessage": message}
        logged = error_type if error_type.startswith("Runtime.") else "Runtime.Unknown"
        lines.expect_report(f"Status: error\tError Type: {logged}")


def test_an_exit_at_init_is_tried_again_within_the_invocation(workshop: Any, node: str) -> None:
    source = "console.log('loading'); process.exit(3);"
    function = workshop(f"node-init-exit-{major(node)}", node, {"app.js": source})
    answer, lines = function()
    assert answer.error == "Unhandled"
    reason = "Runtime exited with error: exit status 3"
    assert answer.payload == exit_error(lines.request_id, reason)
    lines.expect_report("Status: error\tError Type: Runtime.ExitError", cold=False)
    assert (
        sum(
            event.endswith("\tundefined\tINFO\tloading\n")
            for event in function.events(lines.request_id)
        )
        == 2
    )


def test_es_modules_are_handlers(workshop: Any, node: str) -> None:
    source = (
        "import { readFile } from 'node:fs/promises';\n"
        "const own = await readFile(new URL(import.meta.url));\n"
        "export const handler = async (event) => [event, own.length, typeof require];\n"
    )
    function = workshop(f"node-esm-{major(node)}", node, {"app.mjs": source})
    assert function(5)[0].payload == [5, len(source), "undefined"]


def test_the_console_goes_to_the_log(function: Any) -> None:
    _, lines = function({"do": "log"})
    request_id = lines.request_id
    text = re.sub(rf"^{ISO}", "<iso>", lines.text, flags=re.MULTILINE)
    # Two pipes bring them, so only the order within each is certain.
    console = f"<iso>\t{request_id}\tINFO\tone é\n<iso>\t{request_id}\tERROR\ttwo\nlines\n"
    assert console in text
    rest = text.replace(console, "")
    assert rest == "plain\nbare"


def test_the_context_and_the_environment_are_those_of_aws(function: Any, node: str) -> None:
    answer, lines = function({"do": "about"})
    seen = answer.payload
    name = f"node-{major(node)}"
    assert seen["id"] == lines.request_id
    assert (seen["name"], seen["version"], seen["memory"]) == (name, "$LATEST", "256")
    assert seen["arn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert seen["group"] == f"/aws/lambda/{name}"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen["stream"])
    assert 29_000 < seen["left"] <= 30_000
    assert "client" not in seen
    env = seen["env"]
    assert env["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{node}"
    assert env["NODE_PATH"] == (
        f"/opt/nodejs/node{major(node)}/node_modules:/opt/nodejs/node_modules:"
        "/var/runtime/node_modules:/var/runtime:/var/task"
    )
    assert env["PATH"] == "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin"
    assert env["AWS_LAMBDA_RUNTIME_API"] in ("169.254.100.1:9001", "127.0.0.1:9001")
    assert not [key for key in seen["keys"] if "LAMBDAD" in key]
    assert "_LAMBDA_TELEMETRY_LOG_FD" not in seen["keys"]
    assert seen["cwd"] == "/var/task"
    assert seen["uid"] != 0
    assert int(seen["node"].split(".")[0]) == major(node)
