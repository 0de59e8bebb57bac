"""Queues, topics and buses let in whom their policies name: services always, other accounts too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.events.conftest import client_of

from lambdad.testing.daemon import DaemonProcess

OTHER = "333333333333"


def policy(principal: Any, action: str, **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **condition}]})


def only(arn: str) -> dict[str, Any]:
    return {"Condition": {"ArnEquals": {"aws:SourceArn": arn}}}


def code_of(call: Callable[..., Any], **params: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**params)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return str(raised.value.response["Error"]["Code"])


def test_a_queue_takes_from_topics_that_its_policy_names(
    sns: Any, daemon: DaemonProcess, topic: Callable[..., str], queue: Callable[..., Any]
) -> None:
    sqs = client_of("sqs", daemon.endpoint_url)
    named, other, dead = topic(), topic(), queue()
    closed = queue()
    allowed = policy({"Service": "sns.amazonaws.com"}, "sqs:SendMessage", **only(named))
    sqs.set_queue_attributes(QueueUrl=closed.url, Attributes={"Policy": allowed})
    redrive = json.dumps({"deadLetterTargetArn": dead.arn})
    for arn in (named, other):
        sns.subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=closed.arn,
            Attributes={"RedrivePolicy": redrive},
        )
    sns.publish(TopicArn=other, Message="from another topic")
    assert dead.body()["Message"] == "from another topic"
    sns.publish(TopicArn=named, Message="from the named one")
    assert closed.body()["Message"] == "from the named one"
    assert closed.message(wait_s=0) is None


def test_rules_need_a_policy_or_a_role(
    daemon: DaemonProcess, queue: Callable[..., Any], unused: Callable[[str], str]
) -> None:
    sqs, events = (client_of(each, daemon.endpoint_url) for each in ("sqs", "events"))
    closed, dead, name = queue(), queue(), unused("rule")
    sqs.set_queue_attributes(QueueUrl=closed.url, Attributes={"Policy": ""})
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    target = {"Id": "t", "Arn": closed.arn, "DeadLetterConfig": {"Arn": dead.arn}}
    events.put_targets(Rule=name, Targets=[target])
    entry = {"Source": name, "DetailType": "d", "Detail": "{}"}
    events.put_events(Entries=[entry])
    letter = dead.message()
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    role = "arn:aws:iam::000000000000:role/r"
    events.put_targets(Rule=name, Targets=[{**target, "RoleArn": role}])
    events.put_events(Entries=[entry])
    assert closed.body()["source"] == name


def test_buckets_are_configured_only_with_targets_that_let_them(
    daemon: DaemonProcess, queue: Callable[..., Any], topic: Callable[..., str]
) -> None:
    s3, sqs = (client_of(each, daemon.endpoint_url) for each in ("s3", "sqs"))
    closed, bucket = queue(), "sns-policies-bucket"
    sqs.set_queue_attributes(QueueUrl=closed.url, Attributes={"Policy": ""})
    s3.create_bucket(Bucket=bucket)
    for kind, target in (("Queue", closed.arn), ("Topic", topic())):
        each = {f"{kind}Arn": target, "Events": ["s3:ObjectCreated:*"]}
        with pytest.raises(ClientError, match="Unable to validate the following destination"):
            s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={f"{kind}Configurations": [each]}
            )
    allowed = policy({"Service": "s3.amazonaws.com"}, "SQS:*", **only(f"arn:aws:s3:::{bucket}"))
    sqs.set_queue_attributes(QueueUrl=closed.url, Attributes={"Policy": allowed})
    each = {"QueueArn": closed.arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [each]}
    )
    assert closed.body()["Event"] == "s3:TestEvent"


def test_another_account_is_let_in_by_policies_alone(
    sns: Any, daemon: DaemonProcess, topic: Callable[..., str], unused: Callable[[str], str]
) -> None:
    sqs, events = (client_of(each, daemon.endpoint_url) for each in ("sqs", "events"))
    theirs = {
        name: client_of(name, daemon.endpoint_url, account=OTHER)
        for name in ("sns", "sqs", "events")
    }
    arn, url = topic(), sqs.create_queue(QueueName=unused("closed"))["QueueUrl"]
    assert code_of(theirs["sns"].publish, TopicArn=arn, Message="m") == "AuthorizationError"
    assert code_of(theirs["sqs"].send_message, QueueUrl=url, MessageBody="m") == "AccessDenied"
    assert code_of(theirs["sqs"].delete_queue, QueueUrl=url) == "AccessDenied"
    bus = events.create_event_bus(Name=unused("bus"))["EventBusArn"]
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": bus}
    refused = theirs["events"].put_events(Entries=[entry])
    assert refused["Entries"][0]["ErrorCode"] == "AccessDeniedException"
    sns.add_permission(TopicArn=arn, Label="l", AWSAccountId=[OTHER], ActionName=["Publish"])
    theirs["sns"].publish(TopicArn=arn, Message="m")
    sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=[OTHER], Actions=["SendMessage"])
    entries = [{"Id": "1", "MessageBody": "m"}]
    assert theirs["sqs"].send_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    assert code_of(theirs["sqs"].receive_message, QueueUrl=url) == "AccessDenied"
    events.put_permission(
        EventBusName=bus.rpartition("/")[2],
        StatementId="s",
        Principal=OTHER,
        Action="events:PutEvents",
    )
    assert theirs["events"].put_events(Entries=[entry])["FailedEntryCount"] == 0
