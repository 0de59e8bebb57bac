"""Events fit the types that programs in TypeScript are written against, as its compiler sees it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.golden_events.world import opened

from lambdad.testing import event_types

pytestmark = [pytest.mark.root, pytest.mark.slow]

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


def test_events_fit_the_published_types(
    captured: Mapping[str, Any], published_types: Path, tmp_path: Path
) -> None:
    events = {name: captured[name] for name in TYPES if name != "logs_data"}
    events["logs_data"] = opened(captured["logs"])
    assert event_types.complaints(published_types, tmp_path, events, TYPES, OWN_TYPES) == ""


def test_the_judge_sees_what_is_wrong(published_types: Path, tmp_path: Path) -> None:
    wrong = {
        "sqs": {"Records": [{"messageId": 1}]},
        "logs": {"awslogs": {"data": "", "Dates": ""}},
        "eventbridge": {"Detail-Type": "order"},
    }
    verdict = event_types.complaints(published_types, tmp_path, wrong, TYPES, OWN_TYPES)
    for line, complaint in enumerate(("Type 'number'", '"Dates"', '"Detail-Type"')):
        assert complaint in verdict.splitlines()[line], verdict
