"""What endpoints get of messages, in which order, and what becomes of those that fail."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from typing import Any

from lambdad.testing.deploy import Deployer

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def test_a_function_gets_the_record(
    sns: Any,
    user: Deployer,
    topic: Callable[..., str],
    queue: Callable[..., Any],
    recorder: Callable[[Any], str],
) -> None:
    out, arn = queue(), topic()
    function = recorder(out)
    user.lambda_.add_permission(
        FunctionName=function,
        StatementId="sns",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=arn,
    )
    subscription = sns.subscribe(TopicArn=arn, Protocol="lambda", Endpoint=function)
    sent = sns.publish(
        TopicArn=arn,
        Message="Grüße",
        Subject="s",
        MessageAttributes={
            "a": text("x"),
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    [record] = out.body()["Records"]
    told = record["Sns"]
    assert record == {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription["SubscriptionArn"],
        "Sns": told,
    }
    assert list(told) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertUrl",
        "UnsubscribeUrl",
        "MessageAttributes",
    ]
    assert (told["Type"], told["MessageId"]) == ("Notification", sent["MessageId"])
    assert (told["TopicArn"], told["Subject"], told["Message"]) == (arn, "s", "Grüße")
    assert TIME.fullmatch(told["Timestamp"])
    assert told["MessageAttributes"] == {
        "a": {"Type": "String", "Value": "x"},
        "b": {"Type": "Binary", "Value": "AAE="},
    }
    urllib.request.urlopen(told["UnsubscribeUrl"]).read()  # noqa: S310 - the daemon's
    assert sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"] == []


def test_a_function_that_does_not_allow_it_leaves_a_dead_letter(
    sns: Any, topic: Callable[..., str], queue: Callable[..., Any], recorder: Callable[[Any], str]
) -> None:
    out, dead, arn = queue(), queue(), topic()
    sns.subscribe(
        TopicArn=arn,
        Protocol="lambda",
        Endpoint=recorder(out),
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": dead.arn})},
    )
    sns.publish(TopicArn=arn, Message="m")
    assert dead.body()["Message"] == "m"
    assert out.message(wait_s=0) is None


def test_queues_get_notifications_or_raw_messages(
    sns: Any, topic: Callable[..., str], queue: Callable[..., Any]
) -> None:
    wrapped, raw, arn = queue(), queue(), topic()
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=wrapped.arn)
    sns.subscribe(
        TopicArn=arn,
        Protocol="sqs",
        Endpoint=raw.arn,
        Attributes={"RawMessageDelivery": "true"},
    )
    sent = sns.publish(
        TopicArn=arn,
        Message=json.dumps({"default": "d", "sqs": "for queues"}),
        MessageStructure="json",
        MessageAttributes={"a": text("x"), "b": {"DataType": "Binary", "BinaryValue": b"\x01"}},
    )
    body = wrapped.body()
    assert list(body) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
        "MessageAttributes",
    ]
    assert (body["MessageId"], body["Message"]) == (sent["MessageId"], "for queues")
    message = raw.message()
    assert message["Body"] == "for queues"
    assert message["MessageAttributes"]["a"]["StringValue"] == "x"
    assert message["MessageAttributes"]["b"]["BinaryValue"] == b"\x01"


def test_filters_look_at_attributes_or_at_the_body(
    sns: Any, topic: Callable[..., str], queue: Callable[..., Any]
) -> None:
    by_attribute, by_body, arn = queue(), queue(), topic()
    for target, scope, policy in (
        (by_attribute, "MessageAttributes", {"n": [{"numeric": [">", 5]}], "t": ["b", "z"]}),
        (by_body, "MessageBody", {"order": {"kind": [{"prefix": "a"}]}}),
    ):
        sns.subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=target.arn,
            Attributes={"FilterPolicy": json.dumps(policy), "FilterPolicyScope": scope},
        )

    def publish(message: str, number: str) -> None:
        tags = {"DataType": "String.Array", "StringValue": '["a", "b"]'}
        attributes = {"n": {"DataType": "Number", "StringValue": number}, "t": tags}
        sns.publish(TopicArn=arn, Message=message, MessageAttributes=attributes)

    publish("no JSON", "5")
    publish("first", "6.5")
    publish('{"order": {"kind": "abc"}}', "1")
    assert by_attribute.body()["Message"] == "first"
    assert by_attribute.message(wait_s=0) is None
    assert by_body.body()["Message"] == '{"order": {"kind": "abc"}}'
    assert by_body.message(wait_s=0) is None


def test_a_fifo_topic_keeps_order_and_drops_what_is_repeated(
    sns: Any, topic: Callable[..., str], queue: Callable[..., Any]
) -> None:
    arn, out = topic(fifo=True), queue(fifo=True)
    sns.subscribe(
        TopicArn=arn, Protocol="sqs", Endpoint=out.arn, Attributes={"RawMessageDelivery": "true"}
    )
    batch = [
        {
            "Id": str(n),
            "Message": f"m{n}",
            "MessageGroupId": "g",
            "MessageDeduplicationId": str(n % 8),
        }
        for n in range(10)
    ]
    answer = sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=batch)
    ids = [each["MessageId"] for each in answer["Successful"]]
    assert ids[8:] == ids[:2]
    numbers = [int(each["SequenceNumber"]) for each in answer["Successful"]]
    assert numbers[:8] == sorted(set(numbers))
    assert [out.message()["Body"] for _ in range(8)] == [f"m{n}" for n in range(8)]
    assert out.message(wait_s=0) is None


def test_a_web_endpoint_confirms_and_is_tried_again(
    sns: Any, topic: Callable[..., str], web: Any
) -> None:
    arn = topic()
    policy = {"healthyRetryPolicy": {"numRetries": 2, "minDelayTarget": 1, "maxDelayTarget": 1}}
    answer = sns.subscribe(
        TopicArn=arn,
        Protocol="http",
        Endpoint=web.url,
        Attributes={"DeliveryPolicy": json.dumps(policy)},
    )
    assert answer["SubscriptionArn"] == "pending confirmation"
    headers, asked = web.next()
    assert headers["x-amz-sns-message-type"] == asked["Type"] == "SubscriptionConfirmation"
    sns.publish(TopicArn=arn, Message="too early")
    urllib.request.urlopen(asked["SubscribeURL"]).read()  # noqa: S310 - the daemon's
    [told] = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert told["SubscriptionArn"].startswith(arn + ":")
    web.answers.append(503)
    sent = sns.publish(TopicArn=arn, Message="m")
    for _ in range(2):
        headers, body = web.next()
        assert (body["Message"], body["MessageId"]) == ("m", sent["MessageId"])
        assert headers["x-amz-sns-subscription-arn"] == told["SubscriptionArn"]
        assert headers["content-type"] == "text/plain; charset=UTF-8"
