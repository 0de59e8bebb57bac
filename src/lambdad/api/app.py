"""The life of a request: which service, which operation, parsed, validated, run, serialised.

Decides what an error looks like to the caller: what was refused on purpose goes out under AWS's
name, anything else as an opaque internal error whose cause stands in the log. Transport is the
server's business.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from botocore.model import OperationModel, ServiceModel

from lambdad.api.context import ServiceContext, Services
from lambdad.api.dispatch import Answer, Result, Service
from lambdad.api.payloads import unchunked
from lambdad.api.request_ids import request_ids
from lambdad.authz.authentication import Authenticator
from lambdad.authz.callers import Caller
from lambdad.authz.principals import DEFAULT_REGION
from lambdad.domain.errors import NotImplementedException, ServiceException
from lambdad.protocol.errors import MalformedRequest, ProtocolError, ValidationError
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.parser import parse
from lambdad.protocol.router import Router
from lambdad.protocol.serializer import serialize, serialize_error
from lambdad.protocol.sigv4 import Credential, parse_credential
from lambdad.protocol.sigv4_refusals import SignatureRefused
from lambdad.protocol.validator import validate

_LOGGER = logging.getLogger(__name__)

S = TypeVar("S")


class Elsewhere(Protocol):
    """Tells services apart, and answers for those that are not served here."""

    def identify(self, request: HttpRequest, credential: Credential | None) -> str | None:
        """Return the name of the service a request is for; None when it does not say."""
        ...

    async def handle(
        self, request: HttpRequest, service: str | None, caller: ServiceContext[None]
    ) -> HttpResponse:
        """Answer a request to a service that is not offered here; never raises.

        Whatever serves it, or an error in a form that its clients read.
        """
        ...

    def refuse_caller(
        self, request: HttpRequest, service: str | None, refused: SignatureRefused, request_id: str
    ) -> HttpResponse:
        """Say to whoever calls such a service that their credentials are not accepted."""
        ...


class App:
    """The AWS endpoint without its transport."""

    def __init__(
        self,
        *,
        offered: Sequence[Service[Services]],
        services: Services,
        elsewhere: Elsewhere,
        authenticator: Authenticator,
    ) -> None:
        """`offered` are the services of lambdad's own; `services` is what they call."""
        self.offered = {service.name: service for service in offered}
        self.services = services
        self.elsewhere = elsewhere
        self.authenticator = authenticator
        self.request_ids = request_ids()

    async def handle(
        self, request: HttpRequest, *, base_url: str, guest: bool = False
    ) -> HttpResponse:
        """Answer a request; never raises but for cancellation.

        `base_url` is scheme and host as the client used them, without a final slash; `guest` says
        that the request comes from inside a sandbox. What is cancelled half way may leave a
        function unfinished until the next start: let it finish.
        """
        credential = parse_credential(request)
        name = self.elsewhere.identify(request, credential)
        service = self.offered.get(name) if name is not None else None
        signing_name = None if service is None else str(service.model.signing_name)
        try:
            caller = self.authenticator.authenticate(request, service=signing_name, guest=guest)
        except SignatureRefused as refused:
            request_id = next(self.request_ids)
            if service is None:
                return self.elsewhere.refuse_caller(request, name, refused, request_id)
            return _not_accepted(service, request, refused, request_id)
        make = partial(
            context_of,
            request,
            credential,
            caller,
            authenticator=self.authenticator,
            request_id=next(self.request_ids),
            base_url=base_url,
            guest=guest,
        )
        if service is None:
            return await self.elsewhere.handle(request, name, make(None))
        return await answer(service, request, make(self.services))


def context_of(
    request: HttpRequest,
    credential: Credential | None,
    caller: Caller,
    services: S,
    *,
    authenticator: Authenticator,
    request_id: str,
    base_url: str = "",
    guest: bool = False,
) -> ServiceContext[S]:
    """Return a request's circumstances."""
    return ServiceContext(
        account_id=caller.account_id,
        region=credential.region if credential else DEFAULT_REGION,
        request_id=request_id,
        access_key=caller.access_key,
        base_url=base_url,
        services=services,
        caller=caller,
        authenticator=authenticator,
        guest=guest,
        trace_header=request.headers.get("x-amzn-trace-id"),
    )


async def answer(
    service: Service[S], request: HttpRequest, context: ServiceContext[S]
) -> HttpResponse:
    """Run the operation that a request asks for; never raises but for cancellation."""
    wire = service.wire(request)
    try:
        whole = await unchunked(request, context)
        try:
            return await _run(service, wire.router, whole, context)
        finally:
            if whole.upload is not None and whole.upload is not request.upload:
                whole.upload.discard()
    except Exception as error:  # noqa: BLE001 - told and logged
        return failure(service, request, context, error)


def failure(
    service: Service[S], request: HttpRequest, context: ServiceContext[S], error: Exception
) -> HttpResponse:
    """Return what a caller is told of a request that ended with an error."""
    model = service.wire(request).model
    if isinstance(error, SignatureRefused):
        return _not_accepted(service, request, error, context.request_id)
    if isinstance(error, ServiceException):
        return _refusal(model, context, error.code, error.message, error.members)
    if isinstance(error, ProtocolError):
        return serialize_error(
            model,
            code=service.invalid if isinstance(error, ValidationError) else error.code,
            message=error.message,
            members={},
            request_id=context.request_id,
            status=error.status,
        )
    _LOGGER.error(
        "Request %s to %s failed: %s %s",
        context.request_id,
        service.name,
        request.method,
        request.path[:256],
        exc_info=error,
    )
    modelled = ServiceException.code in model.shape_names
    code = ServiceException.code if modelled else "InternalFailure"
    text = f"lambdad failed. Its log tells why under request id {context.request_id}."
    return _refusal(model, context, code, text, {})


async def _run(
    service: Service[S], router: Router, request: HttpRequest, context: ServiceContext[S]
) -> HttpResponse:
    route = router.route(request)
    operation = service.find(route.operation.name)
    if operation is None:
        raise NotImplementedException(
            service.why_refused(route.operation.name)
            or f"{service.name}:{route.operation.name} is not implemented by lambdad yet."
        )
    if operation.check is not None:
        operation.check(request)
    try:
        params = parse(route.operation, request, route.path_params)
        validate(route.operation, params, lenient=operation.lenient)
    except RecursionError as error:  # Few models are recursive; DynamoDB's is.
        raise MalformedRequest("The request body nests too deep.") from error
    result = await operation.handler(context, params)
    return laid_out(route.operation, result, context.request_id)


def laid_out(operation: OperationModel, result: Result | Answer, request_id: str) -> HttpResponse:
    """Return the response with an operation's result."""
    if not isinstance(result, Answer):
        return serialize(operation, result, request_id)
    response = serialize(operation, result.result, request_id)
    return HttpResponse(
        status=result.status or response.status,
        headers={**response.headers, **result.headers},
        body=b"" if result.pieces is not None else response.body,
        pieces=result.pieces,
        length=result.length,
    )


def _not_accepted(
    service: Service[S], request: HttpRequest, refused: SignatureRefused, request_id: str
) -> HttpResponse:
    model = service.wire(request).model
    error = refused.as_error("s3" if service.name == "s3" else str(model.metadata["protocol"]))
    return serialize_error(
        model,
        code=error.code,
        message=error.message,
        members={},
        request_id=request_id,
        status=error.status,
    )


def _refusal(
    model: ServiceModel,
    context: ServiceContext[S],
    code: str,
    message: str,
    members: Mapping[str, Any],
) -> HttpResponse:
    return serialize_error(
        model,
        code=code,
        message=message,
        members=members,
        request_id=context.request_id,
    )
