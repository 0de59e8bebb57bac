"""Payloads that come in chunks, as one."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from lambdad.api.context import ServiceContext
from lambdad.protocol.aws_chunked import MalformedChunks, is_chunked
from lambdad.protocol.errors import ProtocolError
from lambdad.protocol.http import HttpRequest

S = TypeVar("S")

_ENCODING = "aws-chunked"


def unchunked(request: HttpRequest, context: ServiceContext[S]) -> HttpRequest:
    """Return the request with its payload in one piece, and trailers among its headers.

    Raises:
        ProtocolError: the chunks cannot be read.
        SignatureRefused: a chunk is not signed rightly, by who must prove who they are.
    """
    if not is_chunked(request):
        return request
    try:
        payload = context.authenticator.payload(request, guest=context.guest)
    except MalformedChunks as error:
        raise ProtocolError("IncompleteBody", str(error), 400) from error
    headers = {**request.headers, **payload.trailers, "content-length": str(len(payload.data))}
    encodings = [part.strip() for part in headers.pop("content-encoding", "").split(",")]
    left = ",".join(part for part in encodings if part and part != _ENCODING)
    if left:
        headers["content-encoding"] = left
    return replace(request, headers=headers, body=payload.data)
