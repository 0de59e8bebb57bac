"""What a Python function finds around it, and what becomes of what it writes."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

APP = """
import logging, os, sys, time
STARTED = os.urandom(8).hex()
AT_START = dict(os.environ)
CWD = os.getcwd()
calls = 0

def attempt(action):
    try:
        return action()
    except OSError as error:
        return type(error).__name__ + ": " + (error.strerror or "")

def write(path):
    with open(path, "w") as file:
        file.write("x")
    return "written"

def about(context):
    client = context.client_context
    return {
        "id": context.aws_request_id, "name": context.function_name,
        "version": context.function_version, "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb, "group": context.log_group_name,
        "stream": context.log_stream_name, "left": context.get_remaining_time_in_millis(),
        "tenant": context.tenant_id,
        "identity": [context.identity.cognito_identity_id,
                     context.identity.cognito_identity_pool_id],
        "client": None if client is None else [
            client.custom, client.env, client.client.app_title, client.client.installation_id],
    }

def place():
    return {
        "cwd": CWD, "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
        "task": attempt(lambda: write("/var/task/x")),
        "chmod": attempt(lambda: os.chmod("/var/task", 0o777)),
        "runtime": attempt(lambda: write("/var/runtime/x")),
        "opt": attempt(lambda: write("/opt/x")),
        "root": attempt(lambda: write("/x")),
        "etc": attempt(lambda: write("/etc/passwd")),
        "tmp": attempt(lambda: write("/tmp/x")),
        "tmp_mode": oct(os.stat("/tmp").st_mode), "task_mode": oct(os.stat("/var/task").st_mode),
        "tmp_bytes": os.statvfs("/tmp").f_bavail * os.statvfs("/tmp").f_frsize,
        "nofile": __import__("resource").getrlimit(7),
        "executable": sys.executable, "version": list(sys.version_info[:2]),
        "argv": len(sys.argv), "path0": sys.path[0],
        "tz": time.tzname[0], "file": __file__,
    }

def log(what, context):
    logger = logging.getLogger()
    if what == "print":
        print("out 1"); print("err 1", file=sys.stderr); print("out 2"); print("é😀")
        sys.stdout.buffer.write(b"\\xff raw\\n"); sys.stdout.buffer.flush()
        print("no end", end="")
    if what == "logging":
        logger.setLevel("INFO")
        logger.debug("unseen")
        logger.info("seen %s", "é")
        logging.getLogger("mine").warning("two\\nlines")
        try:
            1 / 0
        except ZeroDivisionError:
            logger.exception("caught")
    if what == "context":
        context.log("by context")
    if what == "long":
        print("x" * 600_000)
    if what == "much":
        for n in range(20_000):
            print("line", n)
    if what == "fork":
        os.system("echo from a child; echo its error >&2")

def handler(event, context):
    global calls
    calls += 1
    do = event.get("do") if isinstance(event, dict) else None
    if do == "count":
        with open("/tmp/count", "a") as file:
            file.write("x")
        return [STARTED, calls, os.path.getsize("/tmp/count")]
    if do == "about":
        return about(context)
    if do == "env":
        return [AT_START, dict(os.environ)]
    if do == "place":
        return place()
    if do == "log":
        return log(event["what"], context)
    if do == "thread":
        import threading
        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        return "started"
    if do == "pool":
        from concurrent.futures import ThreadPoolExecutor
        import subprocess
        with ThreadPoolExecutor(8) as pool:
            squares = list(pool.map(lambda n: n * n, range(8)))
        return [squares, subprocess.check_output(["echo", "hi"]).decode()]
    return event
"""


@pytest.fixture
def function(workshop: Any, python: str) -> Any:
    name = f"py-{python.replace('.', '_')}"
    return workshop(name, python, {"app.py": APP}, Environment={"Variables": {"MINE": "välue"}})


def minor(python: str) -> int:
    return int(python.rpartition(".")[2])


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        -1.5,
        True,
        10**30,
        "é\u2028😀\x00",
        [],
        {"a": {"b": [1, None]}},
        "x" * 300_000,
        "aé😀" * 40_000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_every_kind_of_json_goes_in_and_out(function: Any, value: Any) -> None:
    answer, lines = function(value)
    assert (answer.error, answer.payload) == (None, value)
    lines.expect_report()


def test_one_process_and_its_tmp_serve_one_request_after_the_other(function: Any) -> None:
    answers = [function({"do": "count"})[0].payload for _ in range(4)]
    assert len({started for started, _, _ in answers}) == 1
    (_, calls, size), *_ = answers
    assert [answer[1:] for answer in answers] == [[calls + n, size + n] for n in range(4)]


def test_the_context_is_that_of_aws(function: Any) -> None:
    answer, lines = function({"do": "about"})
    seen = answer.payload
    assert 29_000 < seen.pop("left") <= 30_000
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen.pop("stream"))
    assert seen == {
        "id": lines.request_id,
        "name": function.name,
        "version": "$LATEST",
        "arn": f"arn:aws:lambda:us-east-1:000000000000:function:{function.name}",
        "memory": "256",
        "group": f"/aws/lambda/{function.name}",
        "tenant": None,
        "identity": [None, None],
        "client": None,
    }


def test_the_client_context_and_the_qualifier_reach_the_function(function: Any) -> None:
    client = {
        "custom": {"k": "é"},
        "env": {"locale": "de"},
        "client": {"app_title": "T", "installation_id": "I"},
    }
    response = function.user.lambda_.invoke(
        FunctionName=function.name,
        Qualifier="$LATEST",
        Payload=b'{"do": "about"}',
        ClientContext=base64.b64encode(json.dumps(client).encode()).decode(),
    )
    seen = json.load(response["Payload"])
    assert seen["client"] == [{"k": "é"}, {"locale": "de"}, "T", "I"]
    assert seen["arn"].endswith(f":function:{function.name}:$LATEST")


def test_the_environment_is_that_of_aws(function: Any, python: str) -> None:
    at_start, now = function({"do": "env"})[0].payload
    assert re.fullmatch(
        r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01](;Lineage=.*)?",
        now.pop("_X_AMZN_TRACE_ID"),
    )
    assert "_X_AMZN_TRACE_ID" not in at_start
    assert now == at_start
    assert re.fullmatch(
        r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", now.pop("AWS_LAMBDA_LOG_STREAM_NAME")
    )
    for secret in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        assert now.pop(secret)
    assert now.pop("AWS_ENDPOINT_URL").startswith("http://")
    assert now.pop("AWS_LAMBDA_RUNTIME_API") in ("169.254.100.1:9001", "127.0.0.1:9001")
    assert now == {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{python}",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "_HANDLER": "app.handler",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": (
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:"
            "/var/task/lib:/opt/lib"
        ),
        "PYTHONPATH": "/var/runtime",
        "PWD": "/var/task",
        "SHLVL": "0",
        "LC_CTYPE": "C.UTF-8",  # AWS has it from python3.12 on
        "MINE": "välue",
    }


def test_the_place_is_that_of_aws(function: Any, python: str) -> None:
    seen = function({"do": "place"})[0].payload
    read_only = "OSError: Read-only file system"
    assert seen["cwd"] == "/var/task"
    assert seen["path0"] == "/var/task"
    assert seen["file"] == "/var/task/app.py"
    for path in ("task", "runtime", "opt", "root"):
        assert seen[path] in (read_only, "PermissionError: Permission denied"), path
    assert seen["chmod"] in (read_only, "PermissionError: Operation not permitted")
    assert seen["etc"] in (read_only, "PermissionError: Permission denied")
    assert seen["tmp"] == "written"
    assert (seen["tmp_mode"], seen["task_mode"]) == ("0o41777", "0o40755")
    assert 511 << 20 < seen["tmp_bytes"] <= 530 << 20
    assert seen["uid"] != 0
    assert seen["gid"] != 0
    assert 0 not in seen["groups"]
    assert seen["nofile"] == [1024, 1024]
    assert seen["version"] == [3, minor(python)]
    assert seen["tz"] == "UTC"


def test_threads_and_children_work(function: Any) -> None:
    assert function({"do": "pool"})[0].payload == [[n * n for n in range(8)], "hi\n"]
    assert function({"do": "thread"})[0].payload == "started"
    assert function(1)[0].payload == 1


def test_what_is_printed_is_logged_line_by_line(function: Any) -> None:
    _, lines = function({"do": "log", "what": "print"})
    assert lines.text == "out 1\nerr 1\nout 2\né😀\n\ufffd raw\nno end"
    lines.expect_report()


def test_the_logging_module_has_the_form_of_aws(function: Any) -> None:
    _, lines = function({"do": "log", "what": "logging"})
    request_id = lines.request_id
    text = re.sub(rf"\t{ISO}\t{request_id}\t", "\t<when>\t<id>\t", lines.text)
    assert text.startswith(
        "[INFO]\t<when>\t<id>\tseen é\n"
        "[WARNING]\t<when>\t<id>\ttwo\nlines\n"
        "[ERROR]\t<when>\t<id>\tcaught\nTraceback (most recent call last):\n"
        '  File "/var/task/app.py", line '
    )
    # AWS: a traceback is behind the line's end and has none of its own.
    assert text.endswith("ZeroDivisionError: division by zero")
    events = function.events(lines.request_id)
    assert any(event.endswith(f"\t{request_id}\ttwo\nlines\n") for event in events)


def test_the_context_and_children_log_too(function: Any) -> None:
    assert function({"do": "log", "what": "context"})[1].text == "by context"
    assert function({"do": "log", "what": "fork"})[1].text == "from a child\nits error\n"


def test_a_long_line_is_cut_into_events_of_256_kilobytes(workshop: Any) -> None:
    function = workshop("py-long", "python3.12", {"app.py": APP})
    answer = function.user.invoke(function.name, {"do": "log", "what": "long"})
    assert len(answer.log.encode()) == 4096
    sizes = [len(event) for event in function.events() if event.startswith("x")]
    assert sum(sizes) in (600_000, 600_001)
    assert max(sizes) <= 262_144


def test_every_line_of_many_is_kept_in_order(workshop: Any) -> None:
    function = workshop("py-much", "python3.12", {"app.py": APP})
    function.user.invoke(function.name, {"do": "log", "what": "much"})
    printed = [event for event in function.events() if event.startswith("line ")]
    assert printed == [f"line {n}\n" for n in range(20_000)]


def test_json_logs_have_the_form_of_aws(workshop: Any) -> None:
    function = workshop(
        "py-json",
        "python3.12",
        {"app.py": APP},
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "INFO"},
    )
    _, lines = function({"do": "log", "what": "logging"})
    records = [json.loads(line) for line in lines.text.splitlines() if line]
    assert [(r["level"], r["message"]) for r in records] == [
        ("INFO", "seen é"),
        ("WARNING", "two\nlines"),
        ("ERROR", "caught"),
    ]
    assert {r["requestId"] for r in records} == {lines.request_id}
    assert records[1]["logger"] == "mine"
    assert records[2]["errorType"] == "ZeroDivisionError"


def test_reserved_variables_cannot_be_set_and_others_can_be_overridden(
    user: Deployer, workshop: Any
) -> None:
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    mine = {
        "TZ": ":Europe/Berlin",
        "LANG": "C",
        "PATH": "/opt/mine:/usr/bin",
        "AWS_XRAY_DAEMON_ADDRESS": "1.2.3.4:5",
    }
    function = workshop(
        "py-override", "python3.12", {"app.py": source}, Environment={"Variables": mine}
    )
    seen = function()[0].payload
    assert {key: seen[key] for key in mine} == mine
    with pytest.raises(user.lambda_.exceptions.InvalidParameterValueException) as refused:
        user.lambda_.update_function_configuration(
            FunctionName="py-override",
            Environment={"Variables": {"AWS_REGION": "x", "LAMBDA_TASK_ROOT": "y", "OK": "z"}},
        )
    assert refused.value.response["Error"]["Message"] == (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided contains reserved keys that are currently not supported for "
        "modification. Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT"
    )


def test_concurrent_requests_have_environments_of_their_own(workshop: Any) -> None:
    source = (
        "import os, time\nID = os.urandom(8).hex()\n"
        "def handler(event, context):\n    time.sleep(0.3)\n    return [event, ID]\n"
    )
    function = workshop("py-parallel", "python3.12", {"app.py": source})
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda n: function.user.invoke(function.name, n).payload, range(5)))
    assert [n for n, _ in answers] == list(range(5))
    assert len({environment for _, environment in answers}) == 5


def test_an_update_is_what_runs_next(user: Deployer, workshop: Any) -> None:
    function = workshop("py-update", "python3.12", {"app.py": "def handler(e, c): return 1\n"})
    assert function()[0].payload == 1
    user.lambda_.update_function_code(
        FunctionName="py-update", ZipFile=zip_of({"app.py": "def handler(e, c): return 2\n"})
    )
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName="py-update")
    answer, lines = function()
    assert answer.payload == 2
    lines.expect_report(cold=True)
    user.lambda_.update_function_configuration(
        FunctionName="py-update", Environment={"Variables": {"NEW": "1"}}
    )
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName="py-update")
    function()[1].expect_report(cold=True)
    function()[1].expect_report(cold=False)
