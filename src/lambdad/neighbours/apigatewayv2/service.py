"""API Gateway's HTTP and WebSocket APIs: where operations register, and what is common to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Params, Service
from lambdad.neighbours.apigatewayv2.parts import Apis
from lambdad.triggers.http_api.model import Api, Document

Context = ServiceContext[Apis]

HTTP_APIS = Service[Apis]("apigatewayv2", invalid="BadRequestException")


def api_of(context: Context, params: Params) -> Api:
    """Return the API of a request's ApiId.

    Raises:
        NotFoundException: the caller has no such API.
    """
    return context.services.find(context.account_id, context.region, params["ApiId"])


def answered(document: Document) -> dict[str, Any]:
    """Return a stored document as an operation answers it; members of ours begin with `_`."""
    times = {name for name in ("CreatedDate", "LastUpdatedDate") if name in document}
    return {
        name: datetime.fromisoformat(value) if name in times else value
        for name, value in document.items()
        if name[0] != "_"
    }


def changed(document: Document, params: Params) -> Mapping[str, Any]:
    """Return a document with the members that a request gives."""
    given = {name: value for name, value in params.items() if value is not None}
    return {**document, **given}
