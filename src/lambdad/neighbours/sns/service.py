"""Amazon SNS: where its operations register, and how they name topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Params, Service
from lambdad.neighbours.paging import InvalidToken, page
from lambdad.neighbours.sns.errors import invalid
from lambdad.neighbours.sns.parts import Topics

T = TypeVar("T")
Context = ServiceContext[Topics]

SNS = Service[Topics]("sns", invalid="ValidationException")
_PAGE = 100
_ARN_PARTS = 6


def check_topic_arn(text: str) -> str:
    """Return an ARN that may be a topic's.

    Raises:
        InvalidParameterException: it may not.
    """
    parts = text.split(":")
    if len(parts) != _ARN_PARTS or parts[2] != "sns" or not parts[5]:
        raise invalid(f"TopicArn Reason: An ARN must have at least 6 elements, not {len(parts)}")
    return text


def paged(
    params: Params, items: Iterable[T], key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """Return the page that a request asks for, and the next token.

    Raises:
        InvalidParameterException: the token is none of ours.
    """
    try:
        return page(items, key, limit=_PAGE, token=params.get("NextToken"))
    except InvalidToken as error:
        raise invalid("NextToken") from error
