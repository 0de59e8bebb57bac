"""FIFO queues: order, exclusive groups, duplicates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.conformance.sqs.test_messages import receive
from tests.conformance.sqs.test_queues import refused

Make = Callable[..., str]


def send(sqs: Any, url: str, body: str, group: str = "g", **params: Any) -> dict[str, Any]:
    sent: dict[str, Any] = sqs.send_message(
        QueueUrl=url, MessageBody=body, MessageGroupId=group, **params
    )
    return sent


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [each["Body"] for each in messages]


def test_a_group_is_received_in_order_and_by_one_at_a_time(sqs: Any, queue: Make) -> None:
    url = queue(fifo=True, ContentBasedDeduplication="true")
    for number in range(4):
        send(sqs, url, f"a{number}", "a")
    send(sqs, url, "b0", "b")
    first = receive(sqs, url, MaxNumberOfMessages=2, AttributeNames=["All"])
    assert bodies(first) == ["a0", "a1"]
    assert first[0]["Attributes"]["MessageGroupId"] == "a"
    assert first[0]["Attributes"]["SequenceNumber"] < first[1]["Attributes"]["SequenceNumber"]
    assert bodies(receive(sqs, url, MaxNumberOfMessages=10)) == ["b0"]
    assert receive(sqs, url) == []
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first[0]["ReceiptHandle"])
    assert receive(sqs, url) == []
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=first[1]["ReceiptHandle"], VisibilityTimeout=0
    )
    assert bodies(receive(sqs, url, MaxNumberOfMessages=10)) == ["a1", "a2", "a3"]


def test_a_waiting_receive_gets_what_a_deletion_makes_free(sqs: Any, queue: Make) -> None:
    url = queue(fifo=True, ContentBasedDeduplication="true")
    send(sqs, url, "one")
    send(sqs, url, "two")
    (first,) = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert bodies(receive(sqs, url, WaitTimeSeconds=20)) == ["two"]


def test_duplicates_are_accepted_and_dropped(sqs: Any, queue: Make) -> None:
    url = queue(fifo=True)
    first = send(sqs, url, "x", MessageDeduplicationId="d")
    second = send(sqs, url, "y", "other", MessageDeduplicationId="d")
    assert (second["MessageId"], second["SequenceNumber"]) == (
        first["MessageId"],
        first["SequenceNumber"],
    )
    assert bodies(receive(sqs, url, MaxNumberOfMessages=10)) == ["x"]


def test_duplicates_may_be_looked_for_within_groups(sqs: Any, queue: Make) -> None:
    url = queue(
        fifo=True, DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId"
    )
    for group in ("a", "b", "a"):
        send(sqs, url, group, group, MessageDeduplicationId="d")
    assert sorted(bodies(receive(sqs, url, MaxNumberOfMessages=10))) == ["a", "b"]


def test_a_message_needs_a_group_and_something_to_tell_it_apart(sqs: Any, queue: Make) -> None:
    url = queue(fifo=True)
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x")[0] == "MissingParameter"
    code, text = refused(sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g")
    assert code == "InvalidParameterValue"
    assert text.startswith("The queue should either have ContentBasedDeduplication enabled")


def test_a_receipt_ends_with_its_timeout(sqs: Any, queue: Make) -> None:
    url = queue(fifo=True, ContentBasedDeduplication="true")
    send(sqs, url, "x")
    (first,) = receive(sqs, url, VisibilityTimeout=1)
    (second,) = receive(sqs, url, WaitTimeSeconds=20)
    code, text = refused(sqs.delete_message, QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert code == "InvalidParameterValue"
    assert text.endswith("The receipt handle has expired.")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])


def test_poison_leaves_its_group_in_order(
    sqs: Any, queue: Make, arn_of: Callable[[str], str]
) -> None:
    dead = queue(fifo=True)
    policy = f'{{"deadLetterTargetArn":"{arn_of(dead)}","maxReceiveCount":1}}'
    url = queue(
        fifo=True,
        ContentBasedDeduplication="true",
        VisibilityTimeout="0",
        RedrivePolicy=policy,
    )
    for body in ("one", "two"):
        send(sqs, url, body)
    assert bodies(receive(sqs, url)) == ["one"]
    assert bodies(receive(sqs, url)) == ["two"]
    assert receive(sqs, url) == []
    assert bodies(receive(sqs, dead, MaxNumberOfMessages=10)) == ["one", "two"]
