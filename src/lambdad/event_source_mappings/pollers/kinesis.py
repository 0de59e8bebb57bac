"""Kinesis as a stream; see `streams.Stream`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdad.event_source_mappings.base import AwsApi
from lambdad.event_source_mappings.moments import with_milliseconds
from lambdad.event_source_mappings.streams import (
    AFTER,
    AT_TIMESTAMP,
    Page,
    Position,
    Shard,
    StreamRecord,
)


class KinesisStream:
    """A data stream, read by GetRecords, for a consumer of enhanced fan-out as well."""

    idle_s = 1.0
    page_max = 10_000
    batch_info = "KinesisBatchInfo"

    def __init__(self, api: AwsApi, source_arn: str, role_arn: Callable[[], str]) -> None:
        """`role_arn` returns the function's role, which records name."""
        self._api = api
        self._source_arn = source_arn
        self._stream_arn = source_arn.partition("/consumer/")[0]
        self._region = source_arn.split(":")[3]
        self._role_arn = role_arn

    async def shards(self) -> Sequence[Shard]:
        """See `streams.Stream`."""
        found: list[Shard] = []
        params: dict[str, Any] = {"StreamARN": self._stream_arn}
        while True:
            answer = await self._call("ListShards", params)
            found += map(_shard, answer.get("Shards") or ())
            token = answer.get("NextToken")
            if not token:
                return found
            params = {"NextToken": token}

    async def iterator(self, shard_id: str, position: Position) -> str:
        """See `streams.Stream`."""
        params: dict[str, Any] = {
            "StreamARN": self._stream_arn,
            "ShardId": shard_id,
            "ShardIteratorType": position.kind,
        }
        if position.kind == AFTER:
            params["StartingSequenceNumber"] = position.sequence
        if position.kind == AT_TIMESTAMP:
            params["Timestamp"] = position.timestamp_s
        answer = await self._call("GetShardIterator", params)
        return str(answer["ShardIterator"])

    async def read(self, shard_id: str, iterator: str, limit: int) -> Page:
        """See `streams.Stream`."""
        params = {"ShardIterator": iterator, "Limit": limit, "StreamARN": self._stream_arn}
        answer = await self._call("GetRecords", params)
        role_arn = self._role_arn()
        records = [self._record(shard_id, each, role_arn) for each in answer.get("Records") or ()]
        behind = (answer.get("MillisBehindLatest") or 0) > 0
        return Page(records, answer.get("NextShardIterator"), behind=behind)

    def moment(self, epoch_s: float) -> str:
        """See `streams.Stream`."""
        return with_milliseconds(epoch_s)

    def _record(self, shard_id: str, given: Mapping[str, Any], role_arn: str) -> StreamRecord:
        sequence, arrived_s = given["SequenceNumber"], given["ApproximateArrivalTimestamp"]
        own = {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": given["PartitionKey"],
            "sequenceNumber": sequence,
            "data": given["Data"],
            "approximateArrivalTimestamp": arrived_s,
        }
        record = {
            "kinesis": own,
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard_id}:{sequence}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": role_arn,
            "awsRegion": self._region,
            "eventSourceARN": self._source_arn,
        }
        return StreamRecord(
            sequence=sequence,
            key=given["PartitionKey"],
            arrived_s=float(arrived_s),
            record=record,
            document=json.dumps(record, separators=(",", ":")).encode(),
            described={**record, **own},
            data=base64.b64decode(given["Data"]),
        )

    async def _call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return await self._api.call("kinesis", self._region, operation, params)


def _shard(given: Mapping[str, Any]) -> Shard:
    parents = [given.get(name) for name in ("ParentShardId", "AdjacentParentShardId")]
    closed = given.get("SequenceNumberRange", {}).get("EndingSequenceNumber") is not None
    return Shard(shard_id=given["ShardId"], parents=[p for p in parents if p], closed=closed)
