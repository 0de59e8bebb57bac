"""The life of a request: which service, which operation, parsed, validated, run, serialised.

Decides what an error looks like to the caller: what was refused on purpose goes out under AWS's
name, anything else as an opaque internal error whose cause stands in the log. Transport is the
server's business.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from lambdad.api.context import RequestContext, Services
from lambdad.api.dispatch import Answer, Service
from lambdad.api.request_ids import request_ids
from lambdad.authz.principals import DEFAULT_REGION, account_of
from lambdad.domain.errors import NotImplementedException, ServiceException
from lambdad.protocol.errors import ProtocolError, ValidationError
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.parser import parse
from lambdad.protocol.router import Router
from lambdad.protocol.serializer import serialize, serialize_error
from lambdad.protocol.sigv4 import Credential, parse_credential
from lambdad.protocol.validator import validate

_LOGGER = logging.getLogger(__name__)


class Directory(Protocol):
    """Tells services apart, and answers for those that are not served."""

    def identify(self, request: HttpRequest, credential: Credential | None) -> str | None:
        """Return the name of the service a request is for; None when it does not say."""
        ...

    def refuse(self, request: HttpRequest, service: str | None, request_id: str) -> HttpResponse:
        """Return the error for a service that is not served, in a form its clients read."""
        ...


class App:
    """The AWS endpoint without its transport."""

    def __init__(
        self, *, offered: Sequence[Service], services: Services, directory: Directory
    ) -> None:
        """`offered` are the AWS services that are served; `services` is what they call."""
        self._offered = {service.name: (service, Router(service.model)) for service in offered}
        self._services = services
        self._directory = directory
        self._request_ids = request_ids()

    async def handle(self, request: HttpRequest, *, base_url: str) -> HttpResponse:
        """Answer a request; never raises but for cancellation.

        `base_url` is scheme and host as the client used them, without a final slash. What is
        cancelled half way may leave a function unfinished until the next start: let it finish.
        """
        request_id = next(self._request_ids)
        credential = parse_credential(request)
        name = self._directory.identify(request, credential)
        offer = self._offered.get(name) if name is not None else None
        if offer is None:
            return self._directory.refuse(request, name, request_id)
        service, router = offer
        access_key = credential.access_key if credential else None
        context = RequestContext(
            account_id=account_of(access_key),
            region=credential.region if credential else DEFAULT_REGION,
            request_id=request_id,
            access_key=access_key,
            base_url=base_url,
            services=self._services,
            trace_header=request.headers.get("x-amzn-trace-id"),
        )
        return await _answer(service, router, request, context)


async def _answer(
    service: Service, router: Router, request: HttpRequest, context: RequestContext
) -> HttpResponse:
    try:
        return await _run(service, router, request, context)
    except ServiceException as error:
        return _refusal(service, context, error.code, error.message, error.members)
    except ProtocolError as error:
        return serialize_error(
            service.model,
            code=service.invalid if isinstance(error, ValidationError) else error.code,
            message=error.message,
            members={},
            request_id=context.request_id,
            status=error.status,
        )
    except Exception:
        _LOGGER.exception(
            "Request %s to %s failed: %s %s",
            context.request_id,
            service.name,
            request.method,
            request.path[:256],
        )
        modelled = ServiceException.code in service.model.shape_names
        code = ServiceException.code if modelled else "InternalFailure"
        text = f"lambdad failed. Its log tells why under request id {context.request_id}."
        return _refusal(service, context, code, text, {})


async def _run(
    service: Service, router: Router, request: HttpRequest, context: RequestContext
) -> HttpResponse:
    route = router.route(request)
    operation = service.find(route.operation.name)
    if operation is None:
        raise NotImplementedException(
            f"{service.name}:{route.operation.name} is not implemented by lambdad yet."
        )
    if operation.check is not None:
        operation.check(request)
    params = parse(route.operation, request, route.path_params)
    validate(route.operation, params, lenient=operation.lenient)
    result = await operation.handler(context, params)
    if not isinstance(result, Answer):
        return serialize(route.operation, result, context.request_id)
    response = serialize(route.operation, result.result, context.request_id)
    headers = {**response.headers, **result.headers}
    return replace(response, headers=headers, pieces=result.pieces)


def _refusal(
    service: Service, context: RequestContext, code: str, message: str, members: Mapping[str, str]
) -> HttpResponse:
    return serialize_error(
        service.model,
        code=code,
        message=message,
        members=members,
        request_id=context.request_id,
    )
