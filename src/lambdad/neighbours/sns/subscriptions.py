"""Subscriptions: making, confirming, changing and ending them."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.sns import filters
from lambdad.neighbours.sns.deliveries import confirmation_of, web_policy
from lambdad.neighbours.sns.errors import NotFoundException, invalid
from lambdad.neighbours.sns.model import Subscription, Topic
from lambdad.neighbours.sns.service import Context, check_topic_arn, operation, paged

_PENDING = "pending confirmation"
_WEB = ("http", "https")
_MAIL = ("email", "email-json")
_AWS: Mapping[str, str] = {"firehose": "firehose", "lambda": "lambda", "sqs": "sqs"}
_ARN = re.compile(r"arn:[\w-]+:([\w-]+):[\w-]+:\d{12}:.+", re.ASCII)
_SETTABLE = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "SubscriptionRoleArn",
)


@operation("Subscribe")
async def subscribe(context: Context, params: Params) -> Result:
    """Subscribe an endpoint to a topic; a web endpoint is asked to confirm first."""
    topic = context.services.topic(check_topic_arn(params["TopicArn"]))
    protocol, endpoint = params["Protocol"], params.get("Endpoint") or ""
    _check_endpoint(topic, protocol, endpoint)
    attributes = dict(params.get("Attributes") or {})
    for name in attributes:
        _check_name(name)
    attributes = _checked(attributes)
    for each in context.services.subscriptions(topic.arn):
        if (each.protocol, each.endpoint) == (protocol, endpoint):
            if any(each.attributes.get(key) != value for key, value in attributes.items()):
                raise invalid(
                    "Attributes Reason: Subscription already exists with different attributes"
                )
            return {"SubscriptionArn": _told_arn(each, params)}
    subscription = Subscription(
        arn=f"{topic.arn}:{uuid4()}",
        topic_arn=topic.arn,
        owner=context.account_id,
        protocol=protocol,
        endpoint=endpoint,
        pending=protocol in (*_WEB, *_MAIL),
        token=secrets.token_hex(128),
        attributes=attributes,
    )
    asked = [
        confirmation_of(
            subscription, str(uuid4()), context.services.writer, context.services.now_ms()
        )
    ]
    await context.services.put_subscription(subscription, asked if protocol in _WEB else ())
    return {"SubscriptionArn": _told_arn(subscription, params)}


@operation("ConfirmSubscription")
async def confirm_subscription(context: Context, params: Params) -> Result:
    """Confirm a subscription by the token that its endpoint got."""
    topic = context.services.topic(check_topic_arn(params["TopicArn"]))
    for each in context.services.subscriptions(topic.arn):
        if secrets.compare_digest(each.token.encode(), params["Token"].encode()):
            if each.pending:
                await context.services.put_subscription(replace(each, pending=False))
            return {"SubscriptionArn": each.arn}
    raise invalid("Token")


@operation("Unsubscribe")
async def unsubscribe(context: Context, params: Params) -> Result:
    """End a subscription, if it is there."""
    arn = params["SubscriptionArn"]
    if len(arn.split(":")) != 7:
        raise invalid("SubscriptionArn Reason: An ARN must have at least 6 elements")
    try:
        await context.services.unsubscribe(context.services.subscription(arn))
    except NotFoundException:
        return {}
    return {}


@operation("GetSubscriptionAttributes")
async def get_subscription_attributes(context: Context, params: Params) -> Result:
    """Return what is set of a subscription."""
    each = context.services.subscription(params["SubscriptionArn"])
    scope = {"FilterPolicyScope": "MessageAttributes"} if each.attributes.get(_FILTER) else {}
    web = {}
    if each.protocol in _WEB:
        policy = {"healthyRetryPolicy": web_policy(each)}
        web = {"EffectiveDeliveryPolicy": json.dumps(policy)}
    return {
        "Attributes": {
            "SubscriptionArn": each.arn,
            "TopicArn": each.topic_arn,
            "Protocol": each.protocol,
            "Endpoint": each.endpoint,
            "Owner": each.owner,
            "PendingConfirmation": "true" if each.pending else "false",
            "ConfirmationWasAuthenticated": "false" if each.protocol in _WEB else "true",
            "RawMessageDelivery": "false",
            "SubscriptionPrincipal": f"arn:aws:iam::{each.owner}:root",
            **web,
            **scope,
            **each.attributes,
        }
    }


@operation("SetSubscriptionAttributes")
async def set_subscription_attributes(context: Context, params: Params) -> Result:
    """Set one attribute of a subscription; an empty text takes it back."""
    each = context.services.subscription(params["SubscriptionArn"])
    name, value = params["AttributeName"], params.get("AttributeValue") or ""
    _check_name(name)
    merged = {**each.attributes, name: value}
    attributes = _checked({key: text for key, text in merged.items() if text})
    await context.services.put_subscription(replace(each, attributes=attributes))
    return {}


@operation("ListSubscriptions")
async def list_subscriptions(context: Context, params: Params) -> Result:
    """Return the account's subscriptions."""
    found = [
        each
        for each in context.services.subscriptions()
        if each.owner == context.account_id and each.topic_arn.split(":")[3] == context.region
    ]
    page, token = paged(params, found, lambda each: each.arn)
    return {"Subscriptions": [_told(each) for each in page], "NextToken": token}


@operation("ListSubscriptionsByTopic")
async def list_subscriptions_by_topic(context: Context, params: Params) -> Result:
    """Return the subscriptions of a topic."""
    topic = context.services.topic(check_topic_arn(params["TopicArn"]))
    found = context.services.subscriptions(topic.arn)
    page, token = paged(params, found, lambda each: each.arn)
    return {"Subscriptions": [_told(each) for each in page], "NextToken": token}


_FILTER = "FilterPolicy"


def _told_arn(subscription: Subscription, params: Params) -> str:
    hidden = subscription.pending and not params.get("ReturnSubscriptionArn")
    return _PENDING if hidden else subscription.arn


def _told(each: Subscription) -> Mapping[str, str]:
    return {
        "SubscriptionArn": "PendingConfirmation" if each.pending else each.arn,
        "Owner": each.owner,
        "Protocol": each.protocol,
        "Endpoint": each.endpoint,
        "TopicArn": each.topic_arn,
    }


def _check_endpoint(topic: Topic, protocol: str, endpoint: str) -> None:
    if protocol not in (*_AWS, *_WEB, *_MAIL):
        raise invalid(f"Does not support this protocol string: {protocol}")
    if topic.fifo and protocol != "sqs":
        raise invalid(f"Invalid protocol type: {protocol}")
    if protocol in _WEB and not endpoint.startswith(f"{protocol}://"):
        raise invalid("Endpoint must match the specified protocol")
    if protocol in _MAIL and "@" not in endpoint:
        raise invalid("Email address")
    if protocol in _AWS:
        arn = _ARN.fullmatch(endpoint)
        if arn is None or arn[1] != _AWS[protocol]:
            name = {"sqs": "SQS", "lambda": "Lambda"}.get(protocol, protocol)
            raise invalid(f"{name} endpoint ARN")
    if protocol == "sqs" and endpoint.endswith(".fifo") and not topic.fifo:
        raise invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard "
            "SNS topics"
        )


def _check_name(name: str) -> None:
    if name not in _SETTABLE:
        raise invalid("AttributeName")


def _checked(attributes: dict[str, str]) -> dict[str, str]:
    """Return attributes that suit each other.

    Raises:
        InvalidParameterException: they do not.
    """
    scope = attributes.get("FilterPolicyScope", "MessageAttributes")
    if scope not in ("MessageAttributes", "MessageBody"):
        raise invalid(
            f"FilterPolicyScope: Invalid value [{scope}]. Please use either MessageBody "
            "or MessageAttributes"
        )
    if attributes.get(_FILTER):
        filters.check(attributes[_FILTER], scope)
    raw = attributes.get("RawMessageDelivery", "false").lower()
    if raw not in ("true", "false"):
        raise invalid(
            f"Attributes Reason: RawMessageDelivery: Invalid value [{raw}]. Must be true or false."
        )
    for name in ("RedrivePolicy", "DeliveryPolicy"):
        if attributes.get(name):
            _check_policy(name, attributes[name])
    return {
        **attributes,
        **({"RawMessageDelivery": raw} if "RawMessageDelivery" in attributes else {}),
    }


def _check_policy(name: str, text: str) -> None:
    try:
        policy = json.loads(text)
    except ValueError as error:
        raise invalid(f"{name}: failed to parse JSON.") from error
    if not isinstance(policy, dict):
        raise invalid(f"{name}: must be a JSON object.")
    if name == "RedrivePolicy":
        arn = _ARN.fullmatch(str(policy.get("deadLetterTargetArn", "")))
        if arn is None or arn[1] != "sqs":
            raise invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
