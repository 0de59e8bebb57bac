"""Event source mappings over the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

ErrorOf = Callable[..., tuple[int, str, str]]
GONE = (404, "ResourceNotFoundException", "The resource you requested does not exist.")
NOBODY = "01234567-89ab-4def-8123-456789abcdef"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def deployed(lonely: Deployer, a_request: Callable[..., dict[str, Any]]) -> Iterator[Deployer]:
    """A function with version 1 and the alias `live`, and queues that a mapping can poll."""
    for name in ("q", "q0", "q1", "q2"):
        client_of(lonely, "sqs").create_queue(QueueName=name)
    client_of(lonely, "kinesis").create_stream(StreamName="s", ShardCount=1)
    lonely.lambda_.create_function(**a_request())
    lonely.lambda_.get_waiter("function_active_v2").wait(FunctionName="hello")
    lonely.lambda_.publish_version(FunctionName="hello")
    lonely.lambda_.create_alias(FunctionName="hello", Name="live", FunctionVersion="1")
    yield lonely
    lonely.lambda_.delete_function(FunctionName="hello")


def client_of(user: Deployer, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=user.lambda_.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=user.sts.get_caller_identity()["Account"],
        aws_secret_access_key="test",
    )


def table_stream(user: Deployer) -> str:
    made = client_of(user, "dynamodb").create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    arn: str = made["TableDescription"]["LatestStreamArn"]
    return arn


def arn_of(user: Deployer, service: str, name: str) -> str:
    account = user.sts.get_caller_identity()["Account"]
    return f"arn:aws:{service}:us-east-1:{account}:{name}"


def members(answer: dict[str, Any], status: int) -> dict[str, Any]:
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == status
    assert abs(answer.pop("LastModified") - datetime.now(UTC)) < timedelta(minutes=1)
    return answer


def test_a_mapping_of_a_queue_lives_as_on_aws(deployed: Deployer, error_of: ErrorOf) -> None:
    aws, queue = deployed.lambda_, arn_of(deployed, "sqs", "q")
    made = members(aws.create_event_source_mapping(FunctionName="hello", EventSourceArn=queue), 202)
    uuid = made["UUID"]
    assert UUID.fullmatch(uuid)
    assert made == {
        "UUID": uuid,
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": queue,
        "FunctionArn": arn_of(deployed, "lambda", "function:hello"),
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": [],
        "EventSourceMappingArn": arn_of(deployed, "lambda", f"event-source-mapping:{uuid}"),
    }
    enabled = {**made, "State": "Enabled"}
    assert members(aws.get_event_source_mapping(UUID=uuid), 200) == enabled
    changed = members(aws.update_event_source_mapping(UUID=uuid, BatchSize=5, Enabled=False), 202)
    assert changed == {**made, "BatchSize": 5, "State": "Disabling"}
    disabled = {**changed, "State": "Disabled"}
    assert members(aws.get_event_source_mapping(UUID=uuid), 200) == disabled
    gone = members(aws.delete_event_source_mapping(UUID=uuid), 202)
    assert gone == {**changed, "State": "Deleting"}
    for operation in (
        aws.get_event_source_mapping,
        aws.update_event_source_mapping,
        aws.delete_event_source_mapping,
    ):
        assert error_of(operation, UUID=uuid) == GONE
        assert error_of(operation, UUID=NOBODY) == GONE


def test_a_mapping_of_a_stream_has_the_defaults_of_aws(deployed: Deployer) -> None:
    aws, stream = deployed.lambda_, table_stream(deployed)
    queue = arn_of(deployed, "sqs", "q")
    made = members(
        aws.create_event_source_mapping(
            FunctionName="hello:live",
            EventSourceArn=stream,
            StartingPosition="TRIM_HORIZON",
            DestinationConfig={"OnFailure": {"Destination": queue}},
        ),
        202,
    )
    assert made == {
        "UUID": made["UUID"],
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {"Destination": queue}},
        "EventSourceArn": stream,
        "EventSourceMappingArn": made["EventSourceMappingArn"],
        "FunctionArn": arn_of(deployed, "lambda", "function:hello:live"),
        "FunctionResponseTypes": [],
        "LastProcessingResult": "No records processed",
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "TumblingWindowInSeconds": 0,
    }


def test_timestamps_and_settings_are_read_back(deployed: Deployer) -> None:
    aws, stream = deployed.lambda_, arn_of(deployed, "kinesis", "stream/s")
    begin = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    settings: dict[str, Any] = {
        "StartingPosition": "AT_TIMESTAMP",
        "BatchSize": 10_000,
        "ParallelizationFactor": 10,
        "MaximumRetryAttempts": 3,
        "MaximumRecordAgeInSeconds": 60,
        "BisectBatchOnFunctionError": True,
        "TumblingWindowInSeconds": 900,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": {"Filters": [{"Pattern": '{"data": {"a": [{"prefix": "b"}]}}'}]},
        "MetricsConfig": {"Metrics": ["EventCount"]},
    }
    uuid = aws.create_event_source_mapping(
        FunctionName="hello", EventSourceArn=stream, StartingPositionTimestamp=begin, **settings
    )["UUID"]
    got = aws.get_event_source_mapping(UUID=uuid)
    assert got["StartingPositionTimestamp"] == begin
    assert {name: got[name] for name in settings} == settings
    aws.update_event_source_mapping(UUID=uuid, FilterCriteria={})
    assert "FilterCriteria" not in aws.get_event_source_mapping(UUID=uuid)


def test_listings_choose_and_go_on(deployed: Deployer) -> None:
    aws = deployed.lambda_
    queues = [arn_of(deployed, "sqs", f"q{number}") for number in range(3)]
    made = {
        aws.create_event_source_mapping(FunctionName=name, EventSourceArn=queue)["UUID"]
        for queue in queues
        for name in ("hello", "hello:live")
    }
    pages = aws.get_paginator("list_event_source_mappings").paginate(
        PaginationConfig={"PageSize": 4}
    )
    listed = [[each["UUID"] for each in page["EventSourceMappings"]] for page in pages]
    assert [len(page) for page in listed] == [4, 2]
    assert made == {uuid for page in listed for uuid in page}
    by_source = aws.list_event_source_mappings(EventSourceArn=queues[0])
    assert len(by_source["EventSourceMappings"]) == 2
    by_both = aws.list_event_source_mappings(EventSourceArn=queues[0], FunctionName="hello:live")
    [one] = by_both["EventSourceMappings"]
    assert one["FunctionArn"].endswith(":live")


def test_encrypted_filters_are_not_listed(deployed: Deployer) -> None:
    aws = deployed.lambda_
    filters = {"Filters": [{"Pattern": "{}"}]}
    uuid = aws.create_event_source_mapping(
        FunctionName="hello",
        EventSourceArn=arn_of(deployed, "sqs", "q"),
        FilterCriteria=filters,
        KMSKeyArn=arn_of(deployed, "kms", "key/k"),
    )["UUID"]
    [listed] = aws.list_event_source_mappings()["EventSourceMappings"]
    assert "FilterCriteria" not in listed
    assert aws.get_event_source_mapping(UUID=uuid)["FilterCriteria"] == filters


def test_tags_are_of_the_mapping(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    arn = aws.create_event_source_mapping(
        FunctionName="hello", EventSourceArn=arn_of(deployed, "sqs", "q"), Tags={"a": "1"}
    )["EventSourceMappingArn"]
    aws.tag_resource(Resource=arn, Tags={"b": "2"})
    aws.untag_resource(Resource=arn, TagKeys=["a"])
    assert aws.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    absent = arn_of(deployed, "lambda", f"event-source-mapping:{NOBODY}")
    assert error_of(aws.list_tags, Resource=absent) == (
        404,
        "ResourceNotFoundException",
        f"Event source mapping not found: {absent}",
    )


def test_the_errors_of_aws(deployed: Deployer, error_of: ErrorOf) -> None:
    aws = deployed.lambda_
    queue, stream = arn_of(deployed, "sqs", "q"), arn_of(deployed, "kinesis", "stream/s")

    def refused(**params: Any) -> tuple[int, str, str]:
        return error_of(aws.create_event_source_mapping, **{"FunctionName": "hello", **params})

    invalid = (400, "InvalidParameterValueException")
    assert refused() == (*invalid, "Unrecognized event source.")
    assert refused(FunctionName="absent") == (*invalid, "Unrecognized event source.")
    assert refused(FunctionName="absent", EventSourceArn=queue) == (
        *invalid,
        "Function does not exist",
    )
    assert refused(EventSourceArn=stream) == (
        *invalid,
        (
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null."
        ),
    )
    assert refused(EventSourceArn=stream, StartingPosition="invalid") == (
        400,
        "ValidationException",
        (
            "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy "
            "constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
        ),
    )
    absent = arn_of(deployed, "sqs", "absent")
    assert refused(EventSourceArn=absent) == (
        *invalid,
        (
            "Error occurred while ReceiveMessage. SQS Error Code: "
            "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does "
            "not exist."
        ),
    )
    for service, name in (("kinesis", "stream/absent"), ("dynamodb", "table/absent/stream/x")):
        absent = arn_of(deployed, service, name)
        found = refused(EventSourceArn=absent, StartingPosition="LATEST")
        assert found == (*invalid, f"Stream not found: {absent}")
    hasty = {"VisibilityTimeout": "2"}
    client_of(deployed, "sqs").create_queue(QueueName="hasty", Attributes=hasty)
    assert refused(EventSourceArn=arn_of(deployed, "sqs", "hasty")) == (
        *invalid,
        "Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds",
    )
    assert refused(EventSourceArn=queue, BatchSize=10_001)[:2] == (400, "ValidationException")
    uuid = aws.create_event_source_mapping(FunctionName="hello", EventSourceArn=queue)["UUID"]
    assert refused(EventSourceArn=queue) == (
        409,
        "ResourceConflictException",
        (
            f'An event source mapping with SQS arn (" {queue} ") and function (" hello ") already '
            f"exists. Please update or delete the existing mapping with UUID {uuid}"
        ),
    )


def test_accounts_and_regions_do_not_see_each_other(
    deployed: Deployer, daemon: DaemonProcess, error_of: ErrorOf
) -> None:
    uuid = deployed.lambda_.create_event_source_mapping(
        FunctionName="hello", EventSourceArn=arn_of(deployed, "sqs", "q")
    )["UUID"]
    account = deployed.sts.get_caller_identity()["Account"]
    for stranger in (
        Deployer(daemon.endpoint_url, account_id=account, region="eu-west-1"),
        Deployer(daemon.endpoint_url, account_id="123450000000"),
    ):
        assert stranger.lambda_.list_event_source_mappings()["EventSourceMappings"] == []
        assert error_of(stranger.lambda_.get_event_source_mapping, UUID=uuid) == GONE


def test_sources_with_brokers_of_their_own_have_the_errors_of_aws(
    deployed: Deployer, error_of: ErrorOf
) -> None:
    aws = deployed.lambda_
    invalid = (400, "InvalidParameterValueException")
    servers = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["127.0.0.1:1"]}}
    arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:esm-brokers"
    login = {"Type": "BASIC_AUTH", "URI": arn}
    cluster = "arn:aws:kafka:us-east-1:000000000000:cluster/esm-brokers/0123abcd-1"
    broker = "arn:aws:mq:us-east-1:000000000000:broker:esm-brokers:b-0123abcd"
    kafka: dict[str, Any] = {
        "SelfManagedEventSource": servers,
        "SourceAccessConfigurations": [login],
        "Topics": ["topic"],
        "StartingPosition": "LATEST",
    }
    rabbit: dict[str, Any] = {
        "EventSourceArn": broker,
        "Queues": ["queue"],
        "SourceAccessConfigurations": [login],
    }

    def refused(**given: Any) -> str:
        wanted = {name: value for name, value in given.items() if value is not None}
        code, name, text = error_of(
            lambda: aws.create_event_source_mapping(FunctionName="hello", **wanted)
        )
        assert (code, name) == invalid, text
        return text

    missing = "Required '{}' parameter is missing."
    assert refused(**{**kafka, "Topics": None}) == missing.format("topics")
    assert refused(**{**rabbit, "Queues": None}) == missing.format("queues")
    assert refused(**{**rabbit, "SourceAccessConfigurations": None}) == missing.format(
        "sourceAccessConfigurations"
    )
    host = {"Type": "VIRTUAL_HOST", "URI": "/"}
    assert refused(**{**rabbit, "SourceAccessConfigurations": [host]}) == (
        "SourceAccessConfigurations must have one of type BASIC_AUTH for this event source."
    )
    assert refused(**{**kafka, "SourceAccessConfigurations": [host]}) == (
        "SourceAccessConfigurations of type VIRTUAL_HOST are not valid for this event source."
    )
    assert refused(**{**kafka, "SourceAccessConfigurations": [login, login]}) == (
        "SourceAccessConfigurations has more than one of type BASIC_AUTH."
    )
    no_secret = {"Type": "BASIC_AUTH", "URI": "wonderland"}
    assert refused(**{**kafka, "SourceAccessConfigurations": [no_secret]}) == (
        "The URI of a SourceAccessConfiguration of type BASIC_AUTH must be the ARN of a secret."
    )
    registry = {"SchemaRegistryURI": "https://registry.example.com", "EventRecordFormat": "JSON"}
    schemas = {"SelfManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": registry}}
    assert refused(**kafka, **schemas) == (
        "SchemaRegistryConfig is only available for Provisioned Mode. To configure Schema "
        "Registry, please enable Provisioned Mode by specifying MinimumPollers in "
        "ProvisionedPollerConfig."
    )
    pollers = {"ProvisionedPollerConfig": {"MinimumPollers": 1}}
    assert refused(**kafka, **schemas, **pollers).startswith("Schema registries are not asked")
    assert refused(**rabbit, StartingPosition="LATEST").startswith("Unsupported StartingPosition")
    msk = {"EventSourceArn": cluster, "Topics": ["topic"], "StartingPosition": "LATEST"}
    assert refused(**msk) == (
        f"lambdad does not know where the brokers of {cluster} are. Write their addresses into "
        "the table [brokers] of its settings, and restart it."
    )
    assert refused(**rabbit).startswith("lambdad does not know where the brokers of")
    made = aws.create_event_source_mapping(FunctionName="hello", Enabled=False, **kafka)
    assert made["SelfManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": made["UUID"]}
    assert made["LastProcessingResult"] == "No records processed"
    code, name, text = error_of(
        lambda: aws.create_event_source_mapping(FunctionName="hello", **kafka)
    )
    assert (code, name) == (409, "ResourceConflictException")
    assert text == (
        f'An event source mapping with event source ("127.0.0.1:1"), function '
        f'("{made["FunctionArn"]}"), topics ("topic") already exists. Please update or delete the '
        f"existing mapping with UUID {made['UUID']}"
    )
    code, name, text = error_of(
        lambda: aws.update_event_source_mapping(
            UUID=made["UUID"],
            SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": "another"},
        )
    )
    assert (code, name) == invalid, text
    assert text == "ConsumerGroupId cannot be changed."
