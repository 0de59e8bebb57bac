"""Records of destinations and dead letters, as AWS writes them."""

from __future__ import annotations

import json
from typing import Any

from lambdad.async_invocation.destinations import reports
from lambdad.async_invocation.policies import EventPolicy
from lambdad.async_invocation.retry_policy import Condition
from lambdad.domain.async_events import AsyncEvent, EventState, Outcome, Progress, QueuedEvent
from lambdad.testing.events import an_event

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
NOW_MS = 1_764_025_868_123
FAILED = Outcome(
    status_code=200,
    message="no",
    executed_version="$LATEST",
    function_error="Unhandled",
    payload=b'{"errorMessage":"no"}',
)


def told(
    condition: Condition, progress: Progress, policy: EventPolicy, **event: Any
) -> list[AsyncEvent]:
    values = {"payload": b'{"a": 1}', "request_id": "r-1", **event}
    queued = QueuedEvent(
        event_id=1,
        attempt=1,
        lost=1,
        visible_ms=0,
        state=EventState.RUNNING,
        event=an_event(**values),
        progress=progress,
    )
    return list(reports(queued, policy, condition, progress, NOW_MS))


def test_the_record_of_a_failure() -> None:
    [delivery] = told(
        Condition.RETRIES_EXHAUSTED,
        Progress(tries=3, outcome=FAILED),
        EventPolicy(on_success=TOPIC, on_failure=QUEUE),
    )
    assert json.loads(delivery.payload) == {
        "version": "1.0",
        "timestamp": "2025-11-24T23:11:08.123Z",
        "requestContext": {
            "requestId": "r-1",
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"a": 1},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {"errorMessage": "no"},
    }
    assert (delivery.target, delivery.request_id) == (QUEUE, "r-1")
    assert delivery.lane.endswith(f"/f>{QUEUE}")


def test_the_record_of_a_success_has_no_function_error_and_names_the_qualifier() -> None:
    outcome = Outcome(status_code=200, executed_version="7", payload=b"null")
    [delivery] = told(
        Condition.SUCCESS,
        Progress(tries=1, outcome=outcome),
        EventPolicy(on_success=QUEUE, on_failure=TOPIC, dead_letter_target=TOPIC),
        qualifier="live",
    )
    record = json.loads(delivery.payload)
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "7"}
    assert record["responsePayload"] is None
    assert record["requestContext"]["functionArn"].endswith(":function:f:live")
    assert delivery.details["outcome"] == "Success"


def test_what_never_ran_has_no_response() -> None:
    [delivery] = told(
        Condition.ZERO_RESERVED_CONCURRENCY, Progress(), EventPolicy(on_failure=QUEUE)
    )
    record = json.loads(delivery.payload)
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in record
    assert "responsePayload" not in record
    throttled = Progress(refusals=9, outcome=Outcome(status_code=429))
    [delivery] = told(Condition.EVENT_AGE_EXCEEDED, throttled, EventPolicy(on_failure=QUEUE))
    assert "responseContext" not in json.loads(delivery.payload)


def test_an_event_that_got_too_old_after_an_attempt_keeps_its_last_response() -> None:
    [delivery] = told(
        Condition.EVENT_AGE_EXCEEDED,
        Progress(tries=1, outcome=FAILED),
        EventPolicy(on_failure=QUEUE),
    )
    assert json.loads(delivery.payload)["responsePayload"] == {"errorMessage": "no"}


def test_a_dead_letter_is_the_event_with_attributes_beside_the_destination() -> None:
    record, letter = told(
        Condition.RETRIES_EXHAUSTED,
        Progress(tries=1, outcome=FAILED),
        EventPolicy(on_failure=QUEUE, dead_letter_target=TOPIC),
    )
    assert (record.target, letter.target) == (QUEUE, TOPIC)
    assert letter.payload == b'{"a": 1}'
    assert letter.details == {
        "form": "dead-letter",
        "RequestID": "r-1",
        "ErrorCode": "200",
        "ErrorMessage": "no",
    }


def test_a_dead_letter_tells_the_first_kilobyte_of_the_message() -> None:
    outcome = Outcome(status_code=429, message="ä" * 600)
    [letter] = told(
        Condition.EVENT_AGE_EXCEEDED,
        Progress(refusals=1, outcome=outcome),
        EventPolicy(dead_letter_target=QUEUE),
    )
    assert (letter.details["ErrorCode"], letter.details["ErrorMessage"]) == ("429", "ä" * 512)


def test_the_object_in_a_bucket_has_the_same_name_at_every_attempt() -> None:
    [delivery] = told(
        Condition.RETRIES_EXHAUSTED,
        Progress(tries=1, outcome=FAILED),
        EventPolicy(on_failure="arn:aws:s3:::b"),
    )
    key = delivery.details["object_key"]
    assert key == "aws/lambda/async/f/2025/11/24/2025-11-24T23.11.08-r-1"


def test_nobody_is_told_where_nothing_is_configured() -> None:
    for condition in Condition:
        assert told(condition, Progress(tries=1, outcome=FAILED), EventPolicy()) == []
