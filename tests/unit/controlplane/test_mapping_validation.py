"""What each kind of event source can be configured to."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.controlplane import mapping_validation as rules
from lambdad.controlplane.event_sources import identify, initial_settings, merged_settings
from lambdad.domain.errors import ServiceException
from lambdad.domain.event_source_mappings import SourceKind
from lambdad.testing.attachments import refusal

NOW_S = 1_764_000_000.0
BASE = "us-east-1:000000000000"
QUEUE = {"EventSourceArn": f"arn:aws:sqs:{BASE}:q"}
FIFO = {"EventSourceArn": f"arn:aws:sqs:{BASE}:q.fifo"}
KINESIS = {"EventSourceArn": f"arn:aws:kinesis:{BASE}:stream/s", "StartingPosition": "LATEST"}
TABLE = {
    "EventSourceArn": f"arn:aws:dynamodb:{BASE}:table/t/stream/2025-02-17T16:33:01.784",
    "StartingPosition": "TRIM_HORIZON",
}
MSK = {
    "EventSourceArn": f"arn:aws:kafka:{BASE}:cluster/c/1-2",
    "StartingPosition": "LATEST",
    "Topics": ["t"],
}
SECRET = [{"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s"}]
KAFKA = {
    "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["h:9092"]}},
    "SourceAccessConfigurations": SECRET,
    "StartingPosition": "LATEST",
    "Topics": ["t"],
}
BROKER = {
    "EventSourceArn": f"arn:aws:mq:{BASE}:broker:b:1",
    "Queues": ["q"],
    "SourceAccessConfigurations": SECRET,
}
DOCUMENTS = {
    "EventSourceArn": f"arn:aws:rds:{BASE}:cluster:c",
    "DocumentDBEventSourceConfig": {"DatabaseName": "d"},
    "SourceAccessConfigurations": SECRET,
    "StartingPosition": "LATEST",
}
EVERY = {
    SourceKind.SQS: QUEUE,
    SourceKind.SQS_FIFO: FIFO,
    SourceKind.KINESIS: KINESIS,
    SourceKind.DYNAMODB: TABLE,
    SourceKind.MSK: MSK,
    SourceKind.SELF_MANAGED_KAFKA: KAFKA,
    SourceKind.MQ: BROKER,
    SourceKind.DOCUMENTDB: DOCUMENTS,
}
STREAM_DEFAULTS = {
    "BatchSize": 100,
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {}},
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
}
QUEUE_DEFAULTS = {
    "BatchSize": 10,
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
}
DEFAULTS: dict[SourceKind, dict[str, Any]] = {
    SourceKind.SQS: QUEUE_DEFAULTS,
    SourceKind.SQS_FIFO: QUEUE_DEFAULTS,
    SourceKind.KINESIS: STREAM_DEFAULTS,
    SourceKind.DYNAMODB: STREAM_DEFAULTS,
    SourceKind.MSK: {
        "BatchSize": 100,
        "AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "u"},
    },
    SourceKind.SELF_MANAGED_KAFKA: {
        "BatchSize": 100,
        "SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "u"},
    },
    SourceKind.MQ: {"BatchSize": 100},
    SourceKind.DOCUMENTDB: {
        "BatchSize": 100,
        "DocumentDBEventSourceConfig": {"DatabaseName": "d", "FullDocument": "Default"},
    },
}


def configure(given: dict[str, Any]) -> dict[str, Any]:
    """All checks of a creation, and what it stores."""
    rules.check_success_destination(given)
    kind = identify(given)
    rules.check_new(kind, given, now_s=NOW_S)
    settings = initial_settings(kind, given, uuid="u")
    rules.check_settings(kind, settings)
    return settings


async def message(given: dict[str, Any]) -> str:
    code, text = await refusal(lambda: configure(given))
    assert code == "InvalidParameterValueException"
    return text


@pytest.mark.parametrize("kind", SourceKind)
def test_every_kind_has_the_defaults_of_aws(kind: SourceKind) -> None:
    given = EVERY[kind]
    assert identify(given) is kind
    assert configure(given) == {**given, **DEFAULTS[kind]}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"EventSourceArn": f"arn:aws:dynamodb:{BASE}:table/t"},
        {"EventSourceArn": f"arn:aws:sns:{BASE}:t"},
        {"EventSourceArn": "arn:aws:sqs:us-east-1::q"},
    ],
)
async def test_what_lambda_does_not_poll_is_no_source(given: dict[str, Any]) -> None:
    assert await message(given) == "Unrecognized event source."


UNSUPPORTED = "Unsupported {} parameter for given event source mapping type."


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (QUEUE | {"ParallelizationFactor": 2}, "ParallelizationFactor"),
        (QUEUE | {"DestinationConfig": {"OnFailure": {"Destination": "x"}}}, "DestinationConfig"),
        (KINESIS | {"DestinationConfig": {"OnSuccess": {}}}, "DestinationConfig"),
        (KINESIS | {"ScalingConfig": {"MaximumConcurrency": 2}}, "ScalingConfig"),
        (TABLE | {"Topics": ["t"]}, "Topics"),
        (MSK | {"Queues": ["q"]}, "Queues"),
        (KAFKA | {"TumblingWindowInSeconds": 1}, "TumblingWindowInSeconds"),
        (BROKER | {"StartingPosition": "LATEST"}, "StartingPosition"),
        (DOCUMENTS | {"FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}, "FilterCriteria"),
    ],
)
async def test_members_of_other_kinds_are_refused(given: dict[str, Any], name: str) -> None:
    assert await message(given) == UNSUPPORTED.format(name)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {name: KINESIS[name] for name in ("EventSourceArn",)},
            (
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
                "constraint: Member must not be null."
            ),
        ),
        (
            QUEUE | {"StartingPosition": "LATEST"},
            "StartingPosition is not valid for SQS event sources.",
        ),
        (
            TABLE | {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.0},
            f"Unsupported starting position for arn type: {TABLE['EventSourceArn']}",
        ),
        (
            KINESIS | {"StartingPositionTimestamp": 1.0},
            "Timestamp only valid with StartingPosition AT_TIMESTAMP",
        ),
        (
            KINESIS | {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": -1.0},
            (
                "Received Exception while reading from provided stream. class java.lang.Long can "
                "not be converted to a Timestamp"
            ),
        ),
        (
            KINESIS | {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": NOW_S + 1},
            "StartingPositionTimestamp must not be in the future.",
        ),
        (
            KINESIS | {"StartingPosition": "AT_TIMESTAMP"},
            "StartingPosition AT_TIMESTAMP requires StartingPositionTimestamp.",
        ),
        (
            {name: value for name, value in KAFKA.items() if name != "SourceAccessConfigurations"},
            "Required 'sourceAccessConfigurations' parameter is missing.",
        ),
        (
            {name: value for name, value in MSK.items() if name != "Topics"},
            "Required 'topics' parameter is missing.",
        ),
        (
            {name: value for name, value in BROKER.items() if name != "Queues"},
            "Required 'queues' parameter is missing.",
        ),
        (
            QUEUE | KAFKA,
            "EventSourceArn and SelfManagedEventSource exclude each other.",
        ),
        (
            QUEUE | {"BatchSize": 11},
            (
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
                "greater than 10"
            ),
        ),
        (
            FIFO | {"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1},
            "BatchSize must be less than or equal to 10 for FIFO queues.",
        ),
        (
            FIFO | {"MaximumBatchingWindowInSeconds": 1},
            "Batching window is not supported for FIFO queues.",
        ),
        (
            KINESIS | {"MaximumRecordAgeInSeconds": 59},
            "MaximumRecordAgeInSeconds must be -1 or greater than or equal to 60.",
        ),
        (
            QUEUE | {"FilterCriteria": {"Filters": [{"Pattern": "plain"}]}},
            "Invalid filter pattern definition.",
        ),
        (
            QUEUE | {"FilterCriteria": {"Filters": [{}]}},
            "Invalid filter pattern definition.",
        ),
        (
            KINESIS | {"FilterCriteria": {"Filters": [{"Pattern": '{"data": ["plain"]}'}]}},
            "Invalid filter pattern definition.",
        ),
        (
            QUEUE | {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 11}},
            "An event source mapping can have at most 10 filters.",
        ),
        (
            KINESIS | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://t"}}},
            "The destination ARN kafka://t is invalid.",
        ),
        (
            KINESIS | {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:iam:::x"}}},
            "The destination ARN arn:aws:iam:::x is invalid.",
        ),
        (
            MSK | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://t"}}},
            "The on-failure destination topic must differ from the topic of the event source.",
        ),
        (
            MSK | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://u"}}},
            "A Kafka on-failure destination is supported only with ProvisionedPollerConfig.",
        ),
        (
            MSK | {"MaximumRetryAttempts": 3},
            (
                "MaximumRetryAttempts is supported for Kafka event sources only with "
                "ProvisionedPollerConfig."
            ),
        ),
        (
            QUEUE
            | {
                "ScalingConfig": {"MaximumConcurrency": 2},
                "ProvisionedPollerConfig": {"MinimumPollers": 2},
            },
            "ScalingConfig and ProvisionedPollerConfig exclude each other.",
        ),
        (
            QUEUE | {"ProvisionedPollerConfig": {"MinimumPollers": 1}},
            "MinimumPollers must be at least 2 for SQS event sources.",
        ),
        (
            MSK | {"ProvisionedPollerConfig": {"MinimumPollers": 5, "MaximumPollers": 4}},
            "MinimumPollers must be less than or equal to MaximumPollers.",
        ),
    ],
)
async def test_contradictions_are_refused(given: dict[str, Any], text: str) -> None:
    assert await message(given) == text


@pytest.mark.parametrize(
    "given",
    [
        QUEUE | {"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1},
        QUEUE | {"ScalingConfig": {"MaximumConcurrency": 2}},
        QUEUE | {"FilterCriteria": {"Filters": [{"Pattern": '{"body": ["plain"]}'}]}},
        KINESIS | {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": NOW_S},
        KINESIS | {"DestinationConfig": {"OnFailure": {"Destination": QUEUE["EventSourceArn"]}}},
        TABLE | {"FilterCriteria": {"Filters": [{"Pattern": '{"dynamodb": {"a": ["b"]}}'}]}},
        KAFKA | {"LoggingConfig": {"SystemLogLevel": "DEBUG"}},
    ],
)
def test_what_is_given_is_read_back(given: dict[str, Any]) -> None:
    settings = configure(given)
    assert {name: settings[name] for name in given} == given


def test_provisioned_pollers_have_defaults_and_allow_retries() -> None:
    settings = configure(
        MSK | {"ProvisionedPollerConfig": {"MaximumPollers": 3}, "MaximumRetryAttempts": 3}
    )
    assert settings["ProvisionedPollerConfig"] == {"MinimumPollers": 1, "MaximumPollers": 3}


def test_empty_values_remove_and_defaults_stay() -> None:
    given = QUEUE | {
        "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
        "ScalingConfig": {"MaximumConcurrency": 2},
        "KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k",
    }
    emptied = {
        "FilterCriteria": {"Filters": []},
        "ScalingConfig": {},
        "KMSKeyArn": "",
        "FunctionResponseTypes": [],
    }
    settings = merged_settings(configure(given), emptied, SourceKind.SQS)
    assert settings == QUEUE | QUEUE_DEFAULTS
    failure = {"OnFailure": {"Destination": QUEUE["EventSourceArn"]}}
    stream = configure(KINESIS | {"DestinationConfig": failure})
    cleared = merged_settings(stream, {"DestinationConfig": {}}, SourceKind.KINESIS)
    assert cleared["DestinationConfig"] == {"OnFailure": {}}


def test_the_consumer_group_stays_when_the_registry_changes() -> None:
    registry = {"SchemaRegistryConfig": {"SchemaRegistryURI": "https://r"}}
    change = {"AmazonManagedKafkaEventSourceConfig": registry}
    settings = merged_settings(configure(MSK), change, SourceKind.MSK)
    assert settings["AmazonManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": "u", **registry}


def test_an_unknown_position_is_refused_in_the_order_of_aws() -> None:
    with pytest.raises(ServiceException) as caught:
        rules.check_position_name("0")
    assert (caught.value.code, caught.value.message) == (
        "ValidationException",
        (
            "1 validation error detected: Value '0' at 'startingPosition' failed to satisfy "
            "constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
        ),
    )
