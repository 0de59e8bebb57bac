"""What is written to the log of a function, by format and level."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from lambdad.dataplane import failures
from lambdad.dataplane.environment_log import EnvironmentLog
from lambdad.domain.environments import InitializationType
from lambdad.domain.errors import FunctionError
from lambdad.domain.functions import LoggingConfig
from lambdad.domain.invocations import Invocation
from lambdad.domain.logs import LogGroupKey
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import a_function

REQUEST_ID = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
TIME = "2025-11-24T16:00:00.000Z"
PROBLEM = FunctionError("ValueError", b"{}")
AN_INVOCATION = Invocation(
    request_id=REQUEST_ID,
    payload=b"{}",
    invoked_arn="a",
    client_context=None,
    trace_header=None,
    wants_log_tail=True,
)


class Written:
    """A log writer that keeps what it is given."""

    congested = False

    def __init__(self) -> None:
        self.events: list[tuple[str, str, int, str]] = []

    def stream(self, group: LogGroupKey, name: str, fill: Callable[[], None]) -> WrittenStream:
        self.fill = fill
        return WrittenStream(self, group.name, name)

    @property
    def messages(self) -> list[str]:
        return [message for *_, message in self.events]

    @property
    def documents(self) -> list[Any]:
        return [json.loads(message) for message in self.messages]


@dataclass
class WrittenStream:
    """One of its streams."""

    written: Written
    group: str
    name: str

    open = True

    def write(self, timestamp_ms: int, message: str) -> None:
        self.written.events.append((self.group, self.name, timestamp_ms, message))

    def write_lines(self, times_ms: Sequence[int], lines: Sequence[str]) -> None:
        for timestamp_ms, line in zip(times_ms, lines, strict=True):
            self.write(timestamp_ms, line)


class World:
    def __init__(self, initialization: InitializationType, **logging: Any) -> None:
        self.written, self.clock = Written(), FakeClock()
        config = LoggingConfig(**{"log_group": "/aws/lambda/f", **logging})
        self.log = EnvironmentLog(
            a_function(logging=config),
            self.clock,
            self.written,  # type: ignore[arg-type]
            initialization,
        )

    def invoke(self, error: FunctionError | None = None, *, fatal: bool = False) -> bytes | None:
        invocation = AN_INVOCATION
        self.log.start(invocation)
        self.log.output(b"said\n")
        usage = self.log.usage(invocation, duration_s=0.002, init_s=0.1, peak_mb=30)
        return self.log.finish(usage, error, fatal=fatal)


def a_world(
    log_format: str = "JSON",
    initialization: InitializationType = InitializationType.ON_DEMAND,
    **logging: Any,
) -> World:
    return World(initialization, log_format=log_format, **logging)


def test_the_default_levels_show_start_and_report() -> None:
    world = a_world()
    world.log.init_start()
    world.invoke()
    begin, start, said, report = world.written.messages
    assert said == "said\n"
    assert json.loads(start) == {
        "time": TIME,
        "type": "platform.start",
        "record": {"requestId": REQUEST_ID, "version": "$LATEST"},
    }
    assert json.loads(report) == {
        "time": TIME,
        "type": "platform.report",
        "record": {
            "requestId": REQUEST_ID,
            "status": "success",
            "metrics": {
                "durationMs": 2.0,
                "billedDurationMs": 102,
                "memorySizeMB": 128,
                "maxMemoryUsedMB": 30,
                "initDurationMs": 100.0,
            },
        },
    }
    record = json.loads(begin)["record"]
    assert re.fullmatch(
        r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}", record.pop("runtimeVersionArn")
    )
    assert record == {
        "initializationType": "on-demand",
        "phase": "init",
        "runtimeVersion": "python:3.12",
        "functionName": "f",
        "functionVersion": "$LATEST",
    }


@pytest.mark.parametrize(
    ("level", "types"),
    [
        (
            "DEBUG",
            ["initStart", "initRuntimeDone", "initReport", "start", "runtimeDone", "report"],
        ),
        ("INFO", ["initStart", "start", "report"]),
        ("WARN", []),
    ],
)
def test_the_system_log_level_chooses_records(level: str, types: list[str]) -> None:
    world = a_world(system_log_level=level, application_log_level="FATAL")
    world.log.init_start()
    world.clock.advance(0.25)
    world.invoke()
    documents = world.written.documents
    assert [document["type"] for document in documents] == [f"platform.{name}" for name in types]
    if level == "DEBUG":
        assert documents[2]["record"] == {
            "initializationType": "on-demand",
            "phase": "init",
            "status": "success",
            "metrics": {"durationMs": 250.0},
        }


@pytest.mark.parametrize(
    ("error", "fatal", "status"),
    [
        (PROBLEM, False, {"status": "failure", "errorType": "ValueError"}),
        (failures.timed_out(REQUEST_ID, 3), True, {"status": "timeout"}),
        (
            failures.invalid_entrypoint(REQUEST_ID, "r"),
            True,
            {"status": "error", "errorType": "Runtime.InvalidEntrypoint"},
        ),
    ],
)
def test_failures_pass_every_system_log_level(
    error: FunctionError, fatal: bool, status: dict[str, str]
) -> None:
    world = a_world(system_log_level="WARN", application_log_level="ERROR")
    world.invoke(error, fatal=fatal)
    done, report = world.written.documents
    assert (done["type"], report["type"]) == ("platform.runtimeDone", "platform.report")
    for document in (done, report):
        assert {**document["record"], **status} == document["record"]


def test_an_init_ahead_of_invocations_is_reported_by_default() -> None:
    world = a_world(initialization=InitializationType.PROVISIONED)
    world.log.init_start()
    world.log.init_report(0.1, None)
    world.invoke()
    assert [
        json.loads(message)["type"] for message in world.written.messages if "{" in message
    ] == [
        "platform.initStart",
        "platform.initReport",
        "platform.start",
        "platform.report",
    ]


@pytest.mark.parametrize(
    ("level", "lines"),
    [
        ("DEBUG", ["plain\n", '{"level": "debug"}\n', '{"level": "ERROR"}\n']),
        ("INFO", ["plain\n", '{"level": "ERROR"}\n']),
        ("ERROR", ['{"level": "ERROR"}\n']),
    ],
)
def test_the_application_log_level_chooses_lines(level: str, lines: list[str]) -> None:
    world = a_world(application_log_level=level)
    world.log.output(b'plain\n{"level": "debug"}\n{"level": "ERROR"}\n')
    assert world.written.messages == lines


def test_framed_records_are_chosen_by_the_level_of_their_frame() -> None:
    def frame(magic: int, text: bytes) -> bytes:
        return struct.pack(">IIQ", magic, len(text), 1_764_000_000_000_000) + text

    world = a_world(application_log_level="WARN")
    world.log.telemetry(frame(0xA55A0002 | 0x08, b'{"a":1}') + frame(0xA55A0002 | 0x14, b'{"b":2}'))
    world.log.telemetry(frame(0xA55A0002, b'{"level":"FATAL"}') + frame(0xA55A0003, b"plain"))
    assert world.written.messages == ['{"b":2}', '{"level":"FATAL"}']


def test_a_line_may_say_when_it_happened() -> None:
    world = a_world()
    world.log.output(b'{"timestamp": "2025-11-24T15:59:59Z"}\nplain\n')
    stamps = [stamp for _, _, stamp, _ in world.written.events]
    assert stamps == [1_763_999_999_000, 1_764_000_000_000]


def test_the_format_text_has_no_levels_and_no_json() -> None:
    world = a_world("Text")
    world.log.init_start()
    world.log.output(b'{"level": "TRACE", "timestamp": "2025-11-24T15:59:59Z"}\n')
    world.invoke(PROBLEM)
    begin, own, *rest = world.written.messages
    assert begin.startswith("INIT_START ")
    assert own.startswith('{"level": "TRACE"')
    assert [message.split(" ")[0] for message in rest] == ["START", "said\n", "END", "REPORT"]
    assert {stamp for _, _, stamp, _ in world.written.events} == {1_764_000_000_000}


def test_the_tail_has_the_lines_of_the_format_text_in_either() -> None:
    tails = [a_world(log_format).invoke() for log_format in ("Text", "JSON")]
    assert tails[0] == tails[1]
    assert tails[0] is not None
    assert tails[0].startswith(b"START RequestId: ")


def test_a_stream_of_a_shared_group_says_whose_it_is() -> None:
    own, shared = a_world("Text"), a_world("Text", log_group="shared")
    assert re.fullmatch(r"2025/11/24/\[\$LATEST\][0-9a-f]{32}", own.log.stream)
    assert re.fullmatch(r"2025/11/24/f\[\$LATEST\][0-9a-f]{32}", shared.log.stream)


def test_a_restore_is_told_once_and_by_the_first_invocation_behind_it() -> None:
    world = a_world(initialization=InitializationType.SNAP_START, system_log_level="DEBUG")
    world.log.restore_start()
    world.log.restore_report(0.0075, 0.0021, None)
    for _ in range(2):
        world.log.start(AN_INVOCATION)
        usage = world.log.usage(AN_INVOCATION, duration_s=0.003, init_s=None, peak_mb=30)
        world.log.finish(usage, None, fatal=False)
    start, done, report, *others = world.written.documents
    assert start["type"] == "platform.restoreStart"
    assert (start["record"]["functionName"], start["record"]["runtimeVersion"]) == (
        "f",
        "python:3.12",
    )
    assert (done["type"], done["record"]) == ("platform.restoreRuntimeDone", {"status": "success"})
    assert (report["type"], report["record"]) == (
        "platform.restoreReport",
        {"status": "success", "metrics": {"durationMs": 7.5}},
    )
    first, second = (each["record"]["metrics"] for each in others if "report" in each["type"])
    assert (first["restoreDurationMs"], first["billedRestoreDurationMs"]) == (7.5, 3)
    assert first["billedDurationMs"] == second["billedDurationMs"] == 3
    assert "restoreDurationMs" not in second


def test_a_restore_that_fails_is_a_warning() -> None:
    world = a_world(system_log_level="WARN")
    world.log.restore_start()
    world.log.restore_report(0.01, 0.0, failures.FatalError("Sandbox.Timedout", "late"))
    assert [(each["type"], each["record"]["status"]) for each in world.written.documents] == [
        ("platform.restoreRuntimeDone", "timeout"),
        ("platform.restoreReport", "timeout"),
    ]


def test_what_lambdad_says_is_written_whatever_the_levels() -> None:
    for log_format in ("Text", "JSON"):
        world = a_world(log_format, system_log_level="WARN", application_log_level="FATAL")
        world.log.notice("SnapStart is off: a thread runs.")
        (message,) = world.written.messages
        assert "SnapStart is off: a thread runs." in message


def test_an_init_within_an_invocation_has_records_of_its_own() -> None:
    world = a_world(system_log_level="DEBUG")
    world.log.start(AN_INVOCATION)
    world.log.init_start(again=True)
    world.log.init_runtime_done()
    world.log.init_repeated(None)
    world.log.runtime_done(REQUEST_ID, 0.002, None)
    usage = world.log.usage(AN_INVOCATION, duration_s=0.003, init_s=None, peak_mb=30)
    world.log.finish(usage, None, fatal=False)
    documents = world.written.documents
    assert [document["type"] for document in documents] == [
        "platform.start",
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.runtimeDone",
        "platform.report",
    ]
    phases = [document["record"].get("phase") for document in documents]
    assert phases == [None, "invoke", "invoke", "invoke", None, None]
    assert documents[4]["record"]["metrics"] == {"durationMs": 2.0}
    assert documents[5]["record"]["metrics"]["durationMs"] == 3.0
