"""What an event source mapping may be configured to, beyond the service model. Pure.

Every refusal has AWS's own text where one is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.controlplane.broker_validation import check_access
from lambdad.controlplane.event_sources import SOURCES
from lambdad.domain.errors import InvalidParameterValueException, ValidationException
from lambdad.domain.event_source_mappings import BROKERS, KAFKA, QUEUES, SourceKind
from lambdad.domain.filter_patterns import InvalidPattern, parse_pattern

Settings = Mapping[str, Any]

_FILTERS_MAX = 10
_RECORD_AGE_S_MIN = 60
_WINDOWLESS_BATCH_MAX = 10
_SQS_POLLERS_MIN = 2
# In the order of AWS's own message.
_POSITIONS = ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON")
_NEEDS_PROVISIONED_POLLERS = (
    "BisectBatchOnFunctionError",
    "FunctionResponseTypes",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
)
_FAILURE_SERVICES = frozenset({"sqs", "sns", "s3"})


def check_position_name(position: str | None) -> None:
    """Refuse a `StartingPosition` that is none of the model's, naming them in AWS's order."""
    if position is not None and position not in _POSITIONS:
        raise ValidationException(
            f"1 validation error detected: Value '{position}' at 'startingPosition' failed to "
            f"satisfy constraint: Member must satisfy enum value set: [{', '.join(_POSITIONS)}]"
        )


def check_success_destination(given: Settings) -> None:
    """Refuse a destination for successes: mappings have only one for failures."""
    if "OnSuccess" in (given.get("DestinationConfig") or {}):
        raise _unsupported("DestinationConfig")


def check_new(kind: SourceKind, given: Settings, *, now_s: float) -> None:
    """Refuse what a new mapping must not or must have, in AWS's order.

    Raises:
        InvalidParameterValueException: see the texts.
    """
    source = SOURCES[kind]
    if kind in QUEUES and given.get("StartingPosition"):
        raise InvalidParameterValueException("StartingPosition is not valid for SQS event sources.")
    for name in source.required:
        if not given.get(name):
            raise InvalidParameterValueException(
                f"Required '{name[0].lower()}{name[1:]}' parameter is missing."
            )
    if source.positions:
        _check_position(kind, given, now_s)
    check_given(kind, given)


def check_given(kind: SourceKind, given: Settings) -> None:
    """Refuse members that this kind of source does not have."""
    members = SOURCES[kind].members
    for name, value in given.items():
        if name not in members and value not in (None, "", [], {}):
            raise _unsupported(name)


def check_settings(kind: SourceKind, settings: Settings) -> None:
    """Refuse members that contradict each other; `settings` are all of a mapping's.

    Raises:
        InvalidParameterValueException: see the texts.
    """
    _check_batch(kind, settings)
    _check_filters(kind, settings)
    _check_retries(kind, settings)
    _check_destination(kind, settings)
    _check_pollers(kind, settings)
    if kind in BROKERS:
        check_access(kind, settings)


def _check_position(kind: SourceKind, given: Settings, now_s: float) -> None:
    position, timestamp = given.get("StartingPosition"), given.get("StartingPositionTimestamp")
    if position is None:
        raise InvalidParameterValueException(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null."
        )
    if position not in SOURCES[kind].positions:
        raise InvalidParameterValueException(
            f"Unsupported starting position for arn type: {given.get('EventSourceArn')}"
        )
    if position != "AT_TIMESTAMP":
        if timestamp is not None:
            raise InvalidParameterValueException(
                "Timestamp only valid with StartingPosition AT_TIMESTAMP"
            )
        return
    if timestamp is None:
        raise InvalidParameterValueException(
            "StartingPosition AT_TIMESTAMP requires StartingPositionTimestamp."
        )
    if timestamp < 0:
        raise InvalidParameterValueException(
            "Received Exception while reading from provided stream. class java.lang.Long can not "
            "be converted to a Timestamp"
        )
    if timestamp > now_s:
        raise InvalidParameterValueException("StartingPositionTimestamp must not be in the future.")


def _check_batch(kind: SourceKind, settings: Settings) -> None:
    size = settings.get("BatchSize", 0)
    window = settings.get("MaximumBatchingWindowInSeconds", 0)
    if size > SOURCES[kind].batch_max:
        raise InvalidParameterValueException(
            f"BatchSize must be less than or equal to {SOURCES[kind].batch_max} for FIFO queues."
        )
    if kind is SourceKind.SQS_FIFO and window:
        raise InvalidParameterValueException("Batching window is not supported for FIFO queues.")
    if kind is SourceKind.SQS and size > _WINDOWLESS_BATCH_MAX and not window:
        raise InvalidParameterValueException(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        )


def _check_filters(kind: SourceKind, settings: Settings) -> None:
    filters = (settings.get("FilterCriteria") or {}).get("Filters") or ()
    if len(filters) > _FILTERS_MAX:
        raise InvalidParameterValueException(
            f"An event source mapping can have at most {_FILTERS_MAX} filters."
        )
    data_key = {SourceKind.KINESIS: "data", SourceKind.DYNAMODB: "dynamodb"}.get(kind)
    for entry in filters:
        try:
            pattern = parse_pattern(entry.get("Pattern") or "")
        except InvalidPattern as error:
            raise InvalidParameterValueException("Invalid filter pattern definition.") from error
        # Records of streams are objects: a pattern for a plain text can match none of them.
        if isinstance(pattern.get(data_key or ""), list):
            raise InvalidParameterValueException("Invalid filter pattern definition.")


def _check_retries(kind: SourceKind, settings: Settings) -> None:
    age = settings.get("MaximumRecordAgeInSeconds", -1)
    if -1 < age < _RECORD_AGE_S_MIN:
        raise InvalidParameterValueException(
            f"MaximumRecordAgeInSeconds must be -1 or greater than or equal to {_RECORD_AGE_S_MIN}."
        )
    if kind in KAFKA and not settings.get("ProvisionedPollerConfig"):
        for name in _NEEDS_PROVISIONED_POLLERS:
            if settings.get(name) not in (None, False, [], -1):
                raise InvalidParameterValueException(
                    f"{name} is supported for Kafka event sources only with "
                    "ProvisionedPollerConfig."
                )


def _check_destination(kind: SourceKind, settings: Settings) -> None:
    failure = (settings.get("DestinationConfig") or {}).get("OnFailure") or {}
    arn = failure.get("Destination")
    if not arn:
        return
    if arn.startswith("kafka://"):
        if kind not in KAFKA:
            raise _invalid_destination(arn)
        if arn.removeprefix("kafka://") in (settings.get("Topics") or ()):
            raise InvalidParameterValueException(
                "The on-failure destination topic must differ from the topic of the event source."
            )
        if not settings.get("ProvisionedPollerConfig"):
            raise InvalidParameterValueException(
                "A Kafka on-failure destination is supported only with ProvisionedPollerConfig."
            )
    elif arn.split(":", 3)[2] not in _FAILURE_SERVICES:
        raise _invalid_destination(arn)


def _check_pollers(kind: SourceKind, settings: Settings) -> None:
    pollers = settings.get("ProvisionedPollerConfig")
    if not pollers:
        return
    if settings.get("ScalingConfig"):
        raise InvalidParameterValueException(
            "ScalingConfig and ProvisionedPollerConfig exclude each other."
        )
    if pollers["MinimumPollers"] > pollers["MaximumPollers"]:
        raise InvalidParameterValueException(
            "MinimumPollers must be less than or equal to MaximumPollers."
        )
    if kind in QUEUES and pollers["MinimumPollers"] < _SQS_POLLERS_MIN:
        raise InvalidParameterValueException(
            f"MinimumPollers must be at least {_SQS_POLLERS_MIN} for SQS event sources."
        )


def _unsupported(name: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(
        f"Unsupported {name} parameter for given event source mapping type."
    )


def _invalid_destination(arn: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(f"The destination ARN {arn} is invalid.")
