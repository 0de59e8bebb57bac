"""A REST API in memory, and calls of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdad.protocol.http import HttpRequest
from lambdad.triggers.http_events import Arrival
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.model import RestApi
from lambdad.triggers.rest_api.routing import Match

MakeCall = Callable[..., Call]


@pytest.fixture
def make_call() -> MakeCall:
    """Return what makes a call of `POST /things/{id}`, changed by keywords."""

    def make(
        *,
        method: Mapping[str, Any] | None = None,
        stage: Mapping[str, Any] | None = None,
        api: Mapping[str, Any] | None = None,
        parts: Mapping[str, dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
        body: bytes = b"",
    ) -> Call:
        rest_api = RestApi(
            account_id="123456789012",
            region="us-east-1",
            document={"id": "abcdefghij", **(api or {})},
        )
        for name, documents in (parts or {}).items():
            setattr(rest_api, name, documents)
        resource = {"id": "res123", "path": "/things/{id}"}
        document = {"httpMethod": "POST", **(method or {})}
        return Call(
            api=rest_api,
            snapshot=rest_api.snapshot("dep123", created_at=0),
            stage={"stageName": "dev", "deploymentId": "dep123", **(stage or {})},
            request=HttpRequest(
                method="POST",
                path="/dev/things/7",
                query=query,
                headers=headers or {},
                body=body,
            ),
            arrival=Arrival(
                domain="abcdefghij.execute-api.us-east-1.localhost",
                api_id="abcdefghij",
                account_id="123456789012",
                request_id="11111111-2222-4333-8444-555555555555",
                source_ip="203.0.113.9",
                port="4566",
                scheme="http",
                moment=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
                trace_header="Root=1-0-0",
            ),
            path="/things/7",
            match=Match(resource=resource, method=document, parameters={"id": "7"}),
        )

    return make
