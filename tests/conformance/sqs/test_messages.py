"""Messages of standard queues, in both protocols."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree as ET

import pytest
from tests.conformance.sqs.conftest import sqs_client
from tests.conformance.sqs.test_queues import refused

from lambdad.testing.daemon import DaemonProcess

Make = Callable[..., str]
TEXT = {"DataType": "String", "StringValue": "v"}


def receive(sqs: Any, url: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sqs.receive_message(QueueUrl=url, **params).get("Messages", [])
    return found


def test_a_message_arrives_with_everything_it_was_sent_with(sqs: Any, queue: Make) -> None:
    url = queue()
    attributes = {"text": TEXT, "bytes": {"DataType": "Binary.png", "BinaryValue": b"\0\1"}}
    sent = sqs.send_message(
        QueueUrl=url,
        MessageBody="héllo <&>",
        MessageAttributes=attributes,
        MessageSystemAttributes={
            "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-0-1"}
        },
    )
    (got,) = receive(sqs, url, MessageAttributeNames=["All"], AttributeNames=["All"])
    assert (got["MessageId"], got["Body"]) == (sent["MessageId"], "héllo <&>")
    assert got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert got["MessageAttributes"] == attributes
    assert got["Attributes"]["ApproximateReceiveCount"] == "1"
    assert got["Attributes"]["AWSTraceHeader"] == "Root=1-0-1"
    assert got["Attributes"]["SenderId"]
    assert int(got["Attributes"]["SentTimestamp"]) - time.time() * 1000 + 60_000 >= 0


def test_only_the_attributes_asked_for_come(sqs: Any, queue: Make) -> None:
    url = queue(VisibilityTimeout="0")
    attributes = {"a.one": TEXT, "a.two": TEXT, "b": TEXT}
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)
    (plain,) = receive(sqs, url)
    assert not {"Attributes", "MessageAttributes", "MD5OfMessageAttributes"} & plain.keys()
    (some,) = receive(sqs, url, MessageAttributeNames=["a.*"])
    assert sorted(some["MessageAttributes"]) == ["a.one", "a.two"]


def test_a_message_in_flight_is_hidden_until_its_timeout(sqs: Any, queue: Make) -> None:
    url = queue()
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (first,) = receive(sqs, url)
    assert receive(sqs, url) == []
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0
    )
    (second,) = receive(sqs, url, AttributeNames=["ApproximateReceiveCount"])
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
    code, _ = refused(
        sqs.change_message_visibility,
        QueueUrl=url,
        ReceiptHandle=second["ReceiptHandle"],
        VisibilityTimeout=1,
    )
    assert code == "InvalidParameterValue"


def test_a_waiting_receive_gets_the_message_when_it_comes(sqs: Any, queue: Make) -> None:
    url = queue()
    got: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: got.extend(receive(sqs, url, WaitTimeSeconds=20)))
    waiting.start()
    sqs.send_message(QueueUrl=url, MessageBody="at last")
    waiting.join(19)
    assert [each["Body"] for each in got] == ["at last"]


def test_a_waiting_receive_gets_what_becomes_visible(sqs: Any, queue: Make) -> None:
    url = queue()
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=1)
    assert receive(sqs, url) == []
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["ApproximateNumberOfMessagesDelayed"] == "1"
    (got,) = receive(sqs, url, WaitTimeSeconds=20, VisibilityTimeout=1)
    (again,) = receive(sqs, url, WaitTimeSeconds=20)
    assert got["MessageId"] == again["MessageId"]


def test_batches_take_what_they_can(sqs: Any, queue: Make) -> None:
    url = queue()
    answer = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "a", "MessageBody": "1"},
            {"Id": "b", "MessageBody": "2", "DelaySeconds": 901},
        ],
    )
    assert [each["Id"] for each in answer["Successful"]] == ["a"]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == (
        "b",
        "InvalidParameterValue",
        True,
    )
    (got,) = receive(sqs, url)
    entry = {"Id": "x", "ReceiptHandle": got["ReceiptHandle"]}
    changed = sqs.change_message_visibility_batch(
        QueueUrl=url, Entries=[{**entry, "VisibilityTimeout": 60}]
    )
    assert changed["Successful"] == [{"Id": "x"}]
    answer = sqs.delete_message_batch(
        QueueUrl=url, Entries=[entry, {"Id": "y", "ReceiptHandle": "nonsense"}]
    )
    assert answer["Successful"] == [{"Id": "x"}]
    assert answer["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
        (
            [{"Id": str(number), "MessageBody": "x"} for number in range(11)],
            "TooManyEntriesInBatchRequest",
        ),
        (
            [{"Id": str(number), "MessageBody": "x" * 400_000} for number in range(3)],
            "BatchRequestTooLong",
        ),
    ],
)
def test_malformed_batches_are_refused_whole(
    sqs: Any, queue: Make, entries: list[dict[str, str]], code: str
) -> None:
    url = queue()
    found, _ = refused(sqs.send_message_batch, QueueUrl=url, Entries=entries)
    assert found == f"AWS.SimpleQueueService.{code}"
    assert receive(sqs, url) == []


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"MessageBody": "a\0b"}, "InvalidMessageContents", "Invalid binary character '#x0'"),
        (
            {"MessageBody": "x" * 1_048_577},
            "InvalidParameterValue",
            (
                "One or more parameters are invalid. Reason: Message must be shorter than 1048576 "
                "bytes."
            ),
        ),
        ({"MessageBody": ""}, "MissingParameter", "The request must contain the parameter"),
        (
            {"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Colour"}}},
            "InvalidParameterValue",
            "The message attribute 'a' has an invalid message attribute type",
        ),
        (
            {"MessageBody": "x", "MessageDeduplicationId": "d"},
            "InvalidParameterValue",
            "Value d for parameter MessageDeduplicationId is invalid.",
        ),
    ],
)
def test_messages_that_may_not_be_are_refused(
    sqs: Any, queue: Make, params: dict[str, Any], code: str, text: str
) -> None:
    found, message = refused(sqs.send_message, QueueUrl=queue(), **params)
    assert found == code
    assert message.startswith(text)


def test_a_megabyte_arrives(sqs: Any, queue: Make) -> None:
    url = queue()
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1_048_576)
    (got,) = receive(sqs, url)
    assert len(got["Body"]) == 1_048_576


def test_a_message_received_too_often_goes_to_the_dead_letter_queue(
    sqs: Any, queue: Make, arn_of: Callable[[str], str]
) -> None:
    dead = queue()
    policy = f'{{"deadLetterTargetArn":"{arn_of(dead)}","maxReceiveCount":"2"}}'
    url = queue(VisibilityTimeout="0", RedrivePolicy=policy)
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    assert [len(receive(sqs, url)) for _ in range(3)] == [1, 1, 0]
    (got,) = receive(sqs, dead, WaitTimeSeconds=5, AttributeNames=["All"], VisibilityTimeout=0)
    assert got["Body"] == "poison"
    assert got["Attributes"]["DeadLetterQueueSourceArn"] == arn_of(url)
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]

    task = sqs.start_message_move_task(SourceArn=arn_of(dead))
    assert task["TaskHandle"]
    (back,) = receive(sqs, url, WaitTimeSeconds=20)
    assert back["MessageId"] == got["MessageId"]
    (listed,) = sqs.list_message_move_tasks(SourceArn=arn_of(dead))["Results"]
    assert listed["ApproximateNumberOfMessagesMoved"] == 1
    assert listed["Status"] in ("RUNNING", "COMPLETED")


def test_a_dead_letter_queue_says_whose_messages_it_takes(
    sqs: Any, queue: Make, arn_of: Callable[[str], str]
) -> None:
    dead = queue(RedriveAllowPolicy='{"redrivePermission":"denyAll"}')
    policy = f'{{"deadLetterTargetArn":"{arn_of(dead)}","maxReceiveCount":2}}'
    code, text = refused(
        sqs.set_queue_attributes, QueueUrl=queue(), Attributes={"RedrivePolicy": policy}
    )
    assert code == "InvalidParameterValue"
    assert "does not allow" in text


class QueryClient:
    """A client of SQS's older protocol, unsigned."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url

    def call(self, path: str, **params: str) -> tuple[int, ET.Element]:
        form = urlencode({"Version": "2012-11-05", **params}).encode()
        request = urllib.request.Request(self._endpoint_url + path, data=form)  # noqa: S310
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                return answer.status, ET.fromstring(answer.read())  # noqa: S314
        except urllib.error.HTTPError as error:
            return error.code, ET.fromstring(error.read())  # noqa: S314


def test_the_query_protocol_serves_older_clients(daemon: DaemonProcess) -> None:
    space = "{http://queue.amazonaws.com/doc/2012-11-05/}"
    client = QueryClient(daemon.endpoint_url)
    attribute = {"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "5"}
    status, created = client.call("/", Action="CreateQueue", QueueName="older", **attribute)
    assert status == 200
    assert created.tag == f"{space}CreateQueueResponse"
    assert (created.findtext(f".//{space}QueueUrl") or "").endswith("/000000000000/older")
    path = "/000000000000/older"
    status, _ = client.call(
        path,
        Action="SendMessage",
        MessageBody="<x>",
        **{
            "MessageAttribute.1.Name": "n",
            "MessageAttribute.1.Value.DataType": "String",
            "MessageAttribute.1.Value.StringValue": "v",
        },
    )
    assert status == 200
    _, got = client.call(
        path,
        Action="ReceiveMessage",
        **{"AttributeName.1": "All", "MessageAttributeName.1": "All"},
    )
    message = got.find(f".//{space}Message")
    assert message is not None
    assert message.findtext(f"{space}Body") == "<x>"
    assert message.findtext(f"{space}MessageAttribute/{space}Value/{space}StringValue") == "v"
    names = [each.findtext(f"{space}Name") for each in message.findall(f"{space}Attribute")]
    assert "SentTimestamp" in names
    handle = message.findtext(f"{space}ReceiptHandle") or ""
    batch = {
        "DeleteMessageBatchRequestEntry.1.Id": "a",
        "DeleteMessageBatchRequestEntry.1.ReceiptHandle": handle,
    }
    status, deleted = client.call(path, Action="DeleteMessageBatch", **batch)
    assert status == 200
    assert deleted.findtext(f".//{space}DeleteMessageBatchResultEntry/{space}Id") == "a"
    status, error = client.call("/000000000000/none", Action="ReceiveMessage")
    assert status == 400
    assert error.findtext(f".//{space}Code") == "AWS.SimpleQueueService.NonExistentQueue"
    assert error.findtext(f".//{space}Type") == "Sender"


def test_who_hung_up_takes_no_message_away(sqs: Any, queue: Make, daemon: DaemonProcess) -> None:
    url = queue()
    path = "/" + url.partition("//")[2].partition("/")[2]
    form = urlencode({"Version": "2012-11-05", "Action": "ReceiveMessage", "WaitTimeSeconds": 20})
    address = urlsplit(daemon.endpoint_url)
    waiting = sqs_client(daemon.endpoint_url)
    for _ in range(3):
        with socket.create_connection((address.hostname, address.port)) as ghost:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(form)}\r\n"
            kind = "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
            ghost.sendall((head + kind + form).encode())
            # An answer to somebody who asked later: the ghost waits by now.
            waiting.list_queue_tags(QueueUrl=url)
    waiting.list_queue_tags(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    assert len(receive(sqs, url, WaitTimeSeconds=5)) == 1
