"""Streams: creating, describing, changing and deleting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.kinesis.errors import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
    ValidationException,
)
from lambdad.neighbours.kinesis.model import Stream, describe_shard
from lambdad.neighbours.kinesis.putting import AUTO
from lambdad.neighbours.kinesis.service import KINESIS, Context, limited, moment, stream_of

ON_DEMAND, PROVISIONED = "ON_DEMAND", "PROVISIONED"
_ON_DEMAND_SHARDS = 4
SHARDS_MAX = 10_000
_PAGE = 100
_RETENTION_H = (24, 8_760)
_TAGS_MAX = 50


def _fresh_settings(params: Params, mode: str) -> dict[str, Any]:
    """Return what is stored of a new stream and can be changed."""
    digits = uuid4().hex
    return {
        "mode": mode,
        "retention_hours": _RETENTION_H[0],
        "encryption": "NONE",
        "key": None,
        "tags": dict(params.get("Tags") or {}),
        "policy": None,
        "metrics": [],
        "record_kib": params.get("MaxRecordSizeInKiB") or 1_024,
        "warm": params.get("WarmThroughputMiBps"),
        "distribution": params.get("RecordDistributionStrategy") or "USER_PARTITION_KEY",
        "stream_id": f"{digits[:20]}-{digits[20:23]}",
    }


@KINESIS.operation("CreateStream")
async def create_stream(context: Context, params: Params) -> Result:
    """Create a stream; it is active when this returns."""
    mode = (params.get("StreamModeDetails") or {}).get("StreamMode", PROVISIONED)
    count = params.get("ShardCount")
    if mode == ON_DEMAND:
        if count is not None:
            raise ValidationException("Requested ShardCount for on-demand streams is not allowed.")
        count = _ON_DEMAND_SHARDS
    elif count is None:
        raise ValidationException("ShardCount must be specified for provisioned streams.")
    if count > SHARDS_MAX:
        raise LimitExceededException(
            f"This request would exceed the shard limit for the account {context.account_id} in "
            f"{context.region}. Limit: {SHARDS_MAX}. Number of additional shards that would have "
            f"resulted from this request: {count}."
        )
    settings = _fresh_settings(params, mode)
    if settings["distribution"] == AUTO and mode != ON_DEMAND:
        raise ValidationException("RecordDistributionStrategy AUTO needs an on-demand stream.")
    if len(settings["tags"]) > _TAGS_MAX:
        raise InvalidArgumentException(f"A stream has up to {_TAGS_MAX} tags.")
    key = (context.account_id, context.region, params["StreamName"])
    await context.services.create(key, settings, count)
    return {}


@KINESIS.operation("DeleteStream")
async def delete_stream(context: Context, params: Params) -> Result:
    """Delete a stream with its records; with its consumers only if that is said."""
    stream = stream_of(context, params)
    if stream.consumers and not params.get("EnforceConsumerDeletion"):
        raise ResourceInUseException(
            f"Stream {stream.name} under account {stream.account_id} has consumers. Deregister "
            "them, or set EnforceConsumerDeletion."
        )
    for consumer in list(stream.consumers.values()):
        await context.services.deregister(stream, consumer)
    await context.services.delete(stream)
    return {}


@KINESIS.operation("DescribeStream")
async def describe_stream(context: Context, params: Params) -> Result:
    """Return a stream with a page of its shards."""
    stream = stream_of(context, params)
    after = params.get("ExclusiveStartShardId") or ""
    shards = [each for each in stream.shards.values() if each.name > after]
    limit = min(limited(params, "Limit", _PAGE), _PAGE)
    described = {
        **_basics(stream),
        "Shards": [describe_shard(each) for each in shards[:limit]],
        "HasMoreShards": len(shards) > limit,
    }
    return {"StreamDescription": described}


@KINESIS.operation("DescribeStreamSummary")
async def describe_stream_summary(context: Context, params: Params) -> Result:
    """Return a stream without its shards."""
    stream = stream_of(context, params)
    settings = stream.settings
    warm = settings["warm"]
    described = {
        **_basics(stream),
        "StreamId": settings["stream_id"],
        "OpenShardCount": len(stream.open_shards),
        "ConsumerCount": len(stream.consumers),
        "MaxRecordSizeInKiB": settings["record_kib"],
        "WarmThroughput": None if warm is None else {"TargetMiBps": warm, "CurrentMiBps": warm},
        "RecordDistributionStrategy": settings["distribution"],
    }
    return {"StreamDescriptionSummary": described}


def _basics(stream: Stream) -> Mapping[str, Any]:
    settings = stream.settings
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": settings["mode"]},
        "RetentionPeriodHours": settings["retention_hours"],
        "StreamCreationTimestamp": moment(stream.created_ms),
        "EnhancedMonitoring": [{"ShardLevelMetrics": settings["metrics"]}],
        "EncryptionType": settings["encryption"],
        "KeyId": settings["key"],
    }


def _mine(context: Context) -> Sequence[Stream]:
    mine = (context.account_id, context.region)
    found = [each for each in context.services.all() if each.key[:2] == mine]
    return sorted(found, key=lambda stream: stream.name)


@KINESIS.operation("ListStreams")
async def list_streams(context: Context, params: Params) -> Result:
    """Return the caller's streams in this region, by name; a token is the last name before."""
    after = params.get("NextToken") or params.get("ExclusiveStartStreamName") or ""
    found = [each for each in _mine(context) if each.name > after]
    limit = limited(params, "Limit", _PAGE)
    page = found[:limit]
    more = len(found) > len(page)
    summaries = [
        {
            "StreamName": each.name,
            "StreamARN": each.arn,
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": each.settings["mode"]},
            "StreamCreationTimestamp": moment(each.created_ms),
        }
        for each in page
    ]
    return {
        "StreamNames": [each.name for each in page],
        "HasMoreStreams": more,
        "NextToken": page[-1].name if more else None,
        "StreamSummaries": summaries,
    }


@KINESIS.operation("DescribeLimits")
async def describe_limits(context: Context, params: Params) -> Result:
    """Return how many shards and streams there are and may be."""
    mine = _mine(context)
    provisioned = [each for each in mine if each.settings["mode"] == PROVISIONED]
    return {
        "ShardLimit": SHARDS_MAX,
        "OpenShardCount": sum(len(each.open_shards) for each in provisioned),
        "OnDemandStreamCount": len(mine) - len(provisioned),
        "OnDemandStreamCountLimit": SHARDS_MAX,
    }


@KINESIS.operation("IncreaseStreamRetentionPeriod")
async def increase_retention(context: Context, params: Params) -> Result:
    """Keep records longer."""
    await _set_retention(context, params, longer=True)
    return {}


@KINESIS.operation("DecreaseStreamRetentionPeriod")
async def decrease_retention(context: Context, params: Params) -> Result:
    """Keep records less long; older ones cannot be read from now on."""
    await _set_retention(context, params, longer=False)
    return {}


async def _set_retention(context: Context, params: Params, *, longer: bool) -> None:
    stream, hours = stream_of(context, params), params["RetentionPeriodHours"]
    now = stream.settings["retention_hours"]
    least, most = _RETENTION_H
    if not least <= hours <= most:
        raise InvalidArgumentException(
            f"{'Maximum' if hours > most else 'Minimum'} allowed retention period is "
            f"{most if hours > most else least} hours. Requested retention period ({hours} hours) "
            f"is too {'long' if hours > most else 'short'}."
        )
    if (hours < now) if longer else (hours > now):
        raise InvalidArgumentException(
            f"Requested retention period ({hours} hours) for stream {stream.name} can not be "
            f"{'shorter' if longer else 'longer'} than existing retention period ({now} hours). "
            f"Use {'Decrease' if longer else 'Increase'}RetentionPeriod API."
        )
    await context.services.change(stream, retention_hours=hours)


@KINESIS.operation("UpdateStreamMode")
async def update_stream_mode(context: Context, params: Params) -> Result:
    """Say whether the shards are counted or come by themselves; they stay as they are."""
    stream = stream_of(context, params)
    mode = params["StreamModeDetails"]["StreamMode"]
    if stream.settings["distribution"] == AUTO and mode != ON_DEMAND:
        raise ValidationException("RecordDistributionStrategy AUTO needs an on-demand stream.")
    await context.services.change(stream, mode=mode)
    return {}


@KINESIS.operation("StartStreamEncryption")
async def start_stream_encryption(context: Context, params: Params) -> Result:
    """Store that a stream is encrypted, and with which key."""
    if params["EncryptionType"] != "KMS":
        raise InvalidArgumentException("EncryptionType must be KMS to start encryption.")
    stream = stream_of(context, params)
    await context.services.change(stream, encryption="KMS", key=params["KeyId"])
    return {}


@KINESIS.operation("StopStreamEncryption")
async def stop_stream_encryption(context: Context, params: Params) -> Result:
    """Store that a stream is not encrypted any more."""
    await context.services.change(stream_of(context, params), encryption="NONE", key=None)
    return {}


@KINESIS.operation("UpdateMaxRecordSize")
async def update_max_record_size(context: Context, params: Params) -> Result:
    """Say how large records may be."""
    stream = stream_of(context, params)
    await context.services.change(stream, record_kib=params["MaxRecordSizeInKiB"])
    return {}


@KINESIS.operation("UpdateStreamRecordDistributionStrategy")
async def update_record_distribution(context: Context, params: Params) -> Result:
    """Say whether records need a partition key."""
    stream, wanted = stream_of(context, params), params["RecordDistributionStrategy"]
    if wanted == AUTO and stream.settings["mode"] != ON_DEMAND:
        raise ValidationException("RecordDistributionStrategy AUTO needs an on-demand stream.")
    await context.services.change(stream, distribution=wanted)
    return {}


@KINESIS.operation("UpdateStreamWarmThroughput")
async def update_warm_throughput(context: Context, params: Params) -> Result:
    """Store how much a stream should be ready for."""
    stream, wanted = stream_of(context, params), params["WarmThroughputMiBps"]
    await context.services.change(stream, warm=wanted)
    throughput = {"TargetMiBps": wanted, "CurrentMiBps": wanted}
    return {
        "StreamARN": stream.arn,
        "StreamName": stream.name,
        "WarmThroughput": throughput,
    }


_METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
)


@KINESIS.operation("EnableEnhancedMonitoring")
async def enable_enhanced_monitoring(context: Context, params: Params) -> Result:
    """Store which metrics of shards are wanted."""
    stream = stream_of(context, params)
    chosen = set(_metrics(params)) | set(stream.settings["metrics"])
    return await _monitor(context, stream, chosen)


@KINESIS.operation("DisableEnhancedMonitoring")
async def disable_enhanced_monitoring(context: Context, params: Params) -> Result:
    """Store which metrics of shards are not wanted any more."""
    stream = stream_of(context, params)
    return await _monitor(context, stream, set(stream.settings["metrics"]) - set(_metrics(params)))


def _metrics(params: Params) -> Sequence[str]:
    wanted = params["ShardLevelMetrics"]
    return _METRICS if "ALL" in wanted else wanted


async def _monitor(context: Context, stream: Stream, wanted: set[str]) -> Result:
    before = stream.settings["metrics"]
    after = [each for each in _METRICS if each in wanted]
    await context.services.change(stream, metrics=after)
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "CurrentShardLevelMetrics": before,
        "DesiredShardLevelMetrics": after,
    }
