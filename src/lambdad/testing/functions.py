"""Functions for tests to start from."""

from __future__ import annotations

from typing import Any

from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Code, Function, LoggingConfig, State, Status, UpdateStatus

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
