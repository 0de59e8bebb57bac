"""How records of Kinesis and DynamoDB become events. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.event_source_mappings.batching import event_of
from lambdad.event_source_mappings.responses import as_text
from lambdad.event_source_mappings.streams import Stream, StreamRecord


class ShardForm:
    """See `streams.Form`."""

    aged = True
    patience = -1
    window_s = 0.0

    def __init__(self, stream: Stream, source_arn: str) -> None:
        self._stream = stream
        self._source_arn = source_arn

    def event(self, records: Sequence[StreamRecord]) -> bytes:
        """See `streams.Form`."""
        return event_of(records)

    def batch(
        self, shard_id: str, records: Sequence[StreamRecord], *, alone: bool = False
    ) -> Mapping[str, Any]:
        """See `streams.Form`; records are never told of alone."""
        first, last = records[0], records[-1]
        described = {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": self._stream.moment(first.arrived_s),
            "approximateArrivalOfLastRecord": self._stream.moment(last.arrived_s),
            "batchSize": len(records),
            "streamArn": self._source_arn,
        }
        return {self._stream.batch_info: described}

    def identify(self, identifier: object) -> str | None:
        """See `streams.Form`."""
        return as_text(identifier)
