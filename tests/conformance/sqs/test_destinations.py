"""Functions and queues: destinations, dead letters, and queues that functions use themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.conformance.sqs.test_messages import receive

from lambdad.testing.deploy import Deployer

HANDLER = """
def handler(event, context):
    if event.get("fail"):
        raise RuntimeError("as told")
    return {"done": event}
"""


def test_records_of_success_and_dead_letters_reach_queues(
    user: Deployer,
    sqs: Any,
    queue: Callable[..., str],
    arn_of: Callable[[str], str],
    a_name: Callable[[], str],
) -> None:
    good, dead, name = queue(), queue(), a_name()
    user.deploy(name, {"app.py": HANDLER}, DeadLetterConfig={"TargetArn": arn_of(dead)})
    user.lambda_.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": {"Destination": arn_of(good)}},
    )
    user.lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    (got,) = receive(sqs, good, WaitTimeSeconds=20)
    record = json.loads(got["Body"])
    assert record["requestContext"]["condition"] == "Success"
    assert record["responsePayload"] == {"done": {"n": 1}}

    user.lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"fail": true}')
    (letter,) = receive(sqs, dead, WaitTimeSeconds=20, MessageAttributeNames=["All"])
    assert json.loads(letter["Body"]) == {"fail": True}
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "as told"
    assert letter["MessageAttributes"]["ErrorCode"]["StringValue"] == "200"


SENDER = """
import boto3

def handler(event, context):
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=event["url"], MessageBody="from inside")
    own = sqs.create_queue(QueueName=event["name"])["QueueUrl"]
    sqs.send_message(QueueUrl=own, MessageBody="to my own")
    return own
"""


def test_queue_urls_mean_the_same_inside_and_outside_of_a_sandbox(
    user: Deployer, sqs: Any, queue: Callable[..., str], a_name: Callable[[], str]
) -> None:
    url, name = queue(), a_name()
    user.deploy(name, SENDER)
    answer = user.invoke(name, {"url": url, "name": f"{name}-queue"})
    assert answer.error is None, answer.payload
    assert [each["Body"] for each in receive(sqs, url, WaitTimeSeconds=5)] == ["from inside"]
    (got,) = receive(sqs, answer.payload, WaitTimeSeconds=5)
    assert got["Body"] == "to my own"
