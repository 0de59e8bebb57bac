"""Amazon EventBridge: where its operations register, and how they name buses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Params, Service
from lambdad.neighbours import patterns
from lambdad.neighbours.events.errors import ValidationException, invalid_pattern
from lambdad.neighbours.events.model import DEFAULT, Bus, BusKey, Rule
from lambdad.neighbours.events.parts import Buses
from lambdad.neighbours.paging import InvalidToken, page

T = TypeVar("T")
Context = ServiceContext[Buses]

EVENTS = Service[Buses]("events")
_PAGE = 100


def bus_key(context: Context, text: str | None) -> BusKey:
    """Return the bus that a name or an ARN means; the default one without either."""
    name, account_id = text or DEFAULT, context.account_id
    if name.startswith("arn:"):
        parts = name.split(":", 5)
        account_id, name = parts[4], parts[5].partition("/")[2]
    return BusKey(account_id=account_id, region=context.region, name=name)


def bus_of(context: Context, params: Params, member: str = "EventBusName") -> Bus:
    """Return the bus of a request.

    Raises:
        ResourceNotFoundException: there is none.
    """
    return context.services.bus(bus_key(context, params.get(member)))


def rule_of(context: Context, params: Params, member: str = "Name") -> Rule:
    """Return the rule of a request.

    Raises:
        ResourceNotFoundException: there is no such bus or rule.
    """
    return context.services.rule(bus_of(context, params).key, params[member])


def check_pattern(text: str) -> None:
    """Refuse what is no event pattern.

    Raises:
        InvalidEventPatternException: says why.
    """
    try:
        patterns.parse(text)
    except patterns.InvalidPattern as error:
        raise invalid_pattern(error) from error


def paged(
    params: Params, items: Iterable[T], key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """Return the page that a request asks for, and the next token.

    Raises:
        ValidationException: the token is none of ours.
    """
    limit, token = params.get("Limit") or _PAGE, params.get("NextToken")
    try:
        return page(items, key, limit=limit, token=token)
    except InvalidToken as error:
        raise ValidationException("Parameter NextToken is not valid.") from error


def tags_of(params: Params) -> dict[str, str]:
    """Return the tags of a request by key."""
    return {each["Key"]: each["Value"] for each in params.get("Tags") or ()}


def listed(tags: Any) -> list[dict[str, str]]:
    """Return tags as they are answered."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
