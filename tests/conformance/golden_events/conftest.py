"""Every trigger, and one function that hands on what each of them brings."""

from __future__ import annotations

import base64
import gzip
import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.conformance.events.conftest import Queue, client_of

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, Deployer

DEADLINE_S = 120
REGION = "us-east-1"
EARLY = Path(__file__).with_name("early_daemon.py")

# It answers what a front door, a window and CloudFormation each understand.
RECORDER = """
import boto3, json, os, urllib.request

SQS = boto3.client("sqs")

def handler(event, context):
    text = json.dumps(event)
    if len(text) < 200_000:
        SQS.send_message(QueueUrl=os.environ["OUT"], MessageBody=text)
    if "ResponseURL" in event:
        answer = {
            "Status": "SUCCESS",
            "PhysicalResourceId": "made",
            **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
        }
        request = urllib.request.Request(
            event["ResponseURL"], method="PUT", data=json.dumps(answer).encode()
        )
        urllib.request.urlopen(request).read()
    return {"statusCode": 200, "state": {}}
"""
PRINCIPALS = (
    "s3.amazonaws.com",
    "sns.amazonaws.com",
    "events.amazonaws.com",
    "logs.amazonaws.com",
    "lambda.alarms.cloudwatch.amazonaws.com",
    "apigateway.amazonaws.com",
)


class World:
    """A function that all triggers have as their target.

    Mutable: the events that came, by the names of `LOOKS`.
    """

    def __init__(self, daemon: DaemonProcess) -> None:
        self.url = daemon.endpoint_url
        self.user = Deployer(daemon.endpoint_url)
        self.out = Queue(self.client("sqs"), "golden-out")
        self.function = self.deploy("golden-recorder", RECORDER)
        for number, principal in enumerate(PRINCIPALS):
            self.user.lambda_.add_permission(
                FunctionName="golden-recorder",
                StatementId=f"s{number}",
                Action="lambda:InvokeFunction",
                Principal=principal,
            )
        self.events: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        return client_of(service, self.url)

    def deploy(self, name: str, code: str) -> str:
        self.user.deploy(name, code, Environment={"Variables": {"OUT": self.out.url}})
        found = self.user.lambda_.get_function_configuration(FunctionName=name)
        return str(found["FunctionArn"])

    def map(self, arn: str, **settings: Any) -> None:
        """Make a mapping from a source to the function, and wait until it polls."""
        lambda_ = self.user.lambda_
        made = lambda_.create_event_source_mapping(
            FunctionName="golden-recorder", EventSourceArn=arn, **settings
        )
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            found = lambda_.get_event_source_mapping(UUID=made["UUID"])
            if found["State"] == "Enabled":
                return
        raise AssertionError(found)

    def call(self, host: str, path: str, body: bytes) -> None:
        """Call a front door by the name of its host."""
        request = urllib.request.Request(  # noqa: S310 - our own daemon
            f"{self.url}{path}",
            method="POST",
            data=body,
            headers={
                "Host": host,
                "Content-Type": "application/json",
                "Cookie": "a=1; b=2",
                "User-Agent": "golden",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            assert answer.status == 200

    def gather(self) -> None:
        """Wait until there is an event of each kind."""
        deadline = time.monotonic() + DEADLINE_S
        while len(self.events) < len(LOOKS) and time.monotonic() < deadline:
            message = self.out.message(wait_s=5)
            if message is not None:
                event = json.loads(message["Body"])
                for name, looks in LOOKS.items():
                    if looks(event):
                        self.events.setdefault(name, event)
                        break


def _from(source: str, text: str = "") -> Callable[[Any], bool]:
    """Whether an event is a batch of records of a source, with some text in it."""

    def looks(event: Any) -> bool:
        records = event.get("Records") or [{}]
        found = records[0].get("eventSource") or records[0].get("EventSource")
        return bool(found == source and text in json.dumps(event))

    return looks


def opened(event: Any) -> Any:
    """What is in the event of a log group."""
    return json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))


def _version_2(kind: str) -> Callable[[Any], bool]:
    def looks(event: Any) -> bool:
        found = "url" if event.get("routeKey") == "$default" else "api"
        return event.get("version") == "2.0" and kind == found

    return looks


# The first that an event looks like is what it is.
LOOKS: Mapping[str, Callable[[Any], bool]] = {
    "sqs": _from("aws:sqs", "golden-plain"),
    "sqs_fifo": _from("aws:sqs", "golden-in-order"),
    "sqs_redriven": _from("aws:sqs", "golden-dead"),
    "sns": _from("aws:sns", "golden-subject"),
    "s3_put": _from("aws:s3", "ObjectCreated:Put"),
    "s3_multipart": _from("aws:s3", "ObjectCreated:CompleteMultipartUpload"),
    "s3_removed": _from("aws:s3", "ObjectRemoved:DeleteMarkerCreated"),
    "dynamodb_insert": _from("aws:dynamodb", '"INSERT"'),
    "dynamodb_modify": _from("aws:dynamodb", '"MODIFY"'),
    "dynamodb_remove": _from("aws:dynamodb", '"REMOVE"'),
    "kinesis_window": lambda event: "window" in event,
    "kinesis": _from("aws:kinesis"),
    "eventbridge": lambda event: event.get("source") == "golden.shop",
    "schedule_rule": lambda event: event.get("source") == "aws.events",
    "scheduler": lambda event: event.get("source") == "aws.scheduler",
    "logs": lambda event: "awslogs" in event,
    "alarm": lambda event: event.get("source") == "aws.cloudwatch",
    "function_url": _version_2("url"),
    "http_api": _version_2("api"),
    "custom_create": lambda event: event.get("RequestType") == "Create",
    "custom_update": lambda event: event.get("RequestType") == "Update",
    "custom_delete": lambda event: event.get("RequestType") == "Delete",
    "destination_success": lambda event: (
        (event.get("requestContext") or {}).get("condition") == "Success"
    ),
    "destination_failure": lambda event: (
        (event.get("requestContext") or {}).get("condition") == "RetriesExhausted"
    ),
}


@pytest.fixture(scope="session")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """An event of each kind, as the function got it."""
    with DaemonProcess(tmp_path_factory.mktemp("golden"), program=(str(EARLY),)) as daemon:
        events = _capture(World(daemon))
    assert "Traceback" not in daemon.stderr, daemon.stderr
    return events


def _capture(world: World) -> Mapping[str, Any]:
    for pull in (
        schedules,
        custom_resource,
        queues,
        streams,
        tables,
        buckets,
        topics,
        buses,
        logs,
        alarms,
        front_doors,
        destinations,
    ):
        pull(world)
    world.gather()
    return world.events


def schedules(world: World) -> None:
    events = world.client("events")
    events.put_rule(Name="golden-every-minute", ScheduleExpression="cron(* * * * ? *)")
    target = {"Id": "t", "Arn": world.function}
    events.put_targets(Rule="golden-every-minute", Targets=[target])
    world.client("scheduler").create_schedule(
        Name="golden",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": world.function, "RoleArn": ROLE},
    )


def custom_resource(world: World) -> None:
    cloudformation = world.client("cloudformation")
    for operation, waiter, number in (
        ("create_stack", "stack_create_complete", 1),
        ("update_stack", "stack_update_complete", 2),
    ):
        properties = {"ServiceToken": world.function, "Number": number, "Deep": {"Yes": True}}
        template = {"Resources": {"Made": {"Type": "Custom::Golden", "Properties": properties}}}
        getattr(cloudformation, operation)(StackName="golden", TemplateBody=json.dumps(template))
        quick = {"Delay": 1, "MaxAttempts": 60}
        cloudformation.get_waiter(waiter).wait(StackName="golden", WaiterConfig=quick)
    cloudformation.delete_stack(StackName="golden")


def queues(world: World) -> None:
    sqs = world.client("sqs")
    queue, fifo = Queue(sqs, "golden-plain"), Queue(sqs, "golden-in-order", fifo=True)
    world.map(queue.arn)
    world.map(fifo.arn)
    sqs.send_message(
        QueueUrl=queue.url,
        MessageBody="Grüße",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "x"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
        MessageSystemAttributes={
            "AWSTraceHeader": {
                "DataType": "String",
                "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0",
            }
        },
    )
    sqs.send_message(QueueUrl=fifo.url, MessageBody="one", MessageGroupId="g")
    dead, first = Queue(sqs, "golden-dead"), Queue(sqs, "golden-first")
    policy = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1}
    sqs.set_queue_attributes(QueueUrl=first.url, Attributes={"RedrivePolicy": json.dumps(policy)})
    sqs.send_message(QueueUrl=first.url, MessageBody="dead")
    while not sqs.receive_message(QueueUrl=first.url, VisibilityTimeout=0).get("Messages"):
        pass
    sqs.receive_message(QueueUrl=first.url)
    world.map(dead.arn)


def streams(world: World) -> None:
    kinesis = world.client("kinesis")
    for name, settings in (("golden", {}), ("golden-window", {"TumblingWindowInSeconds": 1})):
        kinesis.create_stream(StreamName=name, ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(
            StreamName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"][
            "StreamARN"
        ]
        world.map(arn, StartingPosition="TRIM_HORIZON", **settings)
        kinesis.put_record(StreamName=name, Data=b"Gr\xc3\xbc\xc3\x9fe", PartitionKey="k")


def tables(world: World) -> None:
    dynamodb = world.client("dynamodb")
    made = dynamodb.create_table(
        TableName="golden",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    world.map(made["LatestStreamArn"], StartingPosition="TRIM_HORIZON", BatchSize=1)
    key = {"id": {"S": "a"}}
    every_type = {
        "text": {"S": "Grüße"},
        "number": {"N": "1.50"},
        "bytes": {"B": b"\x00\x01"},
        "texts": {"SS": ["x", "y"]},
        "numbers": {"NS": ["1", "2"]},
        "several": {"BS": [b"\x00"]},
        "list": {"L": [{"S": "x"}, {"NULL": True}]},
        "map": {"M": {"yes": {"BOOL": True}}},
    }
    dynamodb.put_item(TableName="golden", Item={**key, **every_type})
    dynamodb.update_item(
        TableName="golden",
        Key=key,
        UpdateExpression="REMOVE #l SET #n = :n",
        ExpressionAttributeNames={"#l": "list", "#n": "number"},
        ExpressionAttributeValues={":n": {"N": "2"}},
    )
    dynamodb.delete_item(TableName="golden", Key=key)


def buckets(world: World) -> None:
    s3 = world.client("s3")
    s3.create_bucket(Bucket="golden-events")
    s3.put_bucket_versioning(Bucket="golden-events", VersioningConfiguration={"Status": "Enabled"})
    configuration = {
        "Id": "all",
        "LambdaFunctionArn": world.function,
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
    }
    s3.put_bucket_notification_configuration(
        Bucket="golden-events",
        NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]},
    )
    s3.put_object(Bucket="golden-events", Key="in/Grüße an alle.txt", Body=b"abc")
    s3.delete_object(Bucket="golden-events", Key="in/Grüße an alle.txt")
    parts = {"Bucket": "golden-events", "Key": "parts"}
    upload = s3.create_multipart_upload(**parts)["UploadId"]
    etag = s3.upload_part(**parts, UploadId=upload, PartNumber=1, Body=b"abc")["ETag"]
    s3.complete_multipart_upload(
        **parts, UploadId=upload, MultipartUpload={"Parts": [{"ETag": etag, "PartNumber": 1}]}
    )


def topics(world: World) -> None:
    sns = world.client("sns")
    arn = sns.create_topic(Name="golden")["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="lambda", Endpoint=world.function)
    sns.publish(
        TopicArn=arn,
        Message="Grüße",
        Subject="golden-subject",
        MessageAttributes={
            "text": {"DataType": "String", "StringValue": "x"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )


def buses(world: World) -> None:
    events = world.client("events")
    pattern = json.dumps({"source": ["golden.shop"]})
    events.put_rule(Name="golden", EventPattern=pattern)
    events.put_targets(Rule="golden", Targets=[{"Id": "t", "Arn": world.function}])
    entry = {
        "Source": "golden.shop",
        "DetailType": "order",
        "Detail": json.dumps({"total": 1.5, "who": "Grüße"}),
        "Resources": ["arn:aws:shop:::order/1"],
    }
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def logs(world: World) -> None:
    client = world.user.logs
    client.create_log_group(logGroupName="golden")
    client.create_log_stream(logGroupName="golden", logStreamName="s")
    client.put_subscription_filter(
        logGroupName="golden",
        filterName="all",
        filterPattern="[level, text]",
        destinationArn=world.function,
    )
    client.put_log_events(
        logGroupName="golden",
        logStreamName="s",
        logEvents=[{"timestamp": int(time.time() * 1_000), "message": "ERROR Grüße"}],
    )


def alarms(world: World) -> None:
    cloudwatch = world.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="golden",
        AlarmDescription="too many",
        Namespace="Golden",
        MetricName="m",
        Dimensions=[{"Name": "shop", "Value": "one"}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=3.0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[world.function],
    )
    cloudwatch.put_metric_data(
        Namespace="Golden",
        MetricData=[
            {"MetricName": "m", "Value": 5.0, "Dimensions": [{"Name": "shop", "Value": "one"}]}
        ],
    )


def front_doors(world: World) -> None:
    lambda_ = world.user.lambda_
    url = lambda_.create_function_url_config(FunctionName="golden-recorder", AuthType="NONE")
    lambda_.add_permission(
        FunctionName="golden-recorder",
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    lambda_.add_permission(
        FunctionName="golden-recorder",
        StatementId="invoke",
        Action="lambda:InvokeFunction",
        Principal="*",
    )
    world.call(urlsplit(url["FunctionUrl"]).netloc, "/a%20b?x=1&x=2&y=", b'{"a": 1}')
    client = world.client("apigatewayv2")
    api_id = client.create_api(Name="golden", ProtocolType="HTTP")["ApiId"]
    integration = client.create_integration(
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=world.function,
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    client.create_route(
        ApiId=api_id,
        RouteKey="POST /orders/{id}",
        Target=f"integrations/{integration}",
    )
    client.create_stage(
        ApiId=api_id, StageName="$default", AutoDeploy=True, StageVariables={"v": "1"}
    )
    host = f"{api_id}.execute-api.{REGION}.localhost"
    world.call(host, "/orders/a%20b?x=1&x=2&y=", b'{"a": 1}')


def destinations(world: World) -> None:
    lambda_ = world.user.lambda_
    for name, code in (
        ("golden-succeeds", "def handler(event, context):\n    return {'ok': True}\n"),
        ("golden-fails", "def handler(event, context):\n    raise ValueError('no')\n"),
    ):
        world.deploy(name, code)
        target = {"Destination": world.function}
        lambda_.put_function_event_invoke_config(
            FunctionName=name,
            MaximumRetryAttempts=0,
            DestinationConfig={"OnSuccess": target, "OnFailure": target},
        )
        lambda_.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"a": 1}')
