"""Events fit the types that programs in TypeScript are written against, as its compiler sees it.

An event is written as the literal of a variable of that type, so that a member that the type does
not have is an error as one that is missing is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.golden_events.conftest import opened

pytestmark = [pytest.mark.root, pytest.mark.slow]

SCRIPT = Path(__file__).parents[3] / "scripts" / "install_event_types"

# What the types lack although AWS's developer guides have it.
OWN_TYPES = """
// "size" is not sent for objects that are gone (Amazon S3 user guide, event message structure).
type SizeLess<T> = Omit<T, "size">;
type RemovedRecord = Omit<L.S3EventRecord, "s3"> & {
  s3: Omit<L.S3EventRecord["s3"], "object"> & {object: SizeLess<L.S3EventRecord["s3"]["object"]>};
};
// Lambda developer guide, "Tumbling windows".
type Window = L.KinesisStreamTumblingWindowEvent & {shardId: string; eventSourceARN: string};
"""
TYPES = {
    "sqs": "L.SQSEvent",
    "sqs_fifo": "L.SQSEvent",
    "sqs_redriven": "L.SQSEvent",
    "sns": "L.SNSEvent",
    "s3_put": "L.S3Event",
    "s3_multipart": "L.S3Event",
    "s3_removed": "{Records: RemovedRecord[]}",
    "dynamodb_insert": "L.DynamoDBStreamEvent",
    "dynamodb_modify": "L.DynamoDBStreamEvent",
    "dynamodb_remove": "L.DynamoDBStreamEvent",
    "kinesis_window": "Window",
    "kinesis": "L.KinesisStreamEvent",
    "eventbridge": 'L.EventBridgeEvent<"order", {total: number; who: string}>',
    "schedule_rule": "L.ScheduledEvent<Record<string, never>>",
    "scheduler": "L.ScheduledEvent<string>",
    "logs": "L.CloudWatchLogsEvent",
    "logs_data": "L.CloudWatchLogsDecodedData",
    "alarm": "L.CloudWatchAlarmEvent",
    "function_url": "L.LambdaFunctionURLEvent",
    "http_api": "L.APIGatewayProxyEventV2",
    "custom_create": "L.CloudFormationCustomResourceCreateEvent",
    "custom_update": "L.CloudFormationCustomResourceUpdateEvent",
    "custom_delete": "L.CloudFormationCustomResourceDeleteEvent",
}


@pytest.fixture(scope="module")
def types() -> Path:
    """Where the compiler and the types are."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}: apt-get install nodejs npm")
    done = subprocess.run(
        [str(SCRIPT)], capture_output=True, text=True, timeout=200, check=False, env=os.environ
    )
    if done.returncode:
        pytest.skip(f"npm's registry is out of reach: {done.stderr.strip()[-300:]}")
    return Path(done.stdout.strip())


def judged(types: Path, place: Path, program: str) -> str:
    """Compile a program; returns what the compiler has against it."""
    place.mkdir(exist_ok=True)
    (place / "events.ts").write_text(program)
    compiled = subprocess.run(
        [
            str(types / "node_modules" / ".bin" / "tsc"),
            *("--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck"),
            *("--typeRoots", str(types / "node_modules" / "@types"), "--types", "aws-lambda"),
            str(place / "events.ts"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return compiled.stdout


def program_of(events: Mapping[str, Any]) -> str:
    imported = 'import type * as L from "aws-lambda";'
    values = [
        f"const {name}: {TYPES[name]} = {json.dumps(event)};" for name, event in events.items()
    ]
    return "\n".join([imported, OWN_TYPES, *values, "export {};", ""])


def test_events_fit_the_published_types(
    captured: Mapping[str, Any], types: Path, tmp_path: Path
) -> None:
    events = {name: captured[name] for name in TYPES if name != "logs_data"}
    events["logs_data"] = opened(captured["logs"])
    (tmp_path / "node_modules").symlink_to(types / "node_modules")
    assert judged(types, tmp_path, program_of(events)) == ""


def test_the_judge_sees_what_is_wrong(types: Path, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(types / "node_modules")
    wrong = {
        "sqs": {"Records": [{"messageId": 1}]},
        "logs": {"awslogs": {"data": "", "Dates": ""}},
        "eventbridge": {"Detail-Type": "order"},
    }
    verdict = judged(types, tmp_path, program_of(wrong))
    for line, complaint in enumerate(("Type 'number'", '"Dates"', '"Detail-Type"')):
        assert complaint in verdict.splitlines()[line], verdict
