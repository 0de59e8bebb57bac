"""What AWS promises of every runtime, asked of one small handler per language.

`docs/runtimes.md` is made of this module's results: a column per test, its docstring the promise.
A language that this host lacks is skipped with the reason; `make test-runtimes` installs them all.
"""

from __future__ import annotations

import functools
import json
import os
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.languages import LANGUAGES, Language, NotHere, here, settings

pytestmark = [pytest.mark.root, pytest.mark.slow]

FIXTURES = Path(__file__).parents[2] / "fixtures" / "runtimes"
SIX_MB = 6 * 1024 * 1024
UTF_8 = "é😀 ключ 日本"
# In the ordinary run the newest runtime of each language stands for the others.
EVERY = bool(os.environ.get("TEST_EVERY_RUNTIME"))


class Subject:
    """One language on one runtime. Makes functions when they are needed, each once."""

    def __init__(self, user: Deployer, language: Language, runtime: str) -> None:
        self.user = user
        self.language = language
        self.runtime = runtime
        self._named: dict[str, str] = {}

    def __call__(self, do: str, kind: str = "", **more: Any) -> Any:
        """Invoke the function of a kind."""
        return self.user.invoke(self.function(kind), {"do": do, **more})

    def function(self, kind: str = "", **settings: Any) -> str:
        """Return the name of a function, created with `settings` the first time."""
        if kind not in self._named:
            self._named[kind] = name = f"f-{uuid.uuid4().hex[:12]}"
            try:
                files = self.language.package(FIXTURES)
            except NotHere as absent:
                pytest.skip(str(absent))
            merged = {"MemorySize": self.language.memory_mb, "Timeout": 60, **settings}
            merged = {"Handler": self.language.handler, "Runtime": self.runtime, **merged}
            self.user.deploy(name, files, executable=self.language.executable, **merged)
        return self._named[kind]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A daemon that knows where the test's own language installations are."""
    place = tmp_path_factory.mktemp("promises") / "data"
    with DaemonProcess(place, environ=settings()) as daemon:
        yield Deployer(daemon.endpoint_url)


@functools.cache
def subjects(user: Deployer, name: str, runtime: str) -> Subject:
    language = next(language for language in LANGUAGES if language.name == name)
    return Subject(user, language, runtime)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    promise = metafunc.function.__name__.removeprefix("test_")
    cases = []
    for language in LANGUAGES:
        found = [name for name in language.runtimes if name in here()]
        # A stand-in is tried where the host has no right version at all.
        found = [name for name in found if not here()[name]] or found[:1]
        reason = f"this host has no {language.name}: scripts/install_runtimes installs it"
        if promise in language.lacks:
            reason = f"{language.name}: {language.lacks[promise]}"
        skip = [pytest.mark.skip(reason=reason)]
        marks: list[pytest.MarkDecorator] = skip if promise in language.lacks or not found else []
        for runtime in found if EVERY else (found or list(language.runtimes))[:1]:
            by = here().get(runtime)
            name = f"{language.name} {runtime}" + (f" by {by}" if by else "")
            cases.append(pytest.param((language.name, runtime), id=name, marks=marks))
    metafunc.parametrize("case", cases)


@pytest.fixture
def subject(case: tuple[str, str], served: Deployer) -> Subject:
    return subjects(served, *case)


def test_echo(subject: Subject) -> None:
    """Every kind of JSON goes in and out, UTF-8 included."""
    for value in (None, True, 0, -1.5, UTF_8, [], {"ключ": [1, {"a": UTF_8}]}, "x" * 300_000):
        answer = subject("echo", value=value)
        assert (answer.error, answer.payload) == (None, value)


def test_init_once(subject: Subject) -> None:
    """One process serves one event after the other; the init phase ran once."""
    first = subject("count").payload
    assert [subject("count").payload for _ in range(3)] == [first + 1, first + 2, first + 3]


def test_tmp_kept(subject: Subject) -> None:
    """What is written to /tmp is there in the next invocation."""
    assert subject("keep", text="for later").error is None
    assert subject("kept").payload == "for later"


def test_error(subject: Subject) -> None:
    """A failing handler is described by type and message, and the process goes on."""
    before = subject("count").payload
    answer = subject("throw", text="bad é")
    assert answer.error == "Unhandled"
    assert (answer.payload["errorType"], answer.payload["errorMessage"]) == (
        subject.language.error_type,
        "bad é",
    )
    assert subject("count").payload == before + 2


def test_crash(subject: Subject) -> None:
    """A process that ends is described with its exit status; the next event gets a new one."""
    answer = subject("exit", code=7)
    assert (answer.error, answer.payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert answer.payload["errorMessage"].endswith("Runtime exited with error: exit status 7")
    assert subject("count").payload == 1


def test_background(subject: Subject) -> None:
    """A failure outside the handler's flow (rejection, panic, abort) ends the process."""
    answer = subject("background", text="boo")
    assert (answer.error, answer.payload["errorType"]) == (
        "Unhandled",
        subject.language.background,
    )
    assert subject("count").payload == 1


def test_timeout(subject: Subject) -> None:
    """A handler that takes too long is ended, what it logged is kept, and the next call works."""
    subject.function("slow", Timeout=subject.language.timeout_s)
    answer = subject("sleep", "slow")
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Sandbox.Timedout"
    assert "asleep" in answer.log
    assert subject("count", "slow").payload == 1


def test_init_failure(subject: Subject) -> None:
    """A failure before the first event is the answer of the invocation."""
    name = subject.function("failing", Environment={"Variables": {"FAIL": "1"}})
    answer = subject.user.invoke(name, {"do": "count"})
    assert answer.error == "Unhandled"
    # A program that ends without a word to the platform has said it in its log alone.
    place = answer.log if subject.language.init_error is None else answer.payload["errorMessage"]
    assert answer.payload["errorType"] == (subject.language.init_error or "Runtime.ExitError")
    assert "no luck é" in place


def test_context(subject: Subject) -> None:
    """Context and environment are those of AWS."""
    response = subject.user.lambda_.invoke(
        FunctionName=subject.function(),
        Payload=b'{"do": "about"}',
        ClientContext="eyJjdXN0b20iOiB7IndobyI6ICJtZSJ9fQ==",
    )
    seen = json.loads(response["Payload"].read())
    name, memory = subject.function(), str(subject.language.memory_mb)
    assert seen["id"] == response["ResponseMetadata"]["RequestId"]
    assert (seen["name"], str(seen["memory"]), seen["client"]) == (name, memory, "me")
    assert seen["arn"] == f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen["stream"])
    assert 50_000 < seen["left"] <= 60_000
    assert seen["cwd"].rstrip("/") == "/var/task"
    _check_environment(seen["env"], subject)


def _check_environment(env: Mapping[str, str], subject: Subject) -> None:
    assert env["AWS_LAMBDA_FUNCTION_NAME"] == subject.function()
    assert env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == str(subject.language.memory_mb)
    assert env["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert (env["AWS_REGION"], env["TZ"]) == ("us-east-1", ":UTC")
    assert (env["LAMBDA_TASK_ROOT"], env["_HANDLER"]) == ("/var/task", subject.language.handler)
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} <= env.keys()
    assert not [name for name in env if "LAMBDAD" in name.upper().replace("AWS_LAMBDA", "")]
    execution = f"AWS_Lambda_{subject.runtime}" if subject.language.managed else None
    assert env.get("AWS_EXECUTION_ENV") == execution


def test_isolation(subject: Subject) -> None:
    """It runs as an ordinary user whose only writable place is /tmp."""
    seen = subject("about").payload
    assert seen["uid"] not in (None, 0)
    answer = subject("confined")
    assert (answer.error, answer.payload) == (None, "Read-only file system")


def test_log(subject: Subject) -> None:
    """What it prints is in the log, between START and END."""
    answer = subject("log")
    assert answer.error is None
    between = answer.log.split("START RequestId")[1].split("END RequestId")[0]
    assert between.count("one é") == 1


def test_log_json(subject: Subject) -> None:
    """With LogFormat=JSON the runtime's own log records are JSON; plain output stays as it is."""
    subject.function("json", LoggingConfig={"LogFormat": "JSON"})
    answer = subject("log", "json")
    assert answer.error is None
    line = next(line for line in answer.log.splitlines() if "one é" in line)
    if subject.language.records is not None:
        # AWS ends JSON records without a line break, so that END may follow on the same line.
        record, _ = json.JSONDecoder().raw_decode(line)
        request_id = re.search(r"START RequestId: (\S+)", answer.log)
        assert record["message"].strip() == "one é"
        assert request_id is not None
        # AWS's client for Java has a name of its own for it.
        seen = record.get("requestId") or record.get("AWSRequestId")
        assert (record["level"], seen) == (subject.language.records, request_id[1])
    else:
        assert line == "one é"


def test_six_megabytes(subject: Subject) -> None:
    """Six megabytes go in and out; more is an error of the function, and the next call works."""
    room = SIX_MB - len('{"do": "measure", "text": ""}')
    assert subject("measure", text="x" * room).payload == room
    if "sized" in subject.language.lacks:
        return
    assert subject("sized", size=SIX_MB).payload == "x" * (SIX_MB - 2)
    answer = subject("sized", size=SIX_MB + 101)
    assert answer.payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert subject("echo", value="after").payload == "after"


def test_streaming(subject: Subject) -> None:
    """A handler may answer while it works, where AWS's runtime has streaming."""
    name = subject.function("stream", Handler=subject.language.stream)
    response = subject.user.lambda_.invoke_with_response_stream(
        FunctionName=name, Payload=b'{"do": "stream", "text": "bit by bit"}'
    )
    events = list(response["EventStream"])
    parts = [event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event]
    # Some clients always begin with status and headers.
    assert b"".join(parts).rpartition(b"\0" * 8)[2] == b"bit by bit"
    assert "ErrorCode" not in events[-1]["InvokeComplete"]
