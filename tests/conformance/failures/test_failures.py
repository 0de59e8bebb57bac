"""The failure matrix of docs/failures.md, row by row, against a daemon."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdad.testing import raw_calls
from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer, zip_of
from lambdad.testing.failures.case import (
    Answer,
    Call,
    Failure,
    Fate,
    Program,
    normal_body,
    normal_log,
)
from lambdad.testing.failures.page import TABLES

BACKEND = os.environ.get("TEST_BACKEND", "native")
ROWS = {row.title: row for row in itertools.chain(*TABLES.values())}

pytestmark = [pytest.mark.slow, *([pytest.mark.root] if BACKEND == "native" else [])]


@contextlib.contextmanager
def laboratory_on(backend: str, data: Path) -> Iterator[Laboratory]:
    environ = {
        "LAMBDAD_DATAPLANE_INIT_TIMEOUT_S": "3",
        "LAMBDAD_DATAPLANE_STREAM_PACE_MB": "1024",
        "LAMBDAD_LOGS_FLUSH_INTERVAL_S": "0.01",
    }
    daemon = DaemonProcess(data, "--backend", backend, environ=environ)
    with daemon:
        laboratory = Laboratory(daemon)
        yield laboratory
        # Nothing is stuck: whatever failed, no environment is still at work.
        laboratory.settle()
    assert "Traceback" not in daemon.stderr, daemon.stderr


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with laboratory_on(BACKEND, tmp_path_factory.mktemp("failures") / "data") as laboratory:
        yield laboratory


@pytest.fixture(scope="module")
def unconfined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with laboratory_on("process", tmp_path_factory.mktemp("unconfined") / "data") as laboratory:
        yield laboratory


@pytest.mark.parametrize("title", ROWS)
def test_a_failure_looks_as_the_page_says(laboratory: Laboratory, title: str) -> None:
    if ROWS[title].confined and BACKEND == "process":
        pytest.skip("the process backend does not confine")
    laboratory.check(ROWS[title])


@pytest.mark.skipif(BACKEND == "process", reason="all of them are tried on processes")
@pytest.mark.parametrize(
    "title",
    [
        "the handler raises",
        "SIGKILL of its own process",
        "the function's timeout passes",
        "the caller goes away",
        "the module is not found, or misses another",
        "`os._exit(3)` in the module",
        "the answer is for another request id, then the runtime exits",
        "the process exits midway",
        "an extension exits while an event is handled",
    ],
)
def test_on_processes_failures_look_the_same(unconfined: Laboratory, title: str) -> None:
    """A selection; `make backends` tries all."""
    unconfined.check(ROWS[title])


def normal(answer: Answer, request_id: str) -> Answer:
    complete = answer.complete
    if complete is not None:
        complete = (complete[0], normal_body(complete[1], request_id))
    body = normal_body(answer.body, request_id)
    return dataclasses.replace(answer, body=body, complete=complete)


class Laboratory:
    """A daemon, and functions on it that fail."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.url = daemon.endpoint_url
        self.user = Deployer(daemon.endpoint_url)
        self._deployed: set[str] = set()

    def check(self, row: Failure) -> None:
        """Let it fail, and compare every cell of the row."""
        name = self.deploy(row.program)
        worked = row.inits is None and row.recovers and row.fate is not Fate.UNTOUCHED
        before = self.look(name) if worked else None
        seen = self.events(name)
        answer, request_id = self.call(name, row)
        lines, stream, request_id = self.told(name, seen, request_id, row)
        assert normal(answer, request_id) == row.answer
        assert normal_log(lines, request_id) == row.log
        assert self.fate(name, row, before, stream) is row.fate

    def deploy(self, program: Program) -> str:
        if program.name in self._deployed:
            return program.name
        self._deployed.add(program.name)
        settings = dict(program.settings)
        if program.layer is not None:
            package = zip_of(program.layer, executable=program.executable)
            layer = self.user.lambda_.publish_layer_version(
                LayerName=program.name, Content={"ZipFile": package}
            )
            settings["Layers"] = [layer["LayerVersionArn"]]
        self.user.deploy(program.name, program.files, executable=program.executable, **settings)
        if program.reserved is not None:
            self.user.lambda_.put_function_concurrency(
                FunctionName=program.name, ReservedConcurrentExecutions=program.reserved
            )
        return program.name

    def look(self, name: str) -> dict[str, Any]:
        """Ask a function that works who it is; returns when that is in its log, too."""
        answer = self.user.lambda_.invoke(FunctionName=name)
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, found
        self._reported(name, answer["ResponseMetadata"]["RequestId"])
        return found

    def call(self, name: str, row: Failure) -> tuple[Answer, str]:
        """Call as the row says; returns the answer and the id of the request, "" if unknown."""
        payload = json.dumps(row.event) if row.payload is None else row.payload
        if row.call in (Call.LEAVE, Call.LEAVE_STREAM):
            self._leave(name, row.call, payload)
            return Answer(status=None, error=None), ""
        if row.call is Call.STREAM:
            return self._stream(name, payload)
        if row.call is Call.UPDATE:
            return self._update(name, payload)
        return self._invoke(name, payload)

    def _invoke(self, name: str, payload: str) -> tuple[Answer, str]:
        try:
            response = self.user.lambda_.invoke(FunctionName=name, Payload=payload)
        except ClientError as refused:
            error, meta = refused.response["Error"], refused.response["ResponseMetadata"]
            # AWS goes on with the words of its parser.
            message = error["Message"].split(":")[0]
            answer = Answer(
                status=meta["HTTPStatusCode"], error=None, body=f"{error['Code']}: {message}"
            )
            return answer, ""
        meta = response["ResponseMetadata"]
        answer = Answer(
            status=meta["HTTPStatusCode"],
            error=meta["HTTPHeaders"].get("x-amz-function-error"),
            body=response["Payload"].read().decode(),
        )
        return answer, meta["RequestId"]

    def _stream(self, name: str, payload: str) -> tuple[Answer, str]:
        response = self.user.lambda_.invoke_with_response_stream(FunctionName=name, Payload=payload)
        meta = response["ResponseMetadata"]
        with contextlib.closing(response["EventStream"]) as stream:
            *chunks, last = list(stream)
        body = b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks)
        end = last["InvokeComplete"]
        answer = Answer(
            status=meta["HTTPStatusCode"],
            error=meta["HTTPHeaders"].get("x-amz-function-error"),
            body=body.decode() if len(body) < 1000 else f"{len(body)} bytes",
            complete=(end["ErrorCode"], end["ErrorDetails"]) if end else None,
        )
        return answer, meta["RequestId"]

    def _update(self, name: str, payload: str) -> tuple[Answer, str]:
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self._invoke, name, payload)
            self._await_busy()
            self.user.lambda_.update_function_configuration(FunctionName=name, MemorySize=640)
            self.user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
            assert not running.done()
            return running.result()

    def _leave(self, name: str, call: Call, payload: str) -> None:
        """Send a request and go away once it runs: for a stream, once its first piece is here."""
        streaming = call is Call.LEAVE_STREAM
        with raw_calls.call(self.url, name, payload, streaming=streaming) as caller:
            while streaming and b"first" not in caller.recv(65536):
                pass
            self._await_busy()

    def told(
        self, name: str, seen: dict[str, Any], request_id: str, row: Failure
    ) -> tuple[list[str], str, str]:
        """What the log says of the call: its events, its stream, and the id of the request."""
        if row.fate is Fate.UNTOUCHED:
            return [event["message"] for event in self.events(name).values()], "", request_id
        reported = self._reported(name, request_id, set(seen))
        events = [event for key, event in reported.items() if key not in seen]
        messages = [e["message"] for e in events if not e["message"].startswith("INIT_START ")]
        start = next(m for m in messages if m.startswith("START RequestId: "))
        streams = {event["logStreamName"] for event in events}
        assert len(streams) == 1
        return messages, streams.pop(), request_id or start.split()[2]

    def fate(
        self, name: str, row: Failure, before: dict[str, Any] | None, stream: str
    ) -> Fate | None:
        """What became of the environment, by what the function says now; None for another end."""
        if row.fate is Fate.UNTOUCHED:
            return row.fate
        self.settle()  # a caller that has been answered early is faster than a reset
        seen = self.events(name)
        if not row.recovers:
            answer, request_id = self._invoke(name, "null")
            assert answer.error == "Unhandled"
            again = self._reported(name, request_id, set(seen))
            streams = {event["logStreamName"] for event in again.values()}
            return Fate.RESET if streams == {stream} else None
        after = self.look(name)
        if before is None:
            return Fate.RESET if after["inits"] == row.inits else None
        if after["tmp"] != before["tmp"]:
            return Fate.DESTROYED
        return Fate.KEPT if after["process"] == before["process"] else Fate.RESET

    def events(self, name: str) -> dict[str, Any]:
        """The function's log, by the ids of the events, in their order."""
        pages = self.user.logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{name}"
        )
        with contextlib.suppress(self.user.logs.exceptions.ResourceNotFoundException):
            return {event["eventId"]: event for page in pages for event in page["events"]}
        return {}

    def _reported(
        self, name: str, request_id: str, seen: set[str] | frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """The log once it has the REPORT line of a request, or any that was not seen before."""
        found: dict[str, Any] = {}
        for _ in asking():  # it is written behind the answer
            found = self.events(name)
            for key, event in found.items():
                message = event["message"]
                if key not in seen and message.startswith(f"REPORT RequestId: {request_id}"):
                    return found
        raise AssertionError([event["message"] for event in found.values()])

    def _environments(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/_lambdad/health", timeout=10) as answer:  # noqa: S310
            counts: dict[str, int] = json.load(answer)["environments"]
        return counts

    def _await_busy(self) -> None:
        assert any(self._environments()["busy"] for _ in asking())

    def settle(self) -> None:
        assert any(
            not self._environments()["busy"] + self._environments()["closing"] for _ in asking()
        )
