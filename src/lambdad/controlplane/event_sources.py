"""What each kind of event source can be configured to: members, defaults, limits. Pure.

Every refusal has AWS's own text where one is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.event_source_mappings import KAFKA, SourceKind, kind_of

_START = frozenset({"StartingPosition", "StartingPositionTimestamp"})
_RETRIES = frozenset(
    {
        "BisectBatchOnFunctionError",
        "FunctionResponseTypes",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
    }
)
_ALL = frozenset({"BatchSize", "EventSourceArn", "KMSKeyArn", "MaximumBatchingWindowInSeconds"})
_STREAM = (
    _ALL
    | _START
    | _RETRIES
    | {
        "DestinationConfig",
        "FilterCriteria",
        "MetricsConfig",
        "ParallelizationFactor",
        "TumblingWindowInSeconds",
    }
)
_KAFKA = (
    _ALL
    | _START
    | _RETRIES
    | {
        "DestinationConfig",
        "FilterCriteria",
        "LoggingConfig",
        "MetricsConfig",
        "ProvisionedPollerConfig",
        "SourceAccessConfigurations",
        "Topics",
    }
)
_SQS = _ALL | {
    "FilterCriteria",
    "FunctionResponseTypes",
    "MetricsConfig",
    "ProvisionedPollerConfig",
    "ScalingConfig",
}
_STREAM_DEFAULTS: Mapping[str, Any] = {
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
_SQS_DEFAULTS: Mapping[str, Any] = {
    "BatchSize": 10,
    "FunctionResponseTypes": [],
    "MaximumBatchingWindowInSeconds": 0,
}
# Kafka, MQ and DocumentDB wait 500 ms where nothing is said, which no number of seconds tells.
_BATCH_DEFAULT: Mapping[str, Any] = {"BatchSize": 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kind of event source.

    Attributes:
        members: what may be configured, under AWS's names.
        required: what must be, in the order of complaints.
        positions: acceptable `StartingPosition`s; empty when there is none to choose.
        defaults: of the members that AWS always shows.
        batch_max: greatest `BatchSize`.
        processing_result: first `LastProcessingResult`, or None.
        reason: `StateTransitionReason` of what a user did.
    """

    members: frozenset[str]
    required: tuple[str, ...] = ()
    positions: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    batch_max: int = 10_000
    processing_result: str | None = None
    reason: str = "USER_INITIATED"


_NOTHING_YET = "No records processed"
_ANYWHERE = ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")

SOURCES: Mapping[SourceKind, Source] = {
    SourceKind.SQS: Source(members=_SQS, defaults=_SQS_DEFAULTS),
    SourceKind.SQS_FIFO: Source(members=_SQS, defaults=_SQS_DEFAULTS, batch_max=10),
    SourceKind.KINESIS: Source(
        members=_STREAM,
        positions=_ANYWHERE,
        defaults=_STREAM_DEFAULTS,
        processing_result=_NOTHING_YET,
        reason="User action",
    ),
    SourceKind.DYNAMODB: Source(
        members=_STREAM,
        positions=("TRIM_HORIZON", "LATEST"),
        defaults=_STREAM_DEFAULTS,
        processing_result=_NOTHING_YET,
        reason="User action",
    ),
    SourceKind.MSK: Source(
        members=_KAFKA | {"AmazonManagedKafkaEventSourceConfig"},
        required=("Topics",),
        positions=_ANYWHERE,
        defaults=_BATCH_DEFAULT,
        processing_result=_NOTHING_YET,
    ),
    SourceKind.SELF_MANAGED_KAFKA: Source(
        members=(_KAFKA | {"SelfManagedEventSource", "SelfManagedKafkaEventSourceConfig"})
        - {"EventSourceArn"},
        required=("SourceAccessConfigurations", "Topics"),
        positions=_ANYWHERE,
        defaults=_BATCH_DEFAULT,
        processing_result=_NOTHING_YET,
    ),
    SourceKind.MQ: Source(
        members=_ALL | {"FilterCriteria", "Queues", "SourceAccessConfigurations"},
        required=("Queues", "SourceAccessConfigurations"),
        defaults=_BATCH_DEFAULT,
    ),
    SourceKind.DOCUMENTDB: Source(
        members=_ALL | _START | {"DocumentDBEventSourceConfig", "SourceAccessConfigurations"},
        required=("DocumentDBEventSourceConfig", "SourceAccessConfigurations"),
        positions=_ANYWHERE,
        defaults=_BATCH_DEFAULT,
        processing_result=_NOTHING_YET,
    ),
}


def identify(given: Mapping[str, Any]) -> SourceKind:
    """Return the kind of source that a new mapping names.

    Raises:
        InvalidParameterValueException: none, two, or one that Lambda does not poll.
    """
    arn = given.get("EventSourceArn")
    if given.get("SelfManagedEventSource"):
        if arn:
            raise InvalidParameterValueException(
                "EventSourceArn and SelfManagedEventSource exclude each other."
            )
        return SourceKind.SELF_MANAGED_KAFKA
    kind = kind_of(arn) if arn else None
    if kind is None:
        raise InvalidParameterValueException("Unrecognized event source.")
    return kind


def initial_settings(kind: SourceKind, given: Mapping[str, Any], *, uuid: str) -> dict[str, Any]:
    """Return all members of a new mapping: what is given, and defaults."""
    settings = merged_settings(SOURCES[kind].defaults, given, kind)
    if kind in KAFKA:
        name = kafka_config(kind)
        settings[name] = {"ConsumerGroupId": uuid, **settings.get(name, {})}
    return settings


def merged_settings(
    current: Mapping[str, Any], given: Mapping[str, Any], kind: SourceKind
) -> dict[str, Any]:
    """Return members after a change: what is given replaces what was; what is empty goes."""
    settings = {**current, **_normal(given, kind)}
    if kind in KAFKA and (config := given.get(kafka_config(kind))):
        settings[kafka_config(kind)] = {**current.get(kafka_config(kind), {}), **config}
    kept = SOURCES[kind].defaults
    return {
        name: value
        for name, value in settings.items()
        if name in kept or value not in (None, "", [], {})
    }


def _normal(given: Mapping[str, Any], kind: SourceKind) -> dict[str, Any]:
    """Return given members as AWS reads them back."""
    settings = dict(given)
    if pollers := given.get("ProvisionedPollerConfig"):
        least = 1 if kind in KAFKA else 2
        defaults = {"MinimumPollers": least, "MaximumPollers": 200}
        settings["ProvisionedPollerConfig"] = {**defaults, **pollers}
    if documents := given.get("DocumentDBEventSourceConfig"):
        settings["DocumentDBEventSourceConfig"] = {"FullDocument": "Default", **documents}
    if "DestinationConfig" in given:
        failure = (given["DestinationConfig"].get("OnFailure") or {}).get("Destination")
        settings["DestinationConfig"] = {"OnFailure": {"Destination": failure} if failure else {}}
    for name, inner in (("FilterCriteria", "Filters"), ("MetricsConfig", "Metrics")):
        if name in given and not given[name].get(inner):
            settings[name] = {}
    return settings


def kafka_config(kind: SourceKind) -> str:
    """Return the member that says how a kind of Kafka is read."""
    if kind is SourceKind.MSK:
        return "AmazonManagedKafkaEventSourceConfig"
    return "SelfManagedKafkaEventSourceConfig"
