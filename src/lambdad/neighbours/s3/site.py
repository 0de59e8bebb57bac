"""Requests to S3 that are more than an operation: hosts with buckets, browsers, forms."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

from lambdad.api.app import answer
from lambdad.domain.errors import ServiceException
from lambdad.neighbours.s3 import cors, forms
from lambdad.neighbours.s3.errors import S3Error
from lambdad.neighbours.s3.hosts import path_style
from lambdad.neighbours.s3.model import Bucket
from lambdad.neighbours.s3.service import S3, Context
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.serializer import serialize_error


async def handle(request: HttpRequest, context: Context) -> HttpResponse:
    """Answer a request; never raises but for cancellation and faults of lambdad."""
    request = path_style(request)
    try:
        if request.method == "OPTIONS":
            return _preflight(request, context)
        if forms.is_form(request):
            response = await forms.receive(context, request)
        else:
            response = await answer(S3, request, context)
    except ServiceException as error:
        response = _refusal(context, error)
    return _for_page(request, context, response)


def _bucket(request: HttpRequest, context: Context) -> Bucket:
    name = unquote(request.path.removeprefix("/").partition("/")[0])
    return context.services.find(name)


def _preflight(request: HttpRequest, context: Context) -> HttpResponse:
    headers = cors.preflight(_bucket(request, context), request.headers)
    if headers is None:
        raise S3Error(
            "AccessForbidden",
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution "
            "of Origin, request method / Access-Control-Request-Method or "
            "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
            Method=request.headers.get("access-control-request-method", ""),
            ResourceType="OBJECT",
        )
    return HttpResponse(status=200, headers=headers)


def _for_page(request: HttpRequest, context: Context, response: HttpResponse) -> HttpResponse:
    """Let a page read the answer, if its origin may."""
    if "origin" not in request.headers:
        return response
    try:
        bucket = _bucket(request, context)
    except ServiceException:
        return response
    headers = cors.of_answer(bucket, request.headers, request.method)
    return replace(response, headers={**response.headers, **headers})


def _refusal(context: Context, error: ServiceException) -> HttpResponse:
    return serialize_error(
        S3.model,
        code=error.code,
        message=error.message,
        members=error.members,
        request_id=context.request_id,
    )
