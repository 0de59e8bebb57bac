"""The stream of a DynamoDB table as a stream; see `streams.Stream`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.event_source_mappings.base import AwsApi
from lambdad.event_source_mappings.moments import with_seconds
from lambdad.event_source_mappings.streams import (
    AFTER,
    AT_TIMESTAMP,
    TRIM_HORIZON,
    Page,
    Position,
    Shard,
    StreamRecord,
)


class DynamoDbStream:
    """The changes of a table."""

    idle_s = 0.25
    page_max = 1_000
    batch_info = "DDBStreamBatchInfo"

    def __init__(self, api: AwsApi, source_arn: str) -> None:
        self._api = api
        self._arn = source_arn
        self._region = source_arn.split(":")[3]

    async def shards(self) -> Sequence[Shard]:
        """See `streams.Stream`."""
        found: list[Shard] = []
        params: dict[str, Any] = {"StreamArn": self._arn}
        while True:
            answer = (await self._call("DescribeStream", params))["StreamDescription"]
            found += map(_shard, answer.get("Shards") or ())
            last = answer.get("LastEvaluatedShardId")
            if not last:
                return found
            params["ExclusiveStartShardId"] = last

    async def iterator(self, shard_id: str, position: Position) -> str:
        """See `streams.Stream`; for a timestamp, reading begins at the oldest record."""
        kind = TRIM_HORIZON if position.kind == AT_TIMESTAMP else position.kind
        params: dict[str, Any] = {
            "StreamArn": self._arn,
            "ShardId": shard_id,
            "ShardIteratorType": kind,
        }
        if kind == AFTER:
            params["SequenceNumber"] = position.sequence
        answer = await self._call("GetShardIterator", params)
        return str(answer["ShardIterator"])

    async def read(self, shard_id: str, iterator: str, limit: int) -> Page:
        """See `streams.Stream`."""
        answer = await self._call("GetRecords", {"ShardIterator": iterator, "Limit": limit})
        records = [self._record(each) for each in answer.get("Records") or ()]
        return Page(records, answer.get("NextShardIterator"))

    def moment(self, epoch_s: float) -> str:
        """See `streams.Stream`."""
        return with_seconds(epoch_s)

    def _record(self, given: Mapping[str, Any]) -> StreamRecord:
        change = given["dynamodb"]
        record: dict[str, Any] = {
            "eventID": given["eventID"],
            "eventName": given["eventName"],
            "eventVersion": given.get("eventVersion", "1.1"),
            "eventSource": "aws:dynamodb",
            "awsRegion": given.get("awsRegion", self._region),
            "dynamodb": change,
            "eventSourceARN": self._arn,
        }
        if identity := given.get("userIdentity"):
            record["userIdentity"] = {
                "type": identity.get("Type"),
                "principalId": identity.get("PrincipalId"),
            }
        return StreamRecord(
            sequence=change["SequenceNumber"],
            key=json.dumps(change.get("Keys"), sort_keys=True),
            arrived_s=float(change.get("ApproximateCreationDateTime", 0)),
            record=record,
            document=json.dumps(record, separators=(",", ":")).encode(),
            described=record,
        )

    async def _call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return await self._api.call("dynamodbstreams", self._region, operation, params)


def _shard(given: Mapping[str, Any]) -> Shard:
    parent = given.get("ParentShardId")
    closed = given.get("SequenceNumberRange", {}).get("EndingSequenceNumber") is not None
    return Shard(shard_id=given["ShardId"], parents=[parent] if parent else [], closed=closed)
