"""Queues: creating, finding, changing, emptying and deleting them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.sqs.conftest import sqs_client

from lambdad.testing.daemon import DaemonProcess

Make = Callable[..., str]


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_queue_is_created_once_and_found_by_name(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="found", Attributes={"DelaySeconds": "1"})["QueueUrl"]
    assert sqs.create_queue(QueueName="found", Attributes={"DelaySeconds": "1"})["QueueUrl"] == url
    assert sqs.get_queue_url(QueueName="found")["QueueUrl"] == url
    assert url.endswith("/000000000000/found")
    assert refused(sqs.create_queue, QueueName="found", Attributes={"DelaySeconds": "2"}) == (
        "QueueAlreadyExists",
        (
            "A queue already exists with the same name and a different value for attribute "
            "DelaySeconds"
        ),
    )


@pytest.mark.parametrize(
    ("name", "attributes", "code"),
    [
        ("with space", {}, "InvalidParameterValue"),
        ("x" * 81, {}, "InvalidParameterValue"),
        ("no-suffix", {"FifoQueue": "true"}, "InvalidParameterValue"),
        ("standard.fifo", {}, "InvalidParameterValue"),
        ("a", {"Colour": "red"}, "InvalidAttributeName"),
        ("a", {"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ("a", {"MaximumMessageSize": "1048577"}, "InvalidAttributeValue"),
        ("a", {"RedrivePolicy": "{}"}, "InvalidParameterValue"),
        ("a", {"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
    ],
)
def test_what_cannot_be_a_queue_is_refused(
    sqs: Any, name: str, attributes: dict[str, str], code: str
) -> None:
    assert refused(sqs.create_queue, QueueName=name, Attributes=attributes)[0] == code


def test_attributes_are_read_back_as_they_were_set(sqs: Any, queue: Make) -> None:
    url = queue(VisibilityTimeout="7")
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "3", "Policy": policy})
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert {name: found[name] for name in ("VisibilityTimeout", "DelaySeconds", "Policy")} == {
        "VisibilityTimeout": "7",
        "DelaySeconds": "3",
        "Policy": policy,
    }
    assert found["MaximumMessageSize"] == "1048576"
    assert found["ApproximateNumberOfMessages"] == "0"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    assert refused(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Colour"]) == (
        "InvalidAttributeName",
        "Unknown Attribute Colour.",
    )


def test_queues_are_listed_by_prefix_in_pages(sqs: Any) -> None:
    for number in range(5):
        sqs.create_queue(QueueName=f"listed-{number}")
    pages = sqs.get_paginator("list_queues").paginate(
        QueueNamePrefix="listed-", PaginationConfig={"PageSize": 2}
    )
    names = [[url.rpartition("/")[2] for url in page["QueueUrls"]] for page in pages]
    assert names == [["listed-0", "listed-1"], ["listed-2", "listed-3"], ["listed-4"]]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="nobody-")


def test_accounts_and_regions_do_not_see_each_others_queues(daemon: DaemonProcess) -> None:
    here = sqs_client(daemon.endpoint_url)
    there = sqs_client(daemon.endpoint_url, region="eu-west-1")
    other = sqs_client(daemon.endpoint_url, account="123456789012")
    here.create_queue(QueueName="mine")
    for client in (there, other):
        code, text = refused(client.get_queue_url, QueueName="mine")
        assert code == "AWS.SimpleQueueService.NonExistentQueue"
        assert text == "The specified queue does not exist."
    url = other.create_queue(QueueName="mine")["QueueUrl"]
    assert "/123456789012/" in url


def test_the_host_of_a_queue_url_does_not_matter(sqs: Any, queue: Make) -> None:
    path = queue().partition("//")[2].partition("/")[2]
    for host in ("sqs.us-east-1.amazonaws.com", "localhost:1", "us-east-1.queue.amazonaws.com"):
        sqs.send_message(QueueUrl=f"https://{host}/{path}", MessageBody="x")


def test_tags_come_and_go(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="tagged", tags={"a": "1"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"b": "2", "a": "3"})
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "3", "b": "2"}
    sqs.untag_queue(QueueUrl=url, TagKeys=["a", "zz"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "2"}


def test_permissions_become_statements_of_the_policy(
    sqs: Any, queue: Make, arn_of: Callable[[str], str]
) -> None:
    url = queue()
    params = {
        "QueueUrl": url,
        "Label": "friends",
        "AWSAccountIds": ["111111111111"],
        "Actions": ["SendMessage"],
    }
    sqs.add_permission(**params)
    assert refused(sqs.add_permission, **params)[0] == "InvalidParameterValue"
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    assert json.loads(found["Attributes"]["Policy"])["Statement"] == [
        {
            "Sid": "friends",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
            "Action": "SQS:SendMessage",
            "Resource": arn_of(url),
        }
    ]
    sqs.remove_permission(QueueUrl=url, Label="friends")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])


def test_a_purged_queue_is_empty_and_rests_a_minute(sqs: Any, queue: Make) -> None:
    url = queue()
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.purge_queue(QueueUrl=url)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    code, text = refused(sqs.purge_queue, QueueUrl=url)
    assert code == "AWS.SimpleQueueService.PurgeQueueInProgress"
    assert text.endswith("is allowed every 60 seconds.")


def test_a_deleted_queue_is_gone_with_its_messages(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="brief")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.delete_queue(QueueUrl=url)
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x")[0] == (
        "AWS.SimpleQueueService.NonExistentQueue"
    )
    sqs.create_queue(QueueName="brief")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
