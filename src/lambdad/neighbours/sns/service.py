"""Amazon SNS: where its operations register, and how they name topics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from lambdad.api.app import answer
from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Handler, Params, Result, Service
from lambdad.neighbours.paging import InvalidToken, page
from lambdad.neighbours.resource_policies import lets_account
from lambdad.neighbours.sns.errors import AuthorizationErrorException, invalid
from lambdad.neighbours.sns.parts import Topics
from lambdad.protocol.http import HttpRequest, HttpResponse

T = TypeVar("T")
Context = ServiceContext[Topics]
_Handler = Callable[[Context, Params], Awaitable[Result]]

SNS = Service[Topics]("sns", invalid="ValidationException")
_PAGE = 100
_ARN_PARTS = 6


async def handle(request: HttpRequest, context: Context) -> HttpResponse:
    """Show the certificate that signatures are checked with; everything else is an operation."""
    signer = context.services.writer.signer
    if request.method in ("GET", "HEAD") and request.path == signer.path:
        headers = {"Content-Type": "application/x-pem-file"}
        return HttpResponse(status=200, headers=headers, body=signer.certificate)
    return await answer(SNS, request, context)


def operation(name: str, **options: Any) -> Callable[[_Handler], Handler[Topics]]:
    """Register an operation; another account's topics need their policy's permission for it."""
    action = f"SNS:{name.removesuffix('Batch')}"

    def register(handler: _Handler) -> Handler[Topics]:
        @SNS.operation(name, **options)
        @wraps(handler)
        async def checked(context: Context, params: Params) -> Result:
            arn = params.get("TopicArn") or params.get("TargetArn") or ""
            if name != "ConfirmSubscription":  # a token is permission enough
                _check_owner(context, action, arn)
            return await handler(context, params)

        return checked

    return register


def _check_owner(context: Context, action: str, arn: str) -> None:
    parts = arn.split(":")
    policy = context.services.policy(arn)
    if policy is None or lets_account(
        policy,
        owner=parts[4],
        principal=context.caller.principal,
        account_id=context.account_id,
        action=action,
        resource=arn,
    ):
        return
    raise AuthorizationErrorException(
        f"User: {context.caller.arn} is not authorized to perform: {action} on resource: {arn} "
        f"because no resource-based policy allows the {action} action"
    )


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
