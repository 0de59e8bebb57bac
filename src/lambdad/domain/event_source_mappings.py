"""Event source mappings: which source is polled for which function, how, and in which state. Pure.

Decides what kind of source an ARN names and how a mapping is stored as a resource. What may be
configured is the control plane's to decide, polling the pollers'.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lambdad.domain.arns import PARTITION, FunctionKey
from lambdad.domain.resources import Resource, ResourceKey

EVENT_SOURCE_MAPPING_KIND = "event-source-mapping"


class SourceKind(StrEnum):
    """What is polled; the value goes to storage."""

    SQS = "sqs"
    SQS_FIFO = "sqs-fifo"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"
    MSK = "msk"
    SELF_MANAGED_KAFKA = "self-managed-kafka"
    MQ = "mq"
    DOCUMENTDB = "documentdb"


QUEUES = frozenset({SourceKind.SQS, SourceKind.SQS_FIFO})
STREAMS = frozenset({SourceKind.KINESIS, SourceKind.DYNAMODB})
KAFKA = frozenset({SourceKind.MSK, SourceKind.SELF_MANAGED_KAFKA})
BROKERS = KAFKA | {SourceKind.MQ}


class MappingState(StrEnum):
    """`State` of a mapping."""

    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"


SETTLED = frozenset({MappingState.ENABLED, MappingState.DISABLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSourceMapping:
    """A mapping.

    Attributes:
        qualifier: version or alias that is invoked, as the caller wrote it; None for none.
        settings: members under AWS's names (`EventSourceArn`, `BatchSize`, ...), defaults filled
            in; `StartingPositionTimestamp` in seconds since the Unix epoch.
        enabled: whether it is to be polled once its state is settled.
        last_processing_result: what the poller said last; None for sources that say nothing.
        last_modified_s: seconds since the Unix epoch.
    """

    uuid: str
    function: FunctionKey
    qualifier: str | None
    kind: SourceKind
    settings: Mapping[str, Any]
    enabled: bool
    state: MappingState
    last_processing_result: str | None
    last_modified_s: float
    tags: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""

    @property
    def arn(self) -> str:
        """Its own ARN."""
        function = self.function
        return mapping_arn(function.account_id, function.region, self.uuid)

    @property
    def function_arn(self) -> str:
        """What it invokes, qualified as the caller did."""
        return self.function.arn(self.qualifier)

    @property
    def key(self) -> ResourceKey:
        """Where it is stored."""
        return mapping_key(self.function.account_id, self.function.region, self.uuid)


_ARNS = (
    (SourceKind.SQS_FIFO, re.compile(r"arn:[^:]+:sqs:[^:]+:\d{12}:[^:/]+\.fifo")),
    (SourceKind.SQS, re.compile(r"arn:[^:]+:sqs:[^:]+:\d{12}:[^:/]+")),
    (SourceKind.KINESIS, re.compile(r"arn:[^:]+:kinesis:[^:]+:\d{12}:stream/[^/]+(/consumer/.+)?")),
    (SourceKind.DYNAMODB, re.compile(r"arn:[^:]+:dynamodb:[^:]+:\d{12}:table/[^/]+/stream/.+")),
    (SourceKind.MSK, re.compile(r"arn:[^:]+:kafka:[^:]+:\d{12}:(cluster|vpc-connection)/.+")),
    (SourceKind.MQ, re.compile(r"arn:[^:]+:mq:[^:]+:\d{12}:broker:.+")),
    (SourceKind.DOCUMENTDB, re.compile(r"arn:[^:]+:rds:[^:]+:\d{12}:cluster:.+")),
)


def kind_of(arn: str) -> SourceKind | None:
    """Return what kind of source an ARN names; None when it can be none."""
    return next((kind for kind, pattern in _ARNS if pattern.fullmatch(arn)), None)


def mapping_arn(account_id: str, region: str, uuid: str) -> str:
    """Return the ARN of a mapping."""
    return f"arn:{PARTITION}:lambda:{region}:{account_id}:event-source-mapping:{uuid}"


def mapping_key(account_id: str, region: str, uuid: str) -> ResourceKey:
    """Return the key under which a mapping is stored."""
    return ResourceKey(
        kind=EVENT_SOURCE_MAPPING_KIND, account_id=account_id, region=region, name=uuid
    )


def to_resource(mapping: EventSourceMapping) -> Resource:
    """Return a mapping as it is stored. It outlives its function, as on AWS."""
    return Resource(
        key=mapping.key,
        function=None,
        revision=mapping.revision,
        document={
            "function": mapping.function.name,
            "qualifier": mapping.qualifier,
            "kind": mapping.kind.value,
            "settings": dict(mapping.settings),
            "enabled": mapping.enabled,
            "state": mapping.state.value,
            "last_processing_result": mapping.last_processing_result,
            "last_modified_s": mapping.last_modified_s,
            "tags": dict(mapping.tags),
        },
    )


def from_resource(resource: Resource) -> EventSourceMapping:
    """Return the mapping that a stored resource describes."""
    key, document = resource.key, resource.document
    return EventSourceMapping(
        uuid=key.name,
        function=FunctionKey(
            account_id=key.account_id, region=key.region, name=document["function"]
        ),
        qualifier=document["qualifier"],
        kind=SourceKind(document["kind"]),
        settings=document["settings"],
        enabled=document["enabled"],
        state=MappingState(document["state"]),
        last_processing_result=document["last_processing_result"],
        last_modified_s=document["last_modified_s"],
        tags=document["tags"],
        revision=resource.revision,
    )
