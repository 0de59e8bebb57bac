"""What a subscriber is sent, by its API, its schema version and its types."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdad.dataplane.telemetry_api.records import Happening, logs_dropped, rendered
from lambdad.dataplane.telemetry_api.subscription import Api, Subscription, parse
from lambdad.observability import platform_events
from lambdad.observability.extension_records import extension_event
from lambdad.observability.platform_events import PlatformEvent

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_900, UTC)
TIME = "2026-01-02T03:04:05.678Z"
ALL = ("platform", "function", "extension")


def subscription(version: str, *types: str) -> Subscription:
    api = Api.LOGS if version < "2022" else Api.TELEMETRY
    document = {
        "schemaVersion": version,
        "types": types or ALL,
        "destination": {"protocol": "TCP", "port": 1},
    }
    return parse(api, json.dumps(document).encode())


def sent(to: Subscription, content: PlatformEvent | str, **more: Any) -> list[Any]:
    kind = "platform" if isinstance(content, PlatformEvent) else more.pop("kind", "function")
    happening = Happening(kind, MOMENT, content, **more)
    return [json.loads(record) for record in rendered(to, happening)]


START = platform_events.start("r", "7", trace_header="Root=1-2-3;Sampled=1")
DONE = platform_events.runtime_done("r", 12.5, None)
EXTENSION = extension_event("watch", "Ready", ["INVOKE"], None)


def test_telemetry_tells_events_as_they_are() -> None:
    assert sent(subscription("2022-07-01"), START) == [
        {
            "time": TIME,
            "type": "platform.start",
            "record": {
                "requestId": "r",
                "version": "7",
                "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-2-3;Sampled=1"},
            },
        }
    ]


def test_types_that_were_not_asked_for_are_not_told() -> None:
    only = subscription("2022-12-13", "function")
    assert sent(only, START) == []
    assert sent(only, "printed\n", kind="extension") == []
    assert sent(only, "printed\n") == [{"time": TIME, "type": "function", "record": "printed\n"}]


@pytest.mark.parametrize(
    ("version", "structured", "expected"),
    [
        ("2022-12-13", True, {"level": "INFO"}),
        ("2025-01-29", True, {"level": "INFO"}),
        ("2022-07-01", True, '{"level":"INFO"}\n'),
        ("2022-12-13", False, '{"level":"INFO"}\n'),
        ("2021-03-18", True, '{"level":"INFO"}\n'),
    ],
)
def test_a_line_of_json_is_an_object_where_the_schema_and_the_format_say_so(
    version: str, structured: bool, expected: object
) -> None:
    [record] = sent(subscription(version), '{"level":"INFO"}\n', structured=structured)
    assert record["record"] == expected


@pytest.mark.parametrize("line", ["{broken\n", "{" * 9000, '{"a":1} {"b":2}\n', "[1]\n"])
def test_a_line_that_is_no_object_stays_text(line: str) -> None:
    [record] = sent(subscription("2022-12-13"), line, structured=True)
    assert record["record"] == line


def test_the_logs_api_has_its_own_events() -> None:
    first, second = subscription("2020-08-15"), subscription("2021-03-18")
    initialisation = platform_events.Initialisation(initialization_type="on-demand")
    assert sent(second, platform_events.init_runtime_done(initialisation, None)) == []
    assert sent(first, START)[0]["record"] == {"requestId": "r", "version": "7"}
    assert sent(first, DONE) == []
    assert sent(second, DONE)[0]["record"] == {"requestId": "r", "status": "success"}
    assert sent(first, EXTENSION)[0]["type"] == "platform.extension"
    report = PlatformEvent(
        type="platform.report",
        level="INFO",
        record={"requestId": "r", "status": "success", "metrics": {"durationMs": 1}},
    )
    end, told = sent(first, report)
    assert (end["type"], end["record"]) == ("platform.end", {"requestId": "r"})
    assert told["record"] == {"requestId": "r", "metrics": {"durationMs": 1}}


def test_faults_are_told_by_the_logs_api_alone() -> None:
    fault = platform_events.fault("RequestId: r Process exited before completing request")
    assert sent(subscription("2022-12-13"), fault) == []
    [record] = sent(subscription("2020-08-15"), fault)
    assert record["record"] == "RequestId: r Process exited before completing request"


def test_what_was_lost_is_told_in_the_words_of_each_api() -> None:
    for version, beginning in (("2022-12-13", "Some logs"), ("2020-08-15", "Consumer seems")):
        record = json.loads(logs_dropped(subscription(version), MOMENT, 3, 400))
        assert record["type"] == "platform.logsDropped"
        assert record["record"].pop("reason").startswith(beginning)
        assert record["record"] == {"droppedRecords": 3, "droppedBytes": 400}


def test_the_course_of_an_invocation_is_told_in_spans() -> None:
    course = platform_events.Course(
        began=10.0, response_began=10.25, response_ended=10.5, ended=10.625, produced_bytes=9
    )
    done = platform_events.runtime_done("r", 625.0, None, course=course, moment=MOMENT)
    assert isinstance(done.record, dict)
    assert done.record["metrics"] == {"durationMs": 625.0, "producedBytes": 9}
    assert done.record["spans"] == [
        {"name": "responseLatency", "start": "2026-01-02T03:04:05.053Z", "durationMs": 250.0},
        {"name": "responseDuration", "start": "2026-01-02T03:04:05.303Z", "durationMs": 250.0},
        {"name": "runtimeOverhead", "start": "2026-01-02T03:04:05.553Z", "durationMs": 125.0},
    ]
