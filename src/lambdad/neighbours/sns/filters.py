"""Which messages a subscription wants: filter policies. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdad.domain import event_patterns
from lambdad.neighbours import patterns
from lambdad.neighbours.sns.errors import InvalidParameterException, invalid
from lambdad.neighbours.sns.model import BODY, Message, Subscription

_KEYS_MAX = 5
_COMBINATIONS_MAX = 150


def wants(subscription: Subscription, message: Message) -> bool:
    """Whether a subscription's filter lets a message through."""
    if subscription.filter is None:
        return True
    if not subscription.by_body:
        return event_patterns.matches(subscription.filter, attributes_of(message))
    try:
        body = json.loads(message.text)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and event_patterns.matches(subscription.filter, body)


def attributes_of(message: Message) -> dict[str, Any]:
    """Return a message's attributes as values that a pattern can be held against."""
    return {
        name: _value(each)
        for name, each in message.attributes.items()
        if not each["DataType"].startswith("Binary")
    }


def _value(attribute: Mapping[str, Any]) -> Any:
    text, kind = attribute["StringValue"], attribute["DataType"].partition(".")
    if kind[0] == "Number":
        number = float(text)
        return int(number) if number.is_integer() else number
    if attribute["DataType"] == "String.Array":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def check(text: str, scope: str) -> None:
    """Refuse what is no filter policy.

    Raises:
        InvalidParameterException: says why.
    """
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid("FilterPolicy: failed to parse JSON.") from error
    if policy == {}:
        return
    try:
        patterns.check(policy)
    except patterns.InvalidPattern as error:
        raise invalid(f"FilterPolicy: {error}") from error
    if len(policy) > _KEYS_MAX:
        raise invalid("FilterPolicy: Filter policy can not have more than 5 keys")
    if scope != BODY and any(
        isinstance(each, dict) for name, each in policy.items() if name != "$or"
    ):
        raise _nested()
    if _combinations(policy) > _COMBINATIONS_MAX:
        raise invalid("FilterPolicy: Filter policy is too complex")


def _nested() -> InvalidParameterException:
    return invalid("Filter policy scope MessageAttributes does not support nested filter policy")


def _combinations(policy: Any) -> int:
    """Count as SNS does: the product of the fields' values, nested ones once more per level."""
    product = 1
    for name, value in policy.items():
        if isinstance(value, dict):
            product *= _combinations(value)
        elif name == "$or" and all(isinstance(each, dict) for each in value):
            product *= sum(_combinations(each) for each in value)
        else:
            product *= len(value)
    return product
