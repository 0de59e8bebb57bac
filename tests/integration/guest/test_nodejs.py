"""The Node.js guest does what AWS's runtime does, on every node of this host."""

import base64
import json
import re

import pytest
from tests.integration.guest.conftest import NODES

from lambdad.domain.functions import LoggingConfig

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

pytestmark = pytest.mark.parametrize("node", NODES)

ECHO = "exports.handler = async (event) => event;\n"


def with_callbacks(node):
    """AWS: from nodejs24.x on handlers have no callback."""
    return node != "nodejs24.x"


async def test_initialises_once_and_echoes_every_kind_of_json(guest, node):
    app = "let n = 0; n += 1;\nexports.handler = async (event) => [n, event];\n"
    values = [None, True, 0, -1.5, "é\u2028😀", [], {"a": {"b": [1, None]}}, "x" * 300_000]
    served = await guest.run(node, {"app.js": app}, values)
    assert served.documents == [[1, value] for value in values]
    assert served.posts[0].kind == "invocation/request-1/response"
    assert served.posts[0].headers["content-type"] == "application/json"


async def test_answers_in_every_way_a_handler_may(guest, node):
    app = """
const ways = {
  promise: (e, c) => Promise.resolve(1),
  nothing: async () => {},
  thenable: () => ({ then: (done) => done(2) }),
  callback: (e, c, done) => done(null, 3),
  late: (e, c, done) => setTimeout(() => done(null, 4), 5),
  succeed: (e, c) => c.succeed(5),
  done: (e, c) => setTimeout(() => c.done(null, 6), 5),
  silent: (e, c) => 'ignored',
};
exports.handler = function (event, context) { return ways[event](...arguments); };
"""
    ways = ["promise", "nothing", "thenable"]
    answers = [1, None, 2]
    if with_callbacks(node):
        ways += ["callback", "late", "succeed", "done", "silent"]
        answers += [3, 4, 5, 6, None]
    served = await guest.run(node, {"app.js": app}, ways)
    assert served.documents == answers


async def test_a_callback_waits_for_the_loop_to_be_empty(guest, node):
    if not with_callbacks(node):
        pytest.skip("AWS removed callbacks in nodejs24.x")
    app = """
let waited = false;
exports.handler = (event, context, callback) => {
  const before = waited;
  waited = false;
  context.callbackWaitsForEmptyEventLoop = event;
  setTimeout(() => { waited = true; console.log('waited'); }, 20);
  callback(null, before);
};
"""
    served = await guest.run(node, {"app.js": app}, [True, False, True])
    assert served.documents[:2] == [False, True]


async def test_describes_a_failure_of_the_handler(guest, node):
    app = """
const ways = {
  thrown() { throw new TypeError('bad é'); },
  async rejected() { throw new RangeError('bad'); },
  async text() { throw 'just text'; },
  async nothing() { throw undefined; },
  async big() { return 10n; },
};
exports.handler = (event) => ways[event]();
"""
    served = await guest.run(
        node, {"app.js": app}, ["thrown", "rejected", "text", "nothing", "big"]
    )
    thrown, rejected, text, nothing, big = served.documents
    assert (thrown["errorType"], thrown["errorMessage"]) == ("TypeError", "bad é")
    assert thrown["trace"][0] == "TypeError: bad é"
    assert f"({guest.task}/app.js:3:20)" in thrown["trace"][1]
    assert list(thrown) == ["errorType", "errorMessage", "trace"]
    assert rejected["errorType"] == "RangeError"
    assert text == {"errorType": "string", "errorMessage": "just text", "trace": []}
    assert nothing == {"errorType": "string", "errorMessage": "handled", "trace": []}
    assert (big["errorType"], big["errorMessage"]) == ("Error", "Unable to stringify response body")
    assert {post.kind.rpartition("/")[2] for post in served.posts} == {"error"}
    header = "lambda-runtime-function-error-type"
    assert served.posts[0].headers[header] == "TypeError"
    first = served.log.split("\n")[0]
    found = re.fullmatch(rf"{STAMP}\trequest-1\tERROR\tInvoke Error \t(\{{.*\}})", first)
    assert found is not None
    logged = json.loads(found[1])
    assert logged["errorMessage"] == "bad é"
    assert logged["stack"] == thrown["trace"]


async def test_a_promise_that_never_settles_is_an_exit(guest, node):
    app = "exports.handler = (e) => e ? Promise.resolve(e) : new Promise(() => {});\n"
    served = await guest.run(node, {"app.js": app}, [0, 1])
    assert served.documents[0]["errorType"] == "Runtime.NodeJsExit"
    assert served.documents[1] == 1


@pytest.mark.parametrize(
    ("statement", "error_type", "exit_code"),
    [
        ("setTimeout(() => { throw new Error('boo'); }, 1)", "Error", 129),
        ("Promise.reject(new Error('boo'))", "Runtime.UnhandledPromiseRejection", 128),
    ],
)
async def test_what_nobody_catches_ends_the_process(guest, node, statement, error_type, exit_code):
    wait = "await new Promise((done) => setTimeout(done, 999));"
    app = f"exports.handler = async () => {{ {statement}; {wait} }};"
    served = await guest.run(node, {"app.js": app}, [1])
    assert served.exit_code == exit_code
    (post,) = served.posts
    assert post.kind == "invocation/request-1/error"
    assert post.document["errorType"] == error_type
    assert post.document["errorMessage"].endswith("boo")


async def test_a_handler_that_exits_ends_the_process(guest, node):
    app = "exports.handler = async () => { console.log('bye'); process.exit(7); };\n"
    served = await guest.run(node, {"app.js": app}, [1])
    assert (served.exit_code, served.posts) == (7, [])
    assert served.log.endswith("\tINFO\tbye\n")


INIT_FAILURES = {
    "absent module": (
        "app.handler",
        "require('absent')",
        "Runtime.ImportModuleError",
        (
            "Error: Cannot find module 'absent'\n"
            "Require stack:\n- {task}/app.js\n- {runtime}/index.mjs"
        ),
    ),
    "absent file": (
        "gone.handler",
        "",
        "Runtime.ImportModuleError",
        "Error: Cannot find module 'gone'\nRequire stack:\n- {runtime}/index.mjs",
    ),
    "absent export": (
        "app.nope",
        "",
        "Runtime.HandlerNotFound",
        "app.nope is undefined or not exported",
    ),
    "no function": (
        "app.text",
        "exports.text = 'x'",
        "Runtime.HandlerNotFound",
        "app.text is not a function",
    ),
    "way out": (
        "../app.handler",
        "",
        "Runtime.MalformedHandlerName",
        (
            "'../app.handler' is not a valid handler name. "
            "Use absolute paths when specifying root directories in handler names."
        ),
    ),
    "no export named": ("app", "", "Runtime.MalformedHandlerName", "Bad handler"),
    "no JavaScript": (
        "app.handler",
        "x = )",
        "Runtime.UserCodeSyntaxError",
        "SyntaxError: Unexpected token ')'",
    ),
    "exception": ("app.handler", "throw new RangeError('early')", "RangeError", "early"),
}


@pytest.mark.parametrize("failure", INIT_FAILURES)
async def test_reports_why_it_cannot_initialise(guest, node, failure):
    handler, app, error_type, message = INIT_FAILURES[failure]
    served = await guest.run(node, {"app.js": app + "\n"}, handler=handler)
    (post,) = served.posts
    assert (post.kind, served.exit_code) == ("init/error", 129)
    runtime = (guest.root / "var/runtime").resolve()
    assert post.document["errorType"] == error_type
    assert post.document["errorMessage"] == message.format(task=guest.task, runtime=runtime)
    assert post.headers["lambda-runtime-function-error-type"] == error_type
    assert re.match(rf"{STAMP}\tundefined\tERROR\tUncaught Exception \t\{{", served.log)


async def test_context_says_what_the_platform_said(guest, event, node):
    app = """
exports.handler = async (event, context) => ({
  id: context.awsRequestId, arn: context.invokedFunctionArn, name: context.functionName,
  version: context.functionVersion, memory: context.memoryLimitInMB, group: context.logGroupName,
  stream: context.logStreamName, tenant: context.tenantId,
  left: context.getRemainingTimeInMillis() > 1e3,
  client: context.clientContext, identity: context.identity, trace: process.env._X_AMZN_TRACE_ID,
  waits: context.callbackWaitsForEmptyEventLoop, done: typeof context.done,
});
"""
    rich = event(
        b"1",
        {
            "Lambda-Runtime-Client-Context": '{"custom": {"k": "é"}}',
            "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId": "i"}',
            "Lambda-Runtime-Aws-Tenant-Id": "blue",
        },
    )
    served = await guest.run(node, {"app.js": app}, [rich, 2])
    first, second = served.documents
    callbacks = {"waits": True, "done": "function"}
    assert first == {
        "id": "request-1",
        "arn": "arn:aws:lambda:us-east-1:0:function:f:live",
        "name": "f",
        "version": "$LATEST",
        "memory": "128",
        "group": "/aws/lambda/f",
        "stream": "2026/01/01/[$LATEST]0123",
        "tenant": "blue",
        "left": True,
        "client": {"custom": {"k": "é"}},
        "identity": {"cognitoIdentityId": "i"},
        "trace": "Root=1-0-1;Sampled=0",
        **(callbacks if with_callbacks(node) else {"done": "undefined"}),
    }
    assert second["id"] == "request-2"
    assert "client" not in second


async def test_console_lines_carry_time_request_and_level(guest, node):
    app = """
console.log('at init');
exports.handler = async (event) => {
  console.log('hi %s', event, { a: 1 });
  console.error('two\\nlines');
  console.debug('d'); console.warn('w'); console.trace('t');
  process.stdout.write('plain\\n');
};
"""
    served = await guest.run(node, {"app.js": app}, ["é"])
    lines = [re.sub(rf"^{STAMP}\t", "", line) for line in served.log.split("\n")]
    assert lines == [
        "undefined\tINFO\tat init",
        "request-1\tINFO\thi é { a: 1 }",
        "request-1\tERROR\ttwo\rlines",
        "request-1\tDEBUG\td",
        "request-1\tWARN\tw",
        "request-1\tTRACE\tt",
        "plain",
        "",
    ]


async def test_logs_framed_json_when_configured(guest, node):
    app = """
exports.handler = async () => {
  console.debug('unseen');
  console.log('hi', { a: 1 });
  console.warn({ a: { b: 1 } });
  console.error(new RangeError('bad'));
};
"""
    logging = LoggingConfig(log_group="/aws/lambda/f", log_format="JSON")
    served = await guest.run(node, {"app.js": app}, [1], framed=True, logging=logging)
    kinds, records = [], []
    data = served.frames
    while data:
        size = int.from_bytes(data[4:8], "big")
        kinds.append(int.from_bytes(data[:4], "big"))
        records.append(json.loads(data[16 : 16 + size]))
        data = data[16 + size :]
    assert kinds == [0xA55A000E, 0xA55A0012, 0xA55A0016]
    assert all(re.fullmatch(STAMP, record.pop("timestamp")) for record in records)
    hello, mapping, error = records
    assert hello == {"level": "INFO", "requestId": "request-1", "message": "hi { a: 1 }"}
    assert mapping["message"] == {"a": {"b": 1}}
    assert error["message"]["errorType"] == "RangeError"
    assert error["message"]["stackTrace"][0] == "RangeError: bad"


async def test_carries_six_megabytes_and_refuses_more(guest, event, node):
    app = "exports.handler = async (e) => typeof e === 'number' ? 'x'.repeat(e) : e;\n"
    text = "ü" * 3_000_000
    payload = json.dumps(text, ensure_ascii=False).encode()
    served = await guest.run(node, {"app.js": app}, [event(payload), 6_291_555, 3])
    assert served.documents[0] == text
    assert served.documents[2] == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": (
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        ),
    }
    assert served.documents[3] == "xxx"


async def test_callback_handlers_are_refused_from_24_on(guest, node):
    app = "exports.handler = (event, context, callback) => callback(null, 1);\n"
    served = await guest.run(node, {"app.js": app}, [1])
    if with_callbacks(node):
        assert served.documents == [1]
    else:
        assert served.documents[0]["errorType"] == "Runtime.CallbackHandlerDeprecated"


async def test_what_a_streaming_handler_writes_is_its_answer(guest, node):
    app = """
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event) {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
  }
  stream.write('a');
  stream.write({ b: 1 });
  stream.end();
});
"""
    served = await guest.run(node, {"app.js": app}, [0, 1])
    plain, http = served.posts
    assert plain.body == b'a{"b":1}'
    assert plain.headers["content-type"] == "application/octet-stream"
    assert http.body == b'{"statusCode":201}' + bytes(8) + b'a{"b":1}'
    kind = "application/vnd.awslambda.http-integration-response"
    assert http.headers["content-type"] == kind


async def test_a_streaming_handler_that_fails_half_way_breaks_its_answer_off(guest, node):
    app = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event) stream.write('begun');
  await new Promise((resolve) => setTimeout(resolve, 5));
  throw new TypeError('no');
});
"""
    served = await guest.run(node, {"app.js": app}, [0, 1])
    before, half_way = served.posts
    assert before.path.endswith("/error")
    assert before.document["errorType"] == "TypeError"
    assert half_way.path.endswith("/response")
    assert half_way.body == b"begun"
    assert half_way.headers["lambda-runtime-function-error-type"] == "TypeError"
    document = base64.b64decode(half_way.headers["lambda-runtime-function-error-body"])
    assert json.loads(document)["errorMessage"] == "no"
