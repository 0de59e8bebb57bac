"""Subscription filters: where a log group's events go on to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.logs.service import (
    LOGS,
    InvalidParameterException,
    existing_group,
    key_of_name,
    now_ms,
)
from lambdad.api.logs.tokens import name_token, parse_name_token
from lambdad.controlplane.log_filters import SUBSCRIPTION, Document
from lambdad.domain.errors import ResourceNotFoundException
from lambdad.observability.patterns import InvalidPattern, compile_pattern

_PAGE = 50
# Accepted by AWS; what would depend on them is not there.
_UNSERVED = ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFields")


@LOGS.operation("PutSubscriptionFilter")
async def put_subscription_filter(context: RequestContext, params: Params) -> Result:
    """Send a group's events on, from now on; the same name again changes the filter."""
    key = key_of_name(context, params["logGroupName"])
    await existing_group(context, key)
    check_pattern(params["filterPattern"])
    refuse_unserved(params, _UNSERVED)
    before = context.services.log_filters.find(SUBSCRIPTION, key, params["filterName"])
    document = {
        "logGroupName": key.name,
        "filterName": params["filterName"],
        "filterPattern": params["filterPattern"],
        "destinationArn": params["destinationArn"],
        "distribution": params.get("distribution") or "ByLogStream",
        "creationTime": now_ms(context) if before is None else before["creationTime"],
    }
    if params.get("roleArn") is not None:
        document["roleArn"] = params["roleArn"]
    await context.services.subscriptions.put(key, document)
    return {}


def check_pattern(pattern: str) -> None:
    """Refuse what is no filter pattern.

    Raises:
        InvalidParameterException: with the reason.
    """
    try:
        compile_pattern(pattern)
    except InvalidPattern as error:
        raise InvalidParameterException(str(error)) from error


def refuse_unserved(params: Params, names: Sequence[str]) -> None:
    """Refuse parameters that would silently do nothing.

    Raises:
        InvalidParameterException: one is set.
    """
    for name in names:
        if params.get(name):
            raise InvalidParameterException(f"{name} is not supported by lambdad.")


@LOGS.operation("DescribeSubscriptionFilters")
async def describe_subscription_filters(context: RequestContext, params: Params) -> Result:
    """List where a group's events go on to, by name."""
    key = key_of_name(context, params["logGroupName"])
    await existing_group(context, key)
    found = context.services.log_filters.of(
        SUBSCRIPTION, key, prefix=params.get("filterNamePrefix") or ""
    )
    page, token = filter_page(params, found)
    return {"subscriptionFilters": page, "nextToken": token}


def filter_page(
    params: Params, found: Sequence[Document]
) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """Return a page of filters by group and name, and the token of the next one."""
    limit = params.get("limit") or _PAGE
    token = params.get("nextToken")
    after = parse_name_token(token) if token else ""
    left = [each for each in found if _place(each) > after]
    return left[:limit], name_token(_place(left[limit - 1])) if len(left) > limit else None


def _place(document: Document) -> str:
    return f"{document['logGroupName']}:{document['filterName']}"


@LOGS.operation("DeleteSubscriptionFilter")
async def delete_subscription_filter(context: RequestContext, params: Params) -> Result:
    """Send a group's events there no longer."""
    key = key_of_name(context, params["logGroupName"])
    await existing_group(context, key)
    if not await context.services.subscriptions.delete(key, params["filterName"]):
        raise filter_absent("subscription")
    return {}


def filter_absent(kind: str) -> ResourceNotFoundException:
    """There is no such filter, in AWS's words."""
    return ResourceNotFoundException(f"The specified {kind} filter does not exist.")
