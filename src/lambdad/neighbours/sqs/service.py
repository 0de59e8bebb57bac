"""Amazon SQS: where its operations register, and how they name a queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Handler, Params, Result, Service
from lambdad.neighbours.query import query_fields
from lambdad.neighbours.resource_policies import lets_account
from lambdad.neighbours.sqs.errors import AccessDenied, missing, no_queue
from lambdad.neighbours.sqs.model import Queue
from lambdad.neighbours.sqs.parts import Queues
from lambdad.protocol.http import HttpRequest

Context = ServiceContext[Queues]

SQS = Service[Queues]("sqs", invalid="InvalidParameterValue")


def operation(
    name: str,
) -> Callable[[Callable[[Context, Params], Awaitable[Result]]], Handler[Queues]]:
    """Register an operation; what it needs and did not get is refused in SQS's words."""
    shape = SQS.model.operation_model(name).input_shape
    members = list(shape.members) if shape is not None else []
    action = f"sqs:{name.removesuffix('Batch')}"
    required = list(shape.required_members) if shape is not None else []

    def register(handler: Callable[[Context, Params], Awaitable[Result]]) -> Handler[Queues]:
        @SQS.operation(name, lenient=members)
        @wraps(handler)
        async def checked(context: Context, params: Params) -> Result:
            for member in required:
                if params.get(member) in (None, ""):
                    raise missing(member)
            if params.get("QueueUrl"):
                _check_owner(context, action, params)
            return await handler(context, params)

        return checked

    return register


def _check_owner(context: Context, action: str, params: Params) -> None:
    """Refuse a queue of another account whose policy does not allow the action."""
    parts = [part for part in urlsplit(params["QueueUrl"]).path.split("/") if part]
    if len(parts) < 2 or unquote(parts[-2]) == context.account_id:
        return
    queue = queue_of(context, params)
    if not lets_account(
        queue.attributes.get("Policy"),
        owner=queue.account_id,
        principal=context.caller.principal,
        account_id=context.account_id,
        action=action,
        resource=queue.arn,
    ):
        raise AccessDenied(
            f"User: {context.caller.arn} is not authorized to perform: {action} on resource: "
            f"{queue.arn} because no resource-based policy allows the {action} action"
        )


def queue_of(context: Context, params: Params) -> Queue:
    """Return the queue of a request's QueueUrl, whatever host stands in it.

    Raises:
        QueueDoesNotExist: there is none.
    """
    parts = [unquote(part) for part in urlsplit(params["QueueUrl"]).path.split("/") if part]
    if not parts:
        raise no_queue()
    account_id = parts[-2] if len(parts) > 1 else context.account_id
    return context.services.find((account_id, context.region, parts[-1]))


def url_of(context: Context, queue: Queue) -> str:
    """Return a queue's URL under the address that the caller used."""
    return f"{context.base_url}/{queue.account_id}/{queue.name}"


def with_queue_url(request: HttpRequest) -> HttpRequest:
    """Give a query protocol request to `/account/queue` the parameter QueueUrl, if it has none."""
    if request.path.count("/") < 2 or "x-amz-target" in request.headers:
        return request
    text = request.query + "&" + request.body.decode("latin-1")
    if "QueueUrl=" in text or not query_fields(request):
        return request
    query = urlencode({"QueueUrl": request.path})
    return HttpRequest(
        method=request.method,
        path=request.path,
        query=f"{request.query}&{query}" if request.query else query,
        headers=request.headers,
        body=request.body,
    )


def whole_number(params: Params, name: str, default: int) -> int:
    """Return a number, or what it is when it was not sent."""
    value: Any = params.get(name)
    return default if value is None else int(value)
