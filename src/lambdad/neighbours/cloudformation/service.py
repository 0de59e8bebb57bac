"""AWS CloudFormation: where its operations register, and how requests find their stack."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdad.api.app import answer
from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Params, Service
from lambdad.neighbours.cloudformation import signals
from lambdad.neighbours.cloudformation.calls import Calls
from lambdad.neighbours.cloudformation.custom import PATH
from lambdad.neighbours.cloudformation.model import Owner, Stack
from lambdad.neighbours.cloudformation.parts import Stacks
from lambdad.protocol.http import HttpRequest, HttpResponse

Context = ServiceContext[Stacks]

CLOUDFORMATION = Service[Stacks]("cloudformation", invalid="ValidationError")


async def handle(request: HttpRequest, context: Context) -> HttpResponse:
    """Take answers of custom resources, and signals; everything else is an operation."""
    if request.path.startswith(PATH):
        return await context.services.custom.answer(request)
    if request.path.startswith(signals.PATH):
        return await context.services.signals.answer(request)
    return await answer(CLOUDFORMATION, request, context)


def owner_of(context: Context) -> Owner:
    """Return whose stacks a request is about."""
    return context.account_id, context.region


def stack_of(context: Context, params: Params) -> Stack:
    """Return the stack of a request's StackName.

    Raises:
        ValidationError: there is none.
    """
    return context.services.find(owner_of(context), params["StackName"])


def calls_of(context: Context) -> Calls:
    """Return the API as the caller's account calls it."""
    return Calls(context.services.api, context.account_id, context.region)


def moment(ms: int | None) -> datetime | None:
    """Return epoch milliseconds as a time."""
    return None if ms is None else datetime.fromtimestamp(ms / 1_000, UTC)


def pairs(values: dict[str, str]) -> list[dict[str, Any]]:
    """Return tags as the API has them."""
    return [{"Key": key, "Value": value} for key, value in values.items()]
