"""The Python guest does what AWS's runtime does, on every Python of this host."""

import json
import re

import pytest

PYTHONS = [f"python3.{minor}" for minor in range(8, 15)]
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

pytestmark = pytest.mark.parametrize("python", PYTHONS)

ECHO = "def handler(event, context):\n    return event\n"


def minor(python):
    return int(python.rpartition(".")[2])


async def test_initialises_once_and_echoes_every_kind_of_json(guest, event, python):
    app = """
import os
starts = 0
starts += 1
def handler(event, context):
    return [starts, event]
"""
    values = [None, True, 0, -1.5, "é\u2028😀", [], {"a": {"b": [1, None]}}, 10**30, "x" * 70_000]
    served = await guest.run(python, {"app.py": app}, values)
    assert served.documents == [[1, value] for value in values]
    assert served.posts[0].kind == "invocation/request-1/response"
    assert served.posts[0].headers["content-type"] == "application/json"


async def test_escapes_non_ascii_just_before_3_12(guest, python):
    """AWS's encoder keeps characters from python3.12 on."""
    served = await guest.run(python, {"app.py": ECHO}, ["é"])
    assert served.posts[0].body == ('"é"'.encode() if minor(python) >= 12 else b'"\\u00e9"')


async def test_answers_what_only_awss_encoder_can(guest, python):
    app = """
import collections, decimal, math
Point = collections.namedtuple("Point", "x y")
RESULTS = [
    b"raw \\xff",
    {"price": decimal.Decimal("1.10"), "none": decimal.Decimal("NaN")},
    [Point(1, {"inner": Point(2, 3)})],
    {"text": b"bytes", b"key": 1},
    (math.inf, {1: 2, None: 3}),
]
def handler(event, context):
    return RESULTS[event]
"""
    served = await guest.run(python, {"app.py": app}, [0, 1, 2, 3, 4])
    assert [post.body for post in served.posts] == [
        b"raw \xff",
        b'{"price": 1.10, "none": NaN}',
        b'[{"x": 1, "y": {"inner": {"x": 2, "y": 3}}}]',
        b'{"text": "bytes", "key": 1}',
        b'[Infinity, {"1": 2, "null": 3}]',
    ]
    assert served.posts[0].headers["content-type"] == "application/unknown"


async def test_carries_six_megabytes_both_ways(guest, event, python):
    text = "ü" * 3_000_000
    served = await guest.run(
        python, {"app.py": ECHO}, [event(json.dumps(text[:1_000_000]).encode())]
    )
    assert served.documents == [text[:1_000_000]]


async def test_reports_an_oversized_answer_and_lives_on(guest, python):
    app = "def handler(event, context):\n    return 'x' * event\n"
    served = await guest.run(python, {"app.py": app}, [6_291_555, 3])
    assert served.posts[1].kind == "invocation/request-1/error"
    assert served.posts[1].headers["lambda-runtime-function-error-type"] == (
        "Function.ResponseSizeTooLarge"
    )
    assert served.posts[1].document == {
        "errorMessage": (
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        ),
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert served.posts[2].document == "xxx"


async def test_describes_an_exception_of_the_handler(guest, python):
    app = (
        "def inner():\n    raise ValueError('bad é')\n\ndef handler(event, context):\n    inner()\n"
    )
    served = await guest.run(python, {"app.py": app}, [1, 2])
    file = guest.task / "app.py"
    expected = {
        "errorMessage": "bad é",
        "errorType": "ValueError",
        "requestId": "request-1",
        "stackTrace": [
            f'  File "{file}", line 5, in handler\n    inner()\n',
            f"  File \"{file}\", line 2, in inner\n    raise ValueError('bad é')\n",
        ],
    }
    if minor(python) == 8:
        del expected["requestId"]
    assert served.documents[0] == expected
    assert served.posts[0].kind == "invocation/request-1/error"
    assert served.posts[0].headers["lambda-runtime-function-error-type"] == "ValueError"
    assert served.posts[1].kind == "invocation/request-2/error"
    blank = "\u00a0"
    line = (
        "[ERROR] ValueError: bad é\rTraceback (most recent call last):"
        f'\r{blank * 2}File "{file}", line 5, in handler\r{blank * 4}inner()'
        f"\r{blank * 2}File \"{file}\", line 2, in inner\r{blank * 4}raise ValueError('bad é')\n"
    )
    assert served.log == line * 2


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ("{1, 2}", "Unable to marshal response: Object of type set is not JSON serializable"),
        (
            "{(1,): 2}",
            "Unable to marshal response: keys must be str, int, float, bool or None, not tuple",
        ),
        ("object", "Unable to marshal response: Object of type type is not JSON serializable"),
        ("loop", "Unable to marshal response: Circular reference detected"),
    ],
)
async def test_reports_a_result_that_is_no_json(guest, python, result, message):
    app = f"loop = []\nloop.append(loop)\ndef handler(event, context):\n    return {result}\n"
    served = await guest.run(python, {"app.py": app}, [1])
    assert served.documents[0]["errorType"] == "Runtime.MarshalError"
    assert served.documents[0]["errorMessage"] == message
    assert served.documents[0]["stackTrace"] == []


@pytest.mark.parametrize("payload", [b"{", b"", b"{} x", b'"\xff"', b"[1,]"])
async def test_reports_an_event_that_is_no_json(guest, event, python, payload):
    served = await guest.run(python, {"app.py": ECHO}, [event(payload), 7])
    assert served.documents[0]["errorType"] == "Runtime.UnmarshalError"
    assert served.documents[0]["errorMessage"].startswith("Unable to unmarshal input: ")
    assert served.documents[1] == 7


INIT_FAILURES = {
    "Runtime.MalformedHandlerName": (
        "nodot",
        "",
        "Bad handler 'nodot': not enough values to unpack (expected 2, got 1)",
    ),
    "Runtime.BuiltInModuleConflict": (
        "sys.handler",
        "",
        "Cannot use built-in module sys as a handler module",
    ),
    "Runtime.ImportModuleError": (
        "app.handler",
        "import absent_module",
        "Unable to import module 'app': No module named 'absent_module'",
    ),
    "Runtime.HandlerNotFound": ("app.nope", "", "Handler 'nope' missing on module 'app'"),
}


@pytest.mark.parametrize("error_type", INIT_FAILURES)
async def test_reports_why_it_cannot_initialise(guest, python, error_type):
    handler, app, message = INIT_FAILURES[error_type]
    served = await guest.run(python, {"app.py": app}, handler=handler)
    expected = {"errorMessage": message, "errorType": error_type, "requestId": "", "stackTrace": []}
    if minor(python) == 8:
        del expected["requestId"]
    assert served.exit_code == 1
    assert [post.kind for post in served.posts] == ["init/error"]
    assert served.documents == [expected]
    assert served.posts[0].headers["lambda-runtime-function-error-type"] == error_type
    warning, error, _ = served.log.split("\n")
    assert re.match(
        r"\[WARNING\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t\tLAMBDA_WARNING: ", warning
    )
    assert error.startswith(f"[ERROR] {error_type}: {message}")


async def test_reports_a_syntax_error_with_its_line(guest, python):
    served = await guest.run(python, {"app.py": "x = 1\ndef handler(:\n"})
    (document,) = served.documents
    assert document["errorType"] == "Runtime.UserCodeSyntaxError"
    assert re.fullmatch(
        r"Syntax error in module 'app': invalid syntax \(app\.py, line 2\)",
        document["errorMessage"],
    )
    assert document["stackTrace"] == [f'  File "{guest.task}/app.py" Line 2\n    def handler(:\n']


async def test_reports_an_exception_while_the_module_loads(guest, python):
    served = await guest.run(python, {"app.py": "raise KeyError('k')\n"})
    (document,) = served.documents
    assert (document["errorType"], document["errorMessage"]) == ("KeyError", "'k'")
    assert document["stackTrace"][-1] == (
        f"  File \"{guest.task}/app.py\", line 1, in <module>\n    raise KeyError('k')\n"
    )
    assert not any("lambdad_guest" in frame for frame in document["stackTrace"])


async def test_finds_nested_handlers_by_slash_and_dot(guest, python):
    files = {"pkg/mod.py": ECHO, "pkg/__init__.py": ""}
    for handler in ("pkg/mod.handler", "pkg.mod.handler"):
        served = await guest.run(python, files, [1], handler=handler)
        assert served.documents == [1]


async def test_context_says_what_the_platform_said(guest, event, python):
    app = """
import os
def handler(event, context):
    client = context.client_context
    return {
        "id": context.aws_request_id, "arn": context.invoked_function_arn,
        "name": context.function_name, "version": context.function_version,
        "memory": context.memory_limit_in_mb, "group": context.log_group_name,
        "stream": context.log_stream_name, "tenant": context.tenant_id,
        "left": context.get_remaining_time_in_millis() > 1000,
        "identity": [context.identity.cognito_identity_id,
                     context.identity.cognito_identity_pool_id],
        "client": client and [client.custom, client.env, client.client.app_title],
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }
"""
    rich = event(
        b"1",
        {
            "Lambda-Runtime-Client-Context": (
                '{"custom": {"k": "é"}, "env": {}, "client": {"app_title": "t"}}'
            ),
            "Lambda-Runtime-Cognito-Identity": (
                '{"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}'
            ),
            "Lambda-Runtime-Aws-Tenant-Id": "blue",
        },
    )
    served = await guest.run(python, {"app.py": app}, [rich, 2])
    first, second = served.documents
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
        "identity": ["i", "p"],
        "client": [{"k": "é"}, {}, "t"],
        "trace": "Root=1-0-1;Sampled=0",
    }
    assert (second["id"], second["client"], second["tenant"]) == ("request-2", None, None)
    assert second["identity"] == [None, None]


async def test_broken_client_context_fails_the_invocation(guest, event, python):
    broken = event(b"1", {"Lambda-Runtime-Client-Context": "{"})
    served = await guest.run(python, {"app.py": ECHO}, [broken])
    assert served.documents[0]["errorType"] == "Runtime.LambdaContextUnmarshalError"
    assert served.documents[0]["errorMessage"].startswith("Unable to parse Client Context JSON: ")


@pytest.mark.parametrize(
    ("statement", "exit_code"),
    [("sys.exit(3)", 3), ("sys.exit()", 0), ("exit(4)", 4), ("os._exit(5)", 5)],
)
async def test_a_handler_that_exits_ends_the_process(guest, python, statement, exit_code):
    app = f"import os, sys\ndef handler(e, c):\n    print('bye', flush=True)\n    {statement}\n"
    served = await guest.run(python, {"app.py": app}, [1])
    assert served.exit_code == exit_code
    assert served.posts == []
    assert served.log == "bye\n"


async def test_starts_without_the_modules_that_cost_time(guest, python):
    """Each of them takes milliseconds of every cold start."""
    app = """
import sys
HEAVY = ("json", "logging", "re", "enum", "socket", "http", "traceback", "typing", "site")
loaded = [name for name in HEAVY if name in sys.modules]
def handler(event, context):
    return loaded
"""
    served = await guest.run(python, {"app.py": app}, [1])
    assert served.documents == [[]]


async def test_sees_its_own_modules_first_and_none_of_the_hosts(guest, python):
    app = """
import os, sys
def handler(event, context):
    try:
        import pip
        found = pip.__file__
    except ImportError:
        found = None
    return [sys.path[:3], found, [name for name in os.environ if name.startswith("_LAMBDAD")]]
"""
    served = await guest.run(python, {"app.py": app}, [1])
    path, pip, ours = served.documents[0]
    packages = f"/opt/python/lib/{python}/site-packages"
    assert path == [str(guest.task), f"{guest.root}{packages}", f"{guest.root}/opt/python"]
    assert (pip, ours) == (None, [])


async def test_pythonpath_and_sitecustomize_of_the_function_count(guest, python):
    files = {
        "app.py": "import extra\ndef handler(e, c):\n    return [extra.X, customised]\n",
        "lib/extra.py": "X = 1\n",
        "lib/sitecustomize.py": "import builtins\nbuiltins.customised = True\n",
    }
    variables = {"PYTHONPATH": f"{guest.root}/var/runtime:{guest.task}/lib"}
    served = await guest.run(python, files, [1], environment=variables)
    assert served.documents == [[1, True]]


async def test_boto3_is_there_where_its_python_is_new_enough(guest, python):
    app = """
def handler(event, context):
    import boto3
    return boto3.client("sts", region_name="us-east-1").meta.service_model.service_name
"""
    served = await guest.run(python, {"app.py": app}, [1])
    if minor(python) >= 10:
        assert served.documents == ["sts"]
    else:
        assert served.documents[0]["errorType"] == "ModuleNotFoundError"
