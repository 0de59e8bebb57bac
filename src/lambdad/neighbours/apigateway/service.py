"""API Gateway's REST APIs: where operations register, and what is common to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from botocore.model import StructureShape

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Answer, Params, Result, Service
from lambdad.neighbours.apigateway.errors import BadRequestException, NotFoundException
from lambdad.neighbours.apigateway.parts import Apis
from lambdad.neighbours.paging import InvalidToken, page
from lambdad.triggers.rest_api.model import Account, Document, RestApi

Context = ServiceContext[Apis]

OfApi = Callable[[Context, Params, RestApi], Awaitable[Result | Answer]]
OfAccount = Callable[[Context, Params, Account], Awaitable[Result | Answer]]

REST_APIS = Service[Apis]("apigateway", invalid="ValidationException")

_PAGE = 25
_PAGE_MAX = 500
_TIMES = frozenset({"createdDate", "lastUpdatedDate", "certificateUploadDate"})


def shape(name: str) -> StructureShape:
    """Return a structure of the service model: `RestApi`."""
    return cast("StructureShape", REST_APIS.model.shape_for(name))


def of_api(name: str, *, missing: str | None = None) -> Callable[[OfApi], OfApi]:
    """Register what an operation reads of one of the caller's APIs.

    `missing` is said where there is no such API, instead of that.
    """

    def register(handler: OfApi) -> OfApi:
        @REST_APIS.operation(name)
        async def run(context: Context, params: Params) -> Result | Answer:
            return await handler(context, params, _api(context, params, missing))

        return handler

    return register


def changes_api(name: str, *, missing: str | None = None) -> Callable[[OfApi], OfApi]:
    """Register what an operation changes of one of the caller's APIs; one at a time does."""

    def register(handler: OfApi) -> OfApi:
        @REST_APIS.operation(name)
        async def run(context: Context, params: Params) -> Result | Answer:
            _api(context, params, missing)
            async with context.services.lock(params["restApiId"]):
                return await handler(context, params, _api(context, params, missing))

        return handler

    return register


def of_account(name: str) -> Callable[[OfAccount], OfAccount]:
    """Register what an operation reads of the caller's account."""

    def register(handler: OfAccount) -> OfAccount:
        @REST_APIS.operation(name)
        async def run(context: Context, params: Params) -> Result | Answer:
            return await handler(context, params, account_of(context))

        return handler

    return register


def changes_account(name: str) -> Callable[[OfAccount], OfAccount]:
    """Register what an operation changes of the caller's account; one at a time does."""

    def register(handler: OfAccount) -> OfAccount:
        @REST_APIS.operation(name)
        async def run(context: Context, params: Params) -> Result | Answer:
            async with context.services.lock(f"{context.account_id}/{context.region}"):
                return await handler(context, params, account_of(context))

        return handler

    return register


def account_of(context: Context) -> Account:
    """Return what the caller's account has in the region."""
    return context.services.directory.account(context.account_id, context.region)


def _api(context: Context, params: Params, missing: str | None) -> RestApi:
    try:
        return context.services.find(context.account_id, context.region, params["restApiId"])
    except NotFoundException as error:
        raise (NotFoundException(missing) if missing else error) from error


def answered(document: Document) -> dict[str, Any]:
    """Return a stored document as an operation answers it."""
    return {
        name: datetime.fromisoformat(value) if name in _TIMES else value
        for name, value in document.items()
        if value is not None
    }


def given(params: Params, *left_out: str) -> dict[str, Any]:
    """Return a request's members but for these and for those that were not sent."""
    return {
        name: value for name, value in params.items() if value is not None and name not in left_out
    }


def listed(
    found: Iterable[Document], params: Params, key: Callable[[Document], str]
) -> dict[str, Any]:
    """Return a page of documents, in the order of a key that none shares with another."""
    limit = params.get("limit") or _PAGE
    if limit < 0:
        raise BadRequestException("Invalid limit specified")
    try:
        items, position = page(
            found, key, limit=min(limit, _PAGE_MAX), token=params.get("position")
        )
    except InvalidToken as error:
        raise BadRequestException("Invalid position specified") from error
    answer: dict[str, Any] = {"items": [answered(each) for each in items]}
    return answer if position is None else {**answer, "position": position}


def by(name: str) -> Callable[[Mapping[str, Any]], str]:
    """Return what takes a member of a document as its key."""
    return lambda document: str(document[name])


def arn(region: str, path: str) -> str:
    """Return the ARN of what is at a path, `/restapis/abc`."""
    return f"arn:aws:apigateway:{region}::{path}"
