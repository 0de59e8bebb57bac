"""Every trigger, and one function that hands on what each of them brings."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.conformance.events.conftest import Queue
from tests.conformance.golden_events.world import (
    EARLY,
    REGION,
    World,
)

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE


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
