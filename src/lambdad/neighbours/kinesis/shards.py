"""Shards: listing, splitting and merging them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.kinesis.errors import (
    ExpiredNextTokenException,
    InvalidArgumentException,
    LimitExceededException,
    ValidationException,
)
from lambdad.neighbours.kinesis.model import (
    ITERATOR_MS,
    Shard,
    Stream,
    describe_shard,
    hash_ranges,
    position_at,
)
from lambdad.neighbours.kinesis.service import (
    KINESIS,
    Context,
    epoch_ms,
    limited,
    shard_of,
    stream_of,
)
from lambdad.neighbours.kinesis.streams import ON_DEMAND, SHARDS_MAX

_PAGE = 1_000


@KINESIS.operation("ListShards")
async def list_shards(context: Context, params: Params) -> Result:
    """Return a page of a stream's shards, those that a filter wants."""
    now_ms = context.services.now_ms()
    token = params.get("NextToken")
    if token is not None:
        if any(params.get(each) for each in ("StreamName", "StreamARN", "ExclusiveStartShardId")):
            raise InvalidArgumentException("NextToken and StreamName cannot be provided together.")
        state = _read_token(token, now_ms)
        stream = context.services.find_id(state["stream"])
        if stream is None or stream.account_id != context.account_id:
            raise InvalidArgumentException("NextToken is invalid.")
    else:
        stream = stream_of(context, params)
        after = params.get("ExclusiveStartShardId")
        number = -1 if after is None else shard_of(stream, after).number
        state = {"after": number, "filter": _plain(params.get("ShardFilter"))}
    chosen = [each for each in _filtered(stream, state["filter"]) if each.number > state["after"]]
    limit = limited(params, "MaxResults", _PAGE)
    page = chosen[:limit]
    following = None
    if len(chosen) > len(page):
        again = {**state, "stream": stream.id, "after": page[-1].number, "made": now_ms}
        following = base64.b64encode(json.dumps(again).encode()).decode()
    return {"Shards": [describe_shard(each) for each in page], "NextToken": following}


def _plain(wanted: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a filter as it can stand in a token."""
    if wanted is None:
        return None
    time = wanted.get("Timestamp")
    if wanted["Type"].endswith("TIMESTAMP") and time is None:
        raise InvalidArgumentException("A filter by timestamp needs a Timestamp.")
    if wanted["Type"] == "AFTER_SHARD_ID" and wanted.get("ShardId") is None:
        raise InvalidArgumentException("The filter AFTER_SHARD_ID needs a ShardId.")
    return {
        "type": wanted["Type"],
        "shard": wanted.get("ShardId"),
        "time": None if time is None else epoch_ms(time),
    }


def _read_token(token: str, now_ms: int) -> Mapping[str, Any]:
    try:
        state: dict[str, Any] = json.loads(base64.b64decode(token, validate=True))
        made = int(state["made"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise InvalidArgumentException("NextToken is invalid.") from error
    if now_ms - made > ITERATOR_MS:
        raise ExpiredNextTokenException("NextToken has expired.")
    return state


def _filtered(stream: Stream, wanted: Mapping[str, Any] | None) -> Sequence[Shard]:
    shards = list(stream.shards.values())
    kind = None if wanted is None else wanted["type"]
    if wanted is None or kind == "FROM_TRIM_HORIZON":
        return shards
    if kind == "AFTER_SHARD_ID":
        number = shard_of(stream, wanted["shard"]).number
        return [each for each in shards if each.number > number]
    if kind == "AT_LATEST":
        return [each for each in shards if each.open]
    time_ms = wanted["time"] if kind != "AT_TRIM_HORIZON" else stream.created_ms
    if kind == "AT_TRIM_HORIZON":
        oldest = min((each.first_position for each in shards), default=0)
        position = max(oldest, position_at(time_ms))
    else:
        position = max(position_at(time_ms), position_at(stream.created_ms))
    ends = _ends(stream)
    if kind == "FROM_TIMESTAMP":
        return [each for each in shards if ends.get(each.number, position) >= position]
    return [
        each
        for each in shards
        if each.first_position <= position <= ends.get(each.number, position)
    ]


def _ends(stream: Stream) -> Mapping[int, int]:
    """Return, of closed shards, when their children took over."""
    ends = {
        each.number: each.last_position
        for each in stream.shards.values()
        if each.last_position is not None
    }
    for each in stream.shards.values():
        for parent in (each.parent, each.adjacent_parent):
            if parent in ends:
                ends[parent] = each.first_position - 1
    return ends


@KINESIS.operation("SplitShard")
async def split_shard(context: Context, params: Params) -> Result:
    """Replace a shard by two, that share its hash keys."""
    stream = stream_of(context, params)
    async with stream.changing:
        shard = shard_of(stream, params["ShardToSplit"])
        _check_open(stream, shard)
        middle = int(params["NewStartingHashKey"])
        if not shard.first_hash < middle <= shard.last_hash:
            raise InvalidArgumentException(
                f"NewStartingHashKey {middle} used in SplitShard() on shard {shard.name} in stream "
                f"{stream.name} under account {stream.account_id} is not both greater than one "
                f"plus the shard's StartingHashKey {shard.first_hash} and less than the shard's "
                f"EndingHashKey {shard.last_hash}."
            )
        _check_limit(context, stream, 1)
        await _replace(
            context,
            stream,
            [shard],
            [(shard.first_hash, middle - 1), (middle, shard.last_hash)],
        )
    return {}


@KINESIS.operation("MergeShards")
async def merge_shards(context: Context, params: Params) -> Result:
    """Replace two shards next to each other by one."""
    stream = stream_of(context, params)
    async with stream.changing:
        first = shard_of(stream, params["ShardToMerge"])
        second = shard_of(stream, params["AdjacentShardToMerge"])
        _check_open(stream, first)
        _check_open(stream, second)
        lower, upper = sorted((first, second), key=lambda each: each.first_hash)
        if lower.last_hash + 1 != upper.first_hash:
            raise InvalidArgumentException(
                f"Shards {first.name} and {second.name} in stream {stream.name} under account "
                f"{stream.account_id} are not an adjacent pair of shards eligible for merging"
            )
        await _replace(context, stream, [first, second], [(lower.first_hash, upper.last_hash)])
    return {}


@KINESIS.operation("UpdateShardCount")
async def update_shard_count(context: Context, params: Params) -> Result:
    """Replace the open shards by another number of equal ones."""
    stream, wanted = stream_of(context, params), params["TargetShardCount"]
    async with stream.changing:
        if stream.settings["mode"] == ON_DEMAND:
            raise ValidationException(
                f"Request is invalid. Stream {stream.name} is in on-demand mode."
            )
        current = len(stream.open_shards)
        if wanted > 2 * current or 2 * wanted < current:
            raise InvalidArgumentException(
                f"UpdateShardCount cannot scale {'up over double' if wanted > current else ''}"
                f"{'down below half' if wanted < current else ''} your current open shard count. "
                f"Current open shard count: {current} Target shard count: {wanted}"
            )
        _check_limit(context, stream, wanted - current)
        if wanted != current:
            await _resize(context, stream, wanted)
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "CurrentShardCount": current,
        "TargetShardCount": wanted,
    }


async def _resize(context: Context, stream: Stream, wanted: int) -> None:
    """Close what has other ranges than wanted; each new shard names up to two parents.

    AWS comes to the same ranges by splits and merges one after the other.
    """
    ranges = hash_ranges(wanted)
    kept = {(each.first_hash, each.last_hash) for each in stream.open_shards} & set(ranges)
    closing = [each for each in stream.open_shards if (each.first_hash, each.last_hash) not in kept]
    await _replace(context, stream, closing, [each for each in ranges if each not in kept])


async def _replace(
    context: Context,
    stream: Stream,
    closing: Sequence[Shard],
    ranges: Sequence[tuple[int, int]],
) -> None:
    number = max(stream.shards) + 1
    opening = []
    for index, (first, last) in enumerate(ranges):
        parents = [
            each.number for each in closing if each.first_hash <= last and each.last_hash >= first
        ]
        opening.append(
            Shard(
                id=0,
                number=number + index,
                first_hash=first,
                last_hash=last,
                parent=parents[0],
                adjacent_parent=parents[1] if len(parents) > 1 else None,
                first_position=0,
            )
        )
    await context.services.reshard(stream, closing, opening)


def _check_open(stream: Stream, shard: Shard) -> None:
    if not shard.open:
        raise InvalidArgumentException(
            f"Shard {shard.name} in stream {stream.name} under account {stream.account_id} is not "
            "open: it has been split or merged."
        )


def _check_limit(context: Context, stream: Stream, more: int) -> None:
    if len(stream.open_shards) + more > SHARDS_MAX:
        raise LimitExceededException(
            f"This request would exceed the shard limit for the account {context.account_id} in "
            f"{context.region}. Limit: {SHARDS_MAX}."
        )
