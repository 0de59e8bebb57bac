"""What buckets tell functions and queues."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.deploy import RUNTIME, Deployer, zip_of
from lambdad.testing.policies import OPEN

pytestmark = pytest.mark.root
# The function hands on what it gets, so that a test can see it.
TELLER = """
import boto3, json, os

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


@pytest.fixture
def sqs(make_client: Callable[..., Any]) -> Any:
    return make_client("sqs")


@pytest.fixture
def queue(sqs: Any, a_bucket: Callable[[], str]) -> str:
    url: str = sqs.create_queue(QueueName=f"{a_bucket()}-queue", Attributes=OPEN)["QueueUrl"]
    return url


def arn_of(url: str) -> str:
    _, account, name = urlsplit(url).path.split("/")
    return f"arn:aws:sqs:us-east-1:{account}:{name}"


def received(sqs: Any, url: str, count: int) -> list[dict[str, Any]]:
    """Return so many messages, within a minute."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MaxNumberOfMessages=10)
        for message in answer.get("Messages", ()):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_queues_hear_of_every_kind_of_change(s3: Any, sqs: Any, versioned: str, queue: str) -> None:
    configuration = {
        "QueueArn": arn_of(queue),
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=versioned, NotificationConfiguration={"QueueConfigurations": [configuration]}
    )
    (test,) = received(sqs, queue, 1)
    assert (test["Event"], test["Service"], test["Bucket"]) == (
        "s3:TestEvent",
        "Amazon S3",
        versioned,
    )
    kept = s3.get_bucket_notification_configuration(Bucket=versioned)["QueueConfigurations"]
    assert kept[0]["Id"]
    s3.put_object(Bucket=versioned, Key="out/x", Body=b"unheard")
    key = "in/a b+ü.txt"
    put = s3.put_object(Bucket=versioned, Key=key, Body=b"four")
    s3.copy_object(Bucket=versioned, Key="in/copy", CopySource={"Bucket": versioned, "Key": key})
    s3.put_object_tagging(
        Bucket=versioned, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]}
    )
    upload = s3.create_multipart_upload(Bucket=versioned, Key="in/parts")["UploadId"]
    named = {"Bucket": versioned, "Key": "in/parts", "UploadId": upload}
    etag = s3.upload_part(**named, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(**named, MultipartUpload=parts)
    marker = s3.delete_object(Bucket=versioned, Key=key)["VersionId"]
    s3.delete_object(Bucket=versioned, Key=key, VersionId=marker)
    records = [event["Records"][0] for event in received(sqs, queue, 6)]
    records.sort(key=lambda record: record["s3"]["object"]["sequencer"])
    assert [record["eventName"] for record in records] == [
        "ObjectCreated:Put",
        "ObjectCreated:Copy",
        "ObjectTagging:Put",
        "ObjectCreated:CompleteMultipartUpload",
        "ObjectRemoved:DeleteMarkerCreated",
        "ObjectRemoved:Delete",
    ]
    first = next(each for each in records if each["eventName"] == "ObjectCreated:Put")
    for name in ("eventTime", "userIdentity", "responseElements"):
        assert first.pop(name)
    thing = first["s3"]["object"]
    assert len(thing.pop("sequencer")) == 18
    assert first == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventName": "ObjectCreated:Put",
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": kept[0]["Id"],
            "bucket": {
                "name": versioned,
                "ownerIdentity": {"principalId": "000000000000"},
                "arn": f"arn:aws:s3:::{versioned}",
            },
            "object": {
                "key": "in/a+b%2B%C3%BC.txt",
                "size": 4,
                "eTag": put["ETag"].strip('"'),
                "versionId": put["VersionId"],
            },
        },
    }


def test_functions_hear_of_objects_if_their_policy_allows(
    user: Deployer, s3: Any, sqs: Any, bucket: str, queue: str
) -> None:
    name = f"of-{bucket}"
    # Deployed from S3 itself.
    s3.put_object(Bucket=bucket, Key="code/app.zip", Body=zip_of({"app.py": TELLER}))
    user.lambda_.create_function(
        FunctionName=name,
        Code={"S3Bucket": bucket, "S3Key": "code/app.zip"},
        Runtime=RUNTIME,
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/r",
        Timeout=30,
        Environment={"Variables": {"QUEUE": queue}},
    )
    user.lambda_.get_waiter("function_active_v2").wait(FunctionName=name)
    arn = user.lambda_.get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    configuration = {
        "LambdaFunctionConfigurations": [
            {
                "Id": "mine",
                "LambdaFunctionArn": arn,
                "Events": ["s3:ObjectCreated:Put"],
                "Filter": {"Key": {"FilterRules": [{"Name": "Suffix", "Value": ".jpg"}]}},
            }
        ]
    }

    def configure() -> None:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=configuration
        )

    with pytest.raises(ClientError, match="Unable to validate the following destination"):
        configure()
    user.lambda_.add_permission(
        FunctionName=name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
        SourceAccount="000000000000",
    )
    configure()
    s3.put_object(Bucket=bucket, Key="x.png", Body=b"unheard")
    s3.put_object(Bucket=bucket, Key="x.jpg", Body=b"heard")
    (event,) = received(sqs, queue, 1)
    (record,) = event["Records"]
    assert record["s3"]["object"]["key"] == "x.jpg"
    assert record["s3"]["configurationId"] == "mine"


@pytest.mark.parametrize(
    ("configuration", "text"),
    [
        (
            {
                "QueueArn": "arn:aws:sqs:us-east-1:000000000000:none",
                "Events": ["s3:ObjectCreated:*"],
            },
            "Unable to validate the following destination configurations",
        ),
        ({"QueueArn": "none", "Events": ["s3:ObjectCreated:*"]}, "The ARN could not be parsed"),
    ],
)
def test_targets_that_cannot_be(
    s3: Any, bucket: str, configuration: dict[str, Any], text: str
) -> None:
    with pytest.raises(ClientError, match=text):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [configuration]}
        )


def test_overlapping_configurations_are_refused(s3: Any, bucket: str, queue: str) -> None:
    both = [
        {"QueueArn": arn_of(queue), "Events": [event]}
        for event in ("s3:ObjectCreated:*", "s3:ObjectCreated:Put")
    ]
    with pytest.raises(ClientError, match="Configurations overlap"):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": both}
        )


def test_the_event_bus_hears_of_objects(
    s3: Any, sqs: Any, make_client: Callable[..., Any], bucket: str, queue: str
) -> None:
    rules = make_client("events")
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    rules.put_rule(Name=bucket, EventPattern=json.dumps(pattern))
    rules.put_targets(Rule=bucket, Targets=[{"Id": "q", "Arn": arn_of(queue)}])
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    etag = s3.put_object(Bucket=bucket, Key="a b", Body=b"four")["ETag"].strip('"')
    (event,) = received(sqs, queue, 1)
    detail = event["detail"]
    assert detail["object"].pop("sequencer")
    assert detail.pop("request-id")
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert detail == {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {"key": "a b", "size": 4, "etag": etag},
        "requester": "000000000000",
        "source-ip-address": "127.0.0.1",
        "reason": "PutObject",
    }


def test_topics_hear_of_objects(
    s3: Any, sqs: Any, make_client: Callable[..., Any], bucket: str, queue: str
) -> None:
    topics = make_client("sns")
    topic = topics.create_topic(Name=bucket, Attributes=OPEN)["TopicArn"]
    topics.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=arn_of(queue),
        Attributes={"RawMessageDelivery": "true"},
    )
    configuration = {"TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [configuration]}
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="k")
    test, event = received(sqs, queue, 2)
    assert test["Event"] == "s3:TestEvent"
    assert event["Records"][0]["eventName"] == "ObjectRemoved:Delete"


def test_events_that_failed_for_good_become_objects(
    user: Deployer, s3: Any, bucket: str, a_name: Callable[[], str]
) -> None:
    name = a_name()
    user.deploy(name, "def handler(event, context): raise RuntimeError('as told')")
    user.lambda_.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    user.lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"n": 1}')
    s3.get_waiter("bucket_exists").wait(Bucket=bucket)
    deadline, found = time.monotonic() + 60, []
    while not found and time.monotonic() < deadline:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=f"aws/lambda/async/{name}/").get(
            "Contents", []
        )
    record = json.loads(s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read())
    assert record["requestPayload"] == {"n": 1}
    assert record["requestContext"]["condition"] == "RetriesExhausted"


def test_code_comes_only_from_buckets_that_the_account_may_read(
    lonely: Deployer, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="app.zip", Body=zip_of({"app.py": TELLER}))

    def deploy() -> None:
        lonely.lambda_.create_function(
            FunctionName="f",
            Code={"S3Bucket": bucket, "S3Key": "app.zip"},
            Runtime=RUNTIME,
            Handler="app.handler",
            Role="arn:aws:iam::000000000000:role/r",
        )

    with pytest.raises(ClientError, match="S3 Error Code: AccessDenied"):
        deploy()
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    deploy()
