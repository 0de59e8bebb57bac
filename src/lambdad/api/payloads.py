"""Payloads that come in chunks, as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from mmap import mmap
from typing import TypeVar

from lambdad.api.context import ServiceContext
from lambdad.protocol.aws_chunked import MalformedChunks, Payload, is_chunked
from lambdad.protocol.errors import ProtocolError
from lambdad.protocol.http import HttpRequest, Upload
from lambdad.storage.uploads import UploadedFile

S = TypeVar("S")

_ENCODING = "aws-chunked"


async def unchunked(request: HttpRequest, context: ServiceContext[S]) -> HttpRequest:
    """Return the request with its payload in one piece, and trailers among its headers.

    Raises:
        ProtocolError: the chunks cannot be read.
        SignatureRefused: a chunk is not signed rightly, by who must prove who they are.
    """
    if not is_chunked(request):
        return request
    upload = None
    try:
        if isinstance(request.upload, UploadedFile):
            payload, upload = await asyncio.to_thread(_rewritten, request.upload, request, context)
        else:
            payload = context.authenticator.payload(request, guest=context.guest)
    except MalformedChunks as error:
        raise ProtocolError("IncompleteBody", str(error), 400) from error
    length = len(payload.data) if upload is None else upload.size
    headers = {**request.headers, **payload.trailers, "content-length": str(length)}
    encodings = [part.strip() for part in headers.pop("content-encoding", "").split(",")]
    left = ",".join(part for part in encodings if part and part != _ENCODING)
    if left:
        headers["content-encoding"] = left
    return replace(request, headers=headers, body=payload.data, upload=upload)


def _rewritten(
    raw: UploadedFile, request: HttpRequest, context: ServiceContext[S]
) -> tuple[Payload, Upload]:
    """Return trailers, and the data in a file of their own; blocks."""
    found: list[Payload] = []

    def rewrite(content: mmap, take: Callable[[memoryview], None]) -> None:
        payload = context.authenticator.payload(
            request, guest=context.guest, source=content, take=take
        )
        found.append(payload)

    upload = raw.rewritten(rewrite)
    return found[0], upload
