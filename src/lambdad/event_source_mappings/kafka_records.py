"""Kafka's records as records of an event (developer guide, "Using Lambda with Kafka"). Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdad.domain.event_source_mappings import EventSourceMapping, SourceKind
from lambdad.event_source_mappings.moments import with_milliseconds
from lambdad.event_source_mappings.streams import StreamRecord

_TIMESTAMP_TYPES = {0: "CREATE_TIME", 1: "LOG_APPEND_TIME"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaRecord:
    """A record as a client read it; `timestamp` in milliseconds, -1 where there is none."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


def partition_name(topic: str, partition: int) -> str:
    """Return what events call a partition."""
    return f"{topic}-{partition}"


def record_of(given: KafkaRecord, *, read_s: float) -> StreamRecord:
    """Return a record as it will stand in an event; `read_s` is its age's beginning without one."""
    described: dict[str, Any] = {
        "topic": given.topic,
        "partition": given.partition,
        "offset": given.offset,
        "timestamp": given.timestamp,
        "timestampType": _TIMESTAMP_TYPES.get(given.timestamp_type, "NO_TIMESTAMP_TYPE"),
    }
    record = dict(described)
    for name, value in (("key", given.key), ("value", given.value)):
        if value is not None:
            record[name] = base64.b64encode(value).decode()
    headers = [{name: _signed(value)} for name, value in given.headers]
    record["headers"] = described["headers"] = headers
    return StreamRecord(
        sequence=str(given.offset),
        key=str(given.partition),
        arrived_s=given.timestamp / 1_000 if given.timestamp >= 0 else read_s,
        record=record,
        document=json.dumps(record, separators=(",", ":")).encode(),
        described=described,
    )


def _signed(value: bytes | None) -> Sequence[int]:
    """Return bytes as Java's are: from -128 to 127."""
    return [byte - 256 if byte > 127 else byte for byte in value or b""]


class KafkaForm:
    """Of one partition; see `streams.Form`."""

    aged = False
    patience = 10
    window_s = 0.5

    def __init__(self, mapping: EventSourceMapping, servers: Sequence[str], partition: str) -> None:
        source: dict[str, Any] = {"eventSource": "SelfManagedKafka"}
        if mapping.kind is SourceKind.MSK:
            source = {
                "eventSource": "aws:kafka",
                "eventSourceArn": mapping.settings["EventSourceArn"],
            }
        source["bootstrapServers"] = ",".join(servers)
        self._source = source
        self._partition = partition
        head = json.dumps({**source, "records": {partition: []}}, separators=(",", ":"))
        self._head = head.removesuffix("]}}").encode()

    def event(self, records: Sequence[StreamRecord]) -> bytes:
        """See `streams.Form`."""
        return self._head + b",".join(each.document for each in records) + b"]}}"

    def batch(
        self, shard_id: str, records: Sequence[StreamRecord], *, alone: bool = False
    ) -> Mapping[str, Any]:
        """See `streams.Form`."""
        first, last = records[0], records[-1]
        described: dict[str, Any] = {"batchSize": len(records)}
        if arn := self._source.get("eventSourceArn"):
            described["eventSourceArn"] = arn
        described["bootstrapServers"] = self._source["bootstrapServers"]
        described["payloadSize"] = len(self.event(records))
        if alone:
            moment = with_milliseconds(first.arrived_s)
            described["recordInfo"] = {"offset": first.sequence, "timestamp": moment}
        else:
            described["recordsInfo"] = {
                shard_id: {
                    "firstRecordOffset": first.sequence,
                    "lastRecordOffset": last.sequence,
                    "firstRecordTimestamp": with_milliseconds(first.arrived_s),
                    "lastRecordTimestamp": with_milliseconds(last.arrived_s),
                }
            }
        return {"KafkaBatchInfo": described}

    def identify(self, identifier: object) -> str | None:
        """See `streams.Form`; a function names partition and offset."""
        if not isinstance(identifier, dict) or identifier.get("partition") != self._partition:
            return None
        offset = identifier.get("offset")
        return str(offset) if type(offset) is int else None
