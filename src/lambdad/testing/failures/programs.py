"""Functions that fail as they are told, and can say afterwards whether they are still the same.

Each tells, called with nothing, which process it is, whose `/tmp` it has, and how often a process
was started with that `/tmp`. An event `{"do": ...}` is a statement; what is to go wrong at init
comes in the variable `AT_INIT`, and goes wrong the first `BAD_INITS` times.
"""

from __future__ import annotations

from collections.abc import Mapping

from lambdad.testing.deploy import RUNTIME
from lambdad.testing.failures.case import Program

_STATE = """
import ctypes, errno, http.client, json, os, signal, sys, time, uuid
TMP = os.environ.get("TMPDIR", "/tmp")
PROCESS = uuid.uuid4().hex
def note(name, text):
    with open(TMP + "/" + name, "a+") as file:
        file.write(text + "\\n")
        file.flush()
        file.seek(0)
        return file.read().split()
STARTED = note("started", PROCESS)
FAILS_NOW = len(STARTED) <= int(os.environ.get("BAD_INITS", "0"))
LOOK = {"process": PROCESS, "tmp": STARTED[0], "inits": len(STARTED)}
"""

_HANDLER = (
    _STATE
    + """
def fork_until_refused():
    children = []
    try:
        while True:
            child = os.fork()
            if child == 0:
                signal.pause()
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
def fill_tmp():
    try:
        with open(TMP + "/full", "wb") as file:
            while True:
                file.write(bytes(1048576))
    finally:
        os.unlink(TMP + "/full")
def open_until_refused():
    kept = []
    try:
        while True:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        for descriptor in kept:
            os.close(descriptor)
def take_memory():
    kept = []
    while True:
        kept.append(bytearray(b"x" * 16777216))
def handler(event, context):
    if not event:
        return LOOK
    found = {}
    exec(event["do"], globals(), found)
    return found.get("result", "done")
if FAILS_NOW and "AT_INIT" in os.environ:
    exec(os.environ["AT_INIT"])
"""
)

_BOOTSTRAP = (
    "#!/usr/bin/python3"
    + _STATE
    + """
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    api.request(method, "/2018-06-01/runtime/" + path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, answer.read().decode()
def say(answer):
    print(answer[0], json.loads(answer[2]).get("errorType", ""), flush=True)
def respond(body, request=None, what="response", **headers):
    path = "invocation/" + (request or current) + "/" + what
    return call("POST", path, body, **headers)
def begin_stream():
    api.putrequest("POST", "/2018-06-01/runtime/invocation/" + current + "/response")
    api.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    api.putheader("Transfer-Encoding", "chunked")
    api.endheaders()
def piece(data):
    api.send(b"%x\\r\\n%s\\r\\n" % (len(data), data))
def end_stream(trailers=b""):
    api.send(b"0\\r\\n" + trailers + b"\\r\\n")
    api.getresponse().read()
if FAILS_NOW and "AT_INIT" in os.environ:
    exec(os.environ["AT_INIT"])
while True:
    status, headers, body = call("GET", "invocation/next")
    if status != 200:  # the end of a stream that was cut off has not been noticed yet
        continue
    current, event = headers["Lambda-Runtime-Aws-Request-Id"], json.loads(body)
    if event:
        exec(event["do"])
    else:
        respond(json.dumps(LOOK))
"""
)

_EXTENSION = """#!/usr/bin/python3
import http.client, json, os, sys, time
TMP = os.environ.get("TMPDIR", "/tmp")
def count(name):
    with open(TMP + "/" + name, "a+") as file:
        file.write("x")
        file.flush()
        file.seek(0)
        return len(file.read())
def call(method, tail, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request(method, "/2020-01-01/extension/" + tail, body, headers)
    answer = api.getresponse()
    return answer.headers, answer.read()
def report(what):
    document = json.dumps({"errorType": "Extension.NoLuck", "errorMessage": "no luck"})
    kind = {"Lambda_Extension_Function_Error_Type": "Extension.NoLuck"}
    call("POST", what, document, **me, **kind)
    sys.exit(1)
fails = count("extension-started") <= int(os.environ.get("BAD_INITS", "0"))
if fails and "BEFORE" in os.environ:
    exec(os.environ["BEFORE"])
name = {"Lambda_Extension_Name": "companion"}
headers, _ = call("POST", "register", '{"events":["INVOKE"]}', **name)
me = {"Lambda_Extension_Identifier": headers["Lambda-Extension-Identifier"]}
if fails and "BEHIND" in os.environ:
    exec(os.environ["BEHIND"])
while True:
    call("GET", "event/next", **me)
    if count("extension-told") == 2 and "AT_INVOKE" in os.environ:
        exec(os.environ["AT_INVOKE"])
"""
_PLACE = "extensions/companion"

# The shortest timeouts that leave room for a slow host.
HASTY_S = 2


def handler(name: str, *, memory_mb: int = 512, timeout_s: int = 60, **variables: str) -> Program:
    """A function on a managed runtime."""
    return Program(
        name=name,
        files={"app.py": _HANDLER, "broken.py": "def handler(:\n"},
        settings={
            "MemorySize": memory_mb,
            "Timeout": timeout_s,
            "Runtime": RUNTIME,
            "Environment": {"Variables": variables},
        },
    )


def bootstrap(
    name: str,
    files: Mapping[str, str] | None = None,
    *,
    executable: tuple[str, ...] = ("bootstrap",),
    timeout_s: int = 60,
    **variables: str,
) -> Program:
    """A function that brings its runtime; `files` are instead of it."""
    return Program(
        name=name,
        files={"bootstrap": _BOOTSTRAP} if files is None else files,
        executable=executable,
        settings={
            "MemorySize": 512,
            "Timeout": timeout_s,
            "Runtime": "provided.al2023",
            "Environment": {"Variables": variables},
        },
    )


def extended(
    name: str, variables: Mapping[str, str], *, executable: bool = True, timeout_s: int = 60
) -> Program:
    """A function with an extension; `variables` tell what goes wrong with it."""
    base = handler(name, timeout_s=timeout_s)
    return Program(
        name=name,
        files=base.files,
        executable=(_PLACE,) if executable else (),
        layer={_PLACE: _EXTENSION},
        settings={**base.settings, "Environment": {"Variables": dict(variables)}},
    )
