"""EventBridge Scheduler: where its operations register, and how pages are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Params, Service
from lambdad.neighbours.paging import InvalidToken, page
from lambdad.neighbours.scheduler.errors import ValidationException
from lambdad.neighbours.scheduler.parts import Schedules

T = TypeVar("T")
Context = ServiceContext[Schedules]

SCHEDULER = Service[Schedules]("scheduler")
_PAGE = 100


def paged(
    params: Params, items: Iterable[T], key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """Return the page that a request asks for, and the next token.

    Raises:
        ValidationException: the token is none of ours.
    """
    try:
        return page(
            items, key, limit=params.get("MaxResults") or _PAGE, token=params.get("NextToken")
        )
    except InvalidToken as error:
        raise ValidationException("Invalid NextToken.") from error


def group_arn(context: Context, name: str | None) -> str:
    """Return the ARN of a group of the caller's."""
    who = f"{context.region}:{context.account_id}"
    return f"arn:aws:scheduler:{who}:schedule-group/{name or 'default'}"


def schedule_arn(context: Context, params: Params) -> str:
    """Return the ARN of the schedule of a request."""
    who = f"{context.region}:{context.account_id}"
    group = params.get("GroupName") or "default"
    return f"arn:aws:scheduler:{who}:schedule/{group}/{params['Name']}"
