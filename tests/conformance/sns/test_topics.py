"""Topics and subscriptions: what is kept of them and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.events.conftest import client_of

from lambdad.testing.daemon import DaemonProcess

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


def failure(call: Callable[..., Any], **params: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as raised:
        call(**params)
    response = raised.value.response
    error, status = response["Error"], response["ResponseMetadata"]["HTTPStatusCode"]
    return error["Code"], status, error["Message"]


def test_a_topic_is_made_once_and_told(sns: Any, unused: Callable[[str], str]) -> None:
    name = unused("topic")
    arn = sns.create_topic(
        Name=name, Attributes={"DisplayName": "d"}, Tags=[{"Key": "a", "Value": "b"}]
    )["TopicArn"]
    assert arn == f"arn:aws:sns:us-east-1:000000000000:{name}"
    assert sns.create_topic(Name=name)["TopicArn"] == arn
    assert failure(sns.create_topic, Name=name, Attributes={"DisplayName": "e"}) == (
        "InvalidParameter",
        400,
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
    )
    told = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    assert json.loads(told.pop("Policy"))["Statement"][0]["Resource"] == arn
    assert json.loads(told.pop("EffectiveDeliveryPolicy"))["http"]
    assert told == {
        "TopicArn": arn,
        "Owner": "000000000000",
        "DisplayName": "d",
        "SubscriptionsPending": "0",
        "SubscriptionsConfirmed": "0",
        "SubscriptionsDeleted": "0",
    }
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="x")
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"] == "x"
    sns.tag_resource(ResourceArn=arn, Tags=[{"Key": "c", "Value": "d"}])
    sns.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "c", "Value": "d"}]
    sns.add_permission(
        TopicArn=arn, Label="l", AWSAccountId=["111122223333"], ActionName=["Publish"]
    )
    policy = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    assert policy["Statement"][1]["Action"] == "SNS:Publish"
    sns.remove_permission(TopicArn=arn, Label="l")
    sns.delete_topic(TopicArn=arn)
    sns.delete_topic(TopicArn=arn)
    assert failure(sns.get_topic_attributes, TopicArn=arn) == (
        "NotFound",
        404,
        "Topic does not exist",
    )


def test_accounts_do_not_see_each_other(daemon: DaemonProcess, topic: Callable[..., str]) -> None:
    arn = topic()
    other = client_of("sns", daemon.endpoint_url, account="111122223333")
    assert arn not in [each["TopicArn"] for each in other.list_topics()["Topics"]]


def test_topics_and_subscriptions_come_in_pages(
    daemon: DaemonProcess, unused: Callable[[str], str]
) -> None:
    sns = client_of("sns", daemon.endpoint_url, account="999900001111")
    arns = {sns.create_topic(Name=unused("t"))["TopicArn"] for _ in range(101)}
    pages = [page["Topics"] for page in sns.get_paginator("list_topics").paginate()]
    assert [len(page) for page in pages] == [100, 1]
    assert {each["TopicArn"] for page in pages for each in page} == arns
    arn = arns.pop()
    for number in range(101):
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"{QUEUE}{number}")
    for call in ("list_subscriptions", "list_subscriptions_by_topic"):
        given = {"TopicArn": arn} if call.endswith("topic") else {}
        pages = [page["Subscriptions"] for page in sns.get_paginator(call).paginate(**given)]
        assert [len(page) for page in pages] == [100, 1]


def test_a_subscription_is_made_once_and_told(sns: Any, topic: Callable[..., str]) -> None:
    arn = topic()
    given = {"TopicArn": arn, "Protocol": "lambda", "Endpoint": FUNCTION}
    policy = json.dumps({"kind": ["a"]})
    made = sns.subscribe(**given, Attributes={"FilterPolicy": policy})["SubscriptionArn"]
    assert sns.subscribe(**given)["SubscriptionArn"] == made
    other = failure(sns.subscribe, **given, Attributes={"FilterPolicy": "{}"})
    assert other[0] == "InvalidParameter"
    told = sns.get_subscription_attributes(SubscriptionArn=made)["Attributes"]
    assert told == {
        "SubscriptionArn": made,
        "TopicArn": arn,
        "Protocol": "lambda",
        "Endpoint": FUNCTION,
        "Owner": "000000000000",
        "PendingConfirmation": "false",
        "ConfirmationWasAuthenticated": "true",
        "RawMessageDelivery": "false",
        "SubscriptionPrincipal": "arn:aws:iam::000000000000:root",
        "FilterPolicy": policy,
        "FilterPolicyScope": "MessageAttributes",
    }
    for name, value in (("FilterPolicyScope", "MessageBody"), ("FilterPolicy", "")):
        sns.set_subscription_attributes(
            SubscriptionArn=made, AttributeName=name, AttributeValue=value
        )
    told = sns.get_subscription_attributes(SubscriptionArn=made)["Attributes"]
    assert "FilterPolicy" not in told
    sns.unsubscribe(SubscriptionArn=made)
    sns.unsubscribe(SubscriptionArn=made)
    assert failure(sns.get_subscription_attributes, SubscriptionArn=made)[:2] == ("NotFound", 404)


def test_mail_waits_to_be_confirmed(sns: Any, topic: Callable[..., str]) -> None:
    arn = topic()
    answer = sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@example.com")
    assert answer["SubscriptionArn"] == "pending confirmation"
    [told] = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert (told["SubscriptionArn"], told["Endpoint"]) == ("PendingConfirmation", "a@example.com")
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["SubscriptionsPending"] == "1"
    wrong = failure(sns.confirm_subscription, TopicArn=arn, Token="0" * 16)
    assert wrong == ("InvalidParameter", 400, "Invalid parameter: Token")


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"Protocol": "sms", "Endpoint": "+1"}, "Does not support this protocol string: sms"),
        ({"Protocol": "sqs", "Endpoint": "queue"}, "SQS endpoint ARN"),
        ({"Protocol": "lambda", "Endpoint": QUEUE}, "Lambda endpoint ARN"),
        (
            {"Protocol": "https", "Endpoint": "http://x"},
            "Endpoint must match the specified protocol",
        ),
        ({"Attributes": {"Nothing": "x"}}, "AttributeName"),
        ({"Attributes": {"FilterPolicy": "{"}}, "FilterPolicy: failed to parse JSON."),
        (
            {"Attributes": {"FilterPolicy": '{"a": {"b": ["c"]}}'}},
            "Filter policy scope MessageAttributes does not support nested filter policy",
        ),
        (
            {"Attributes": {"FilterPolicy": '{"a": [{"like": 1}]}'}},
            "FilterPolicy: Unrecognized match type like",
        ),
        (
            {"Attributes": {"RedrivePolicy": '{"deadLetterTargetArn": "x"}'}},
            "RedrivePolicy: deadLetterTargetArn is an invalid arn",
        ),
    ],
)
def test_what_cannot_subscribe_is_refused(
    sns: Any, topic: Callable[..., str], params: dict[str, Any], reason: str
) -> None:
    given = {"TopicArn": topic(), "Protocol": "sqs", "Endpoint": QUEUE, **params}
    assert failure(sns.subscribe, **given) == (
        "InvalidParameter",
        400,
        f"Invalid parameter: {reason}",
    )


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"Message": ""}, "InvalidParameter", "Invalid parameter: Empty message"),
        ({"Message": "x" * 262_145}, "InvalidParameter", "Invalid parameter: Message too long"),
        ({"Subject": "a\nb"}, "InvalidParameter", "Invalid parameter: Subject"),
        (
            {"MessageStructure": "json", "Message": '{"sqs": "x"}'},
            "InvalidParameter",
            "Invalid parameter: Message Structure - No default entry in JSON message body",
        ),
        (
            {"MessageStructure": "json"},
            "InvalidParameter",
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        ),
        (
            {"MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}},
            "ParameterValueInvalid",
            (
                "The message attribute 'a' must contain non-empty message attribute value for "
                "message attribute type 'String'."
            ),
        ),
        (
            {"MessageAttributes": {"a": {"DataType": "Number", "StringValue": "x"}}},
            "ParameterValueInvalid",
            "Could not cast message attribute 'a' value to number.",
        ),
        (
            {"MessageDeduplicationId": "d"},
            "InvalidParameter",
            (
                "Invalid parameter: MessageDeduplicationId Reason: The request includes "
                "MessageDeduplicationId parameter that is not valid for this topic type"
            ),
        ),
    ],
)
def test_what_is_no_message_is_refused(
    sns: Any, topic: Callable[..., str], params: dict[str, Any], code: str, text: str
) -> None:
    given = {"TopicArn": topic(), "Message": "m", **params}
    assert failure(sns.publish, **given) == (code, 400, text)


def test_fifo_topics_want_groups_and_fifo_names(
    sns: Any, topic: Callable[..., str], unused: Callable[[str], str]
) -> None:
    arn = topic(fifo=True)
    assert "MessageGroupId" in failure(sns.publish, TopicArn=arn, Message="m")[2]
    wrong = failure(sns.publish, TopicArn=arn, Message="m", MessageGroupId="g")
    assert "ContentBasedDeduplication" in wrong[2]
    wrong = failure(sns.create_topic, Name=unused("t"), Attributes={"FifoTopic": "true"})
    assert "must end with .fifo" in wrong[2]
    wrong = failure(sns.subscribe, TopicArn=arn, Protocol="lambda", Endpoint=FUNCTION)
    assert wrong[2] == "Invalid parameter: Invalid protocol type: lambda"
    wrong = failure(sns.subscribe, TopicArn=topic(), Protocol="sqs", Endpoint=f"{QUEUE}.fifo")
    assert "can not be subscribed to standard" in wrong[2]


def test_batches_are_refused_one_by_one_or_whole(sns: Any, topic: Callable[..., str]) -> None:
    arn = topic()

    def batch(*entries: dict[str, Any]) -> dict[str, Any]:
        return {"TopicArn": arn, "PublishBatchRequestEntries": list(entries)}

    answer = sns.publish_batch(
        **batch({"Id": "a", "Message": "m"}, {"Id": "b", "Message": "m", "Subject": "\n"})
    )
    assert [each["Id"] for each in answer["Successful"]] == ["a"]
    [failed] = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("b", "InvalidParameter", True)
    same = {"Id": "a", "Message": "m"}
    assert failure(sns.publish_batch, **batch(same, same))[0] == "BatchEntryIdsNotDistinct"
    many = [{"Id": str(n), "Message": "m"} for n in range(11)]
    assert failure(sns.publish_batch, **batch(*many))[0] == "TooManyEntriesInBatchRequest"
    long = [{"Id": str(n), "Message": "x" * 150_000} for n in range(2)]
    assert failure(sns.publish_batch, **batch(*long))[0] == "BatchRequestTooLong"
    wrong = failure(sns.publish, TopicArn=f"{arn}-gone", Message="m")
    assert wrong == ("NotFound", 404, "Topic does not exist")
