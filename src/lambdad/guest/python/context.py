"""The second argument of a handler."""
# ruff: noqa: PLC0415, TID252

import os
from time import time

from .faults import CONTEXT_UNMARSHAL, Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Optional, Tuple

    from .client import Event
    from .logs import Sink

_CLIENT = (
    "installation_id",
    "app_title",
    "app_version_name",
    "app_version_code",
    "app_package_name",
)


_VARIABLES = (
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
)
_NOBODY: "Dict[str, Any]" = {}


def _describe(item: "Any") -> str:
    fields = ",".join("%s=%s" % (name, getattr(item, name)) for name in item._shown)
    return "%s([%s])" % (type(item).__name__, fields)


class CognitoIdentity:
    """Who called, when a mobile SDK said so."""

    __slots__ = _shown = ("cognito_identity_id", "cognito_identity_pool_id")
    __repr__ = _describe

    def __init__(self, members: "Dict[str, Any]") -> None:
        self.cognito_identity_id = members.get("cognitoIdentityId")
        self.cognito_identity_pool_id = members.get("cognitoIdentityPoolId")


class Client:
    """The application that called."""

    __slots__ = _shown = _CLIENT
    __repr__ = _describe

    def __init__(self, members: "Dict[str, Any]") -> None:
        for name in _CLIENT:
            setattr(self, name, members.get(name))


class ClientContext:
    """What the caller sent as X-Amz-Client-Context."""

    __slots__ = _shown = ("custom", "env", "client")
    __repr__ = _describe

    def __init__(self, members: "Dict[str, Any]") -> None:
        self.custom = members.get("custom")
        self.env = members.get("env")
        client = members.get("client")
        self.client = None if client is None else Client(client)


class _Known:
    """What is the same for all invocations. Mutable: texts of variables, from the first one on."""

    texts: "Tuple[Optional[str], ...]" = ()


def _know() -> "Tuple[Optional[str], ...]":
    _Known.texts = tuple(map(os.environ.get, _VARIABLES))
    return _Known.texts


def forget() -> None:
    """Look at the variables again: those of a rehearsal are no function's."""
    _Known.texts = ()


class LambdaContext:
    """What a handler may know of its invocation."""

    _shown = (
        "aws_request_id",
        "log_group_name",
        "log_stream_name",
        "function_name",
        "memory_limit_in_mb",
        "function_version",
        "invoked_function_arn",
        "client_context",
        "identity",
        "tenant_id",
    )
    __repr__ = _describe

    def __init__(
        self, request_id: str, tenant_id: "Optional[str]", event: "Event", sink: "Sink"
    ) -> None:
        self.aws_request_id = request_id
        (
            self.log_group_name,
            self.log_stream_name,
            self.function_name,
            self.memory_limit_in_mb,
            self.function_version,
        ) = _Known.texts or _know()
        _, self._deadline_ms, arn, _, client, identity, _, _ = event
        self.invoked_function_arn = arn.decode("utf-8", "replace") if arn else None
        self.tenant_id = tenant_id
        members = _members(client, "Client Context") if client else None
        self.client_context = None if members is None else ClientContext(members)
        members = _members(identity, "Cognito Identity") if identity else None
        self.identity = CognitoIdentity(members or _NOBODY)
        self._sink = sink

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until this invocation times out; never negative."""
        return max(self._deadline_ms - int(time() * 1000), 0)

    def log(self, msg: object) -> None:
        """Write a message to the log as it is."""
        self._sink.write(str(msg))


def _members(value: bytes, title: str) -> "Optional[Dict[str, Any]]":
    import json

    try:
        parsed = json.loads(value.decode("utf-8"))
    except ValueError as error:
        message = "Unable to parse %s JSON: %s" % (title, error)
        raise Fault(CONTEXT_UNMARSHAL, message) from None
    return parsed  # type: ignore[no-any-return]
