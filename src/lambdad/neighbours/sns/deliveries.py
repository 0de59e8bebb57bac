"""From a message and a subscription to what its endpoint is to get. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.delivery.model import Delivery, Envelope
from lambdad.neighbours.sns.model import SERVICE, Message, Subscription
from lambdad.neighbours.sns.notifications import Writer

# To functions and queues.
_RETRIES, _AGE_S, _DELAY_MAX_S = 100_015, 23 * 86_400, 20.0
_WEB = {"numRetries": 3, "minDelayTarget": 20, "maxDelayTarget": 20}


def delivery_of(
    subscription: Subscription, message: Message, writer: Writer, now_ms: int
) -> Delivery:
    """Return what a subscription's endpoint is to get of a message."""
    payload = _payload(subscription, message, writer)
    options = _options(subscription, message)
    if subscription.dead_letter is not None and subscription.protocol == "lambda":
        # AWS: the queue gets what any queue would.
        options["letter"] = writer.notification(subscription, message)
    ordered = message.sequence is not None and message.group is not None
    lane = f"{subscription.arn} {message.group}" if ordered else subscription.arn
    return _delivery(subscription, payload, options, now_ms, lane=lane, ordered=ordered)


def confirmation_of(
    subscription: Subscription, message_id: str, writer: Writer, now_ms: int
) -> Delivery:
    """Return what asks a web endpoint to confirm."""
    payload = writer.confirmation(subscription, message_id, now_ms)
    options = {"headers": _headers(subscription, message_id, "SubscriptionConfirmation")}
    return _delivery(subscription, payload, options, now_ms, lane=subscription.arn, ordered=False)


def _delivery(
    subscription: Subscription,
    payload: str,
    options: Mapping[str, Any],
    now_ms: int,
    *,
    lane: str,
    ordered: bool,
) -> Delivery:
    retries, age_s, delay_s, delay_max_s = _RETRIES, _AGE_S, 1.0, _DELAY_MAX_S
    if subscription.protocol in ("http", "https"):
        policy = web_policy(subscription)
        retries = int(policy["numRetries"])
        delay_s, delay_max_s = float(policy["minDelayTarget"]), float(policy["maxDelayTarget"])
    envelope = Envelope(
        arn=subscription.endpoint,
        account_id=subscription.owner,
        source=(SERVICE, subscription.topic_arn, subscription.topic_arn.split(":")[4]),
        retries=retries,
        age_s=age_s,
        delay_s=delay_s,
        delay_max_s=delay_max_s,
        dead_letter=subscription.dead_letter,
        options=options,
    )
    return Delivery(
        lane=lane,
        ordered=ordered,
        envelope=envelope,
        payload=payload,
        accepted_ms=now_ms,
        due_ms=now_ms,
    )


def web_policy(subscription: Subscription) -> Mapping[str, Any]:
    """Return how a web endpoint is tried again."""
    text = subscription.attributes.get("DeliveryPolicy")
    own = json.loads(text).get("healthyRetryPolicy") or {} if text else {}
    return {**_WEB, **own}


def _payload(subscription: Subscription, message: Message, writer: Writer) -> str:
    if subscription.protocol == "lambda":
        return writer.for_function(subscription, message)
    if subscription.raw:
        return message.for_protocol(subscription.protocol)
    return writer.notification(subscription, message)


def _options(subscription: Subscription, message: Message) -> dict[str, Any]:
    if subscription.protocol == "lambda":
        return {} if message.trace is None else {"trace": message.trace}
    if subscription.protocol in ("http", "https"):
        headers = _headers(subscription, message.id, "Notification")
        return {"headers": {**headers, **({_RAW: "true"} if subscription.raw else {})}}
    options: dict[str, Any] = {}
    if message.group is not None:
        options["group"] = message.group
    if message.deduplication_id is not None and subscription.endpoint.endswith(".fifo"):
        options["deduplication_id"] = message.deduplication_id
    if subscription.raw and message.attributes:
        options["attributes"] = {
            name: _carried(value) for name, value in message.attributes.items()
        }
    return options


_RAW = "x-amz-sns-rawdelivery"


def _headers(subscription: Subscription, message_id: str, kind: str) -> dict[str, str]:
    own = {} if kind != "Notification" else {"x-amz-sns-subscription-arn": subscription.arn}
    return {
        "x-amz-sns-message-type": kind,
        "x-amz-sns-message-id": message_id,
        "x-amz-sns-topic-arn": subscription.topic_arn,
        **own,
    }


def _carried(attribute: Mapping[str, Any]) -> Mapping[str, Any]:
    """Binary values travel as Base64."""
    told = {name: value for name, value in attribute.items() if value is not None}
    if "BinaryValue" in told:
        told["BinaryValue"] = base64.b64encode(told["BinaryValue"]).decode()
    return told
