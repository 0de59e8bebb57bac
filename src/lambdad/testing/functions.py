"""Functions and their resources for tests to start from."""

from __future__ import annotations

from typing import Any

from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Code, Function, LoggingConfig, State, Status, UpdateStatus
from lambdad.domain.resources import Resource, ResourceKey

FUNCTION_KEY = FunctionKey(account_id="000000000000", region="us-east-1", name="f")


def a_function(**changes: Any) -> Function:
    """An active Python function with AWS's defaults, but for the given fields."""
    values: dict[str, Any] = {
        "key": FUNCTION_KEY,
        "runtime": "python3.12",
        "handler": "app.handler",
        "role": "arn:aws:iam::000000000000:role/r",
        "code": Code(sha256="x=", size_bytes=1, digest="00" * 32),
        "logging": LoggingConfig(log_group="/aws/lambda/f"),
        "status": Status(state=State.ACTIVE, last_update=UpdateStatus.SUCCESSFUL),
        "revision_id": "r1",
        "last_modified": "2025-11-24T22:54:31.123+0000",
    }
    return Function(**{**values, **changes})


def a_resource(
    *,
    kind: str = "alias",
    name: str = "f:live",
    function: str | None = "f",
    revision: str = "r1",
    account_id: str = "000000000000",
    region: str = "us-east-1",
    **document: Any,
) -> Resource:
    """A resource of a function, with these members in its document."""
    key = ResourceKey(kind=kind, account_id=account_id, region=region, name=name)
    return Resource(key=key, function=function, revision=revision, document=document)
