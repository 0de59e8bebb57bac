"""Topics, their attributes and tags."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.sns.errors import (
    NotFoundException,
    ResourceNotFoundException,
    TagLimitExceededException,
    invalid,
)
from lambdad.neighbours.sns.model import Topic
from lambdad.neighbours.sns.parts import with_attributes
from lambdad.neighbours.sns.service import Context, check_topic_arn, operation, paged

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}|[A-Za-z0-9_-]{1,251}\.fifo", re.ASCII)
_TAGS_MAX = 50
_JSON = ("Policy", "DeliveryPolicy", "ArchivePolicy", "DataProtectionPolicy")
_FIFO = ("ContentBasedDeduplication", "FifoThroughputScope")
_SETTABLE = {
    *_JSON,
    *_FIFO,
    "DisplayName",
    "KmsMasterKeyId",
    "SignatureVersion",
    "TracingConfig",
    *(
        f"{protocol}{what}"
        for protocol in ("Application", "Firehose", "HTTP", "Lambda", "SQS")
        for what in (
            "SuccessFeedbackRoleArn",
            "SuccessFeedbackSampleRate",
            "FailureFeedbackRoleArn",
        )
    ),
}
_DELIVERY = {
    "http": {
        "defaultHealthyRetryPolicy": {
            "minDelayTarget": 20,
            "maxDelayTarget": 20,
            "numRetries": 3,
            "numMaxDelayRetries": 0,
            "numNoDelayRetries": 0,
            "numMinDelayRetries": 0,
            "backoffFunction": "linear",
        },
        "disableSubscriptionOverrides": False,
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"},
    }
}


@operation("CreateTopic")
async def create_topic(context: Context, params: Params) -> Result:
    """Make a topic, or return the one that is there and has the same attributes."""
    name, given = params["Name"], dict(params.get("Attributes") or {})
    fifo = given.pop("FifoTopic", "false").lower() == "true"
    if _NAME.fullmatch(name) is None or (name.endswith(".fifo") and not fifo):
        raise invalid("Topic Name")
    if fifo and not name.endswith(".fifo"):
        raise invalid(
            "Fifo Topic names must end with .fifo and must be made up of only uppercase "
            "and lowercase ASCII letters, numbers, underscores, and hyphens, and must be "
            "between 1 and 256 characters long."
        )
    empty = Topic(
        account_id=context.account_id,
        region=context.region,
        name=name,
        attributes={"FifoTopic": "true", "ContentBasedDeduplication": "false"} if fifo else {},
        tags=_tags(params),
    )
    topic = with_attributes(empty, _checked(given, fifo=fifo))
    try:
        existing = context.services.topic(topic.arn)
    except NotFoundException:
        await context.services.put(topic)
        return {"TopicArn": topic.arn}
    if any(existing.attributes.get(key) != value for key, value in given.items()):
        raise invalid("Attributes Reason: Topic already exists with different attributes")
    if topic.tags and topic.tags != existing.tags:
        raise invalid("Tags Reason: Topic already exists with different tags")
    return {"TopicArn": topic.arn}


@operation("DeleteTopic")
async def delete_topic(context: Context, params: Params) -> Result:
    """Delete a topic with its subscriptions, if it is there."""
    try:
        await context.services.remove(_topic(context, params))
    except NotFoundException:
        return {}
    return {}


@operation("ListTopics")
async def list_topics(context: Context, params: Params) -> Result:
    """Return the ARNs of the account's topics."""
    found = [
        topic.arn
        for topic in context.services.topics()
        if (topic.account_id, topic.region) == (context.account_id, context.region)
    ]
    page, token = paged(params, found, lambda arn: arn)
    return {"Topics": [{"TopicArn": arn} for arn in page], "NextToken": token}


@operation("GetTopicAttributes")
async def get_topic_attributes(context: Context, params: Params) -> Result:
    """Return what is set of a topic and what is counted of it."""
    topic = _topic(context, params)
    subscriptions = context.services.subscriptions(topic.arn)
    pending = sum(each.pending for each in subscriptions)
    return {
        "Attributes": {
            "TopicArn": topic.arn,
            "Owner": topic.account_id,
            "Policy": json.dumps(topic.policy, separators=(",", ":")),
            "DisplayName": "",
            "SubscriptionsPending": str(pending),
            "SubscriptionsConfirmed": str(len(subscriptions) - pending),
            "SubscriptionsDeleted": "0",
            "EffectiveDeliveryPolicy": json.dumps(_DELIVERY, separators=(",", ":")),
            **topic.attributes,
        }
    }


@operation("SetTopicAttributes")
async def set_topic_attributes(context: Context, params: Params) -> Result:
    """Set one attribute of a topic."""
    topic = _topic(context, params)
    given = {params["AttributeName"]: params.get("AttributeValue") or ""}
    await context.services.put(with_attributes(topic, _checked(given, fifo=topic.fifo)))
    return {}


@operation("ListTagsForResource")
async def list_tags_for_resource(context: Context, params: Params) -> Result:
    """Return a topic's tags."""
    tags = _tagged(context, params).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@operation("TagResource")
async def tag_resource(context: Context, params: Params) -> Result:
    """Add tags to a topic, or give some another value."""
    topic = _tagged(context, params)
    tags = {**topic.tags, **_tags(params)}
    if len(tags) > _TAGS_MAX:
        raise TagLimitExceededException(
            "Could not complete request: tag quota of per resource exceeded"
        )
    await context.services.put(replace(topic, tags=tags))
    return {}


@operation("UntagResource")
async def untag_resource(context: Context, params: Params) -> Result:
    """Take tags from a topic."""
    topic, gone = _tagged(context, params), set(params["TagKeys"])
    kept = {key: value for key, value in topic.tags.items() if key not in gone}
    await context.services.put(replace(topic, tags=kept))
    return {}


def _topic(context: Context, params: Params) -> Topic:
    return context.services.topic(check_topic_arn(params["TopicArn"]))


def _tagged(context: Context, params: Params) -> Topic:
    try:
        return context.services.topic(params["ResourceArn"])
    except NotFoundException as error:
        raise ResourceNotFoundException("Resource does not exist") from error


def _tags(params: Params) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in params.get("Tags") or ()}


def _checked(given: Mapping[str, str], *, fifo: bool) -> Mapping[str, str]:
    for name, value in given.items():
        if name not in _SETTABLE or (name in _FIFO and not fifo):
            raise invalid(
                f"Attributes Reason: Unknown attribute {name}"
                if name not in _FIFO
                else f"Attributes Reason: {name} is for FIFO topics"
            )
        if name in _JSON and value:
            try:
                json.loads(value)
            except ValueError as error:
                raise invalid(f"{name}: failed to parse JSON.") from error
    return given
