"""Tags of streams and consumers, and their resource policies, which are kept and not applied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.kinesis.errors import (
    InvalidArgumentException,
    ResourceNotFoundException,
    no_stream,
)
from lambdad.neighbours.kinesis.model import Consumer, Stream
from lambdad.neighbours.kinesis.service import KINESIS, Context, consumer_of, limited, stream_of

_TAGS_MAX = 50


@KINESIS.operation("AddTagsToStream")
async def add_tags_to_stream(context: Context, params: Params) -> Result:
    """Add tags to a stream, or give some another value."""
    await _tag(context, stream_of(context, params), params["Tags"])
    return {}


@KINESIS.operation("RemoveTagsFromStream")
async def remove_tags_from_stream(context: Context, params: Params) -> Result:
    """Take tags away from a stream."""
    await _untag(context, stream_of(context, params), params["TagKeys"])
    return {}


@KINESIS.operation("ListTagsForStream")
async def list_tags_for_stream(context: Context, params: Params) -> Result:
    """Return a page of a stream's tags, by key."""
    tags = stream_of(context, params).settings["tags"]
    after = params.get("ExclusiveStartTagKey") or ""
    found = sorted((key, value) for key, value in tags.items() if key > after)
    page = found[: limited(params, "Limit", _TAGS_MAX)]
    return {
        "Tags": [{"Key": key, "Value": value} for key, value in page],
        "HasMoreTags": len(found) > len(page),
    }


@KINESIS.operation("TagResource")
async def tag_resource(context: Context, params: Params) -> Result:
    """Add tags to a stream or consumer."""
    await _tag(context, _resource(context, params["ResourceARN"]), params["Tags"])
    return {}


@KINESIS.operation("UntagResource")
async def untag_resource(context: Context, params: Params) -> Result:
    """Take tags away from a stream or consumer."""
    await _untag(context, _resource(context, params["ResourceARN"]), params["TagKeys"])
    return {}


@KINESIS.operation("ListTagsForResource")
async def list_tags_for_resource(context: Context, params: Params) -> Result:
    """Return the tags of a stream or consumer."""
    tags = _resource(context, params["ResourceARN"]).settings["tags"]
    return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}


@KINESIS.operation("PutResourcePolicy")
async def put_resource_policy(context: Context, params: Params) -> Result:
    """Store the policy of a stream or consumer."""
    resource = _resource(context, params["ResourceARN"])
    try:
        whole = isinstance(json.loads(params["Policy"]), dict)
    except ValueError:
        whole = False
    if not whole:
        raise InvalidArgumentException("The policy is no JSON object.")
    await _change(context, resource, policy=params["Policy"])
    return {}


@KINESIS.operation("GetResourcePolicy")
async def get_resource_policy(context: Context, params: Params) -> Result:
    """Return the policy of a stream or consumer; empty if it has none."""
    policy = _resource(context, params["ResourceARN"]).settings.get("policy")
    return {"Policy": policy or "{}"}


@KINESIS.operation("DeleteResourcePolicy")
async def delete_resource_policy(context: Context, params: Params) -> Result:
    """Forget the policy of a stream or consumer."""
    resource = _resource(context, params["ResourceARN"])
    if resource.settings.get("policy") is None:
        raise ResourceNotFoundException(f"{params['ResourceARN']} has no policy.")
    await _change(context, resource, policy=None)
    return {}


def _resource(context: Context, arn: str) -> Stream | Consumer:
    if "/consumer/" in arn:
        return consumer_of(context, {"ConsumerARN": arn})[1]
    stream = context.services.by_arn(arn)
    if stream is None:
        raise no_stream(arn.rpartition("/")[2], context.account_id)
    return stream


async def _tag(context: Context, resource: Stream | Consumer, wanted: Mapping[str, str]) -> None:
    tags = {**resource.settings["tags"], **wanted}
    if len(tags) > _TAGS_MAX:
        raise InvalidArgumentException(
            f"Failed to add tags to {resource.name}: it would have more than {_TAGS_MAX} tags."
        )
    await _change(context, resource, tags=tags)


async def _untag(context: Context, resource: Stream | Consumer, keys: list[str]) -> None:
    tags = {key: value for key, value in resource.settings["tags"].items() if key not in keys}
    await _change(context, resource, tags=tags)


async def _change(context: Context, resource: Stream | Consumer, **settings: Any) -> None:
    if isinstance(resource, Stream):
        await context.services.change(resource, **settings)
    else:
        await context.services.change_consumer(resource, **settings)
