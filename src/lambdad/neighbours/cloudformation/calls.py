"""Calls of AWS's API at lambdad's own endpoint, with parameters made to fit the service's model.

Properties of templates are looser than the API: numbers come as text, policies as objects, names of
members in another case. Mutable: clients by service, account and region, made when first needed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import Shape
from botocore.session import Session

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 120
_ATTEMPTS = 4
_GONE = ("NotFound", "NoSuch", "DoesNotExist", "NonExistent", "404")
_THERE = (
    "AlreadyExists",
    "AlreadyOwned",
    "ResourceConflict",
    "ResourceInUse",
    "EntityAlready",
    "ResourceExists",
    "Conflict",
)


class CallFailed(Exception):
    """A call was refused, or did not come through. `code` is AWS's name of the error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def gone(self) -> bool:
        """Whether it says that something is not there."""
        return any(each in self.code for each in _GONE)

    @property
    def exists(self) -> bool:
        """Whether it says that something is there already."""
        return any(each in self.code for each in _THERE)


class AwsApi:
    """Clients for everybody. Their methods block: call them off the event loop."""

    def __init__(self, endpoint_url: str, access_key: Callable[[str], tuple[str, str]]) -> None:
        """`access_key` returns an account's key id and secret."""
        self._endpoint_url = endpoint_url
        self._access_key = access_key
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._session: Session | None = None
        self._lock = threading.Lock()

    def client(self, service: str, account_id: str, region: str) -> Any:
        """Return a client; it is for all threads."""
        key = (service, account_id, region)
        with self._lock:
            if (found := self._clients.get(key)) is not None:
                return found
            if self._session is None:
                nothing: Any = (None, None, None, None)
                self._session = Session(session_vars={"profile": nothing, "config_file": nothing})
            access_key, secret = self._access_key(account_id)
            made = self._clients[key] = self._session.create_client(
                service,
                endpoint_url=self._endpoint_url,
                region_name=region,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret,
                config=Config(
                    retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
                    connect_timeout=_CONNECT_TIMEOUT_S,
                    read_timeout=_READ_TIMEOUT_S,
                    max_pool_connections=32,
                    proxies={},
                    s3={"addressing_style": "path"},
                ),
            )
            return made


class Calls:
    """The API as one account in one region calls it."""

    def __init__(self, api: AwsApi, account_id: str, region: str) -> None:
        self._api = api
        self.account_id = account_id
        self.region = region

    def client(self, service: str) -> Any:
        """Return botocore's client of a service."""
        return self._api.client(service, self.account_id, self.region)

    def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation, `CreateQueue`, with what of `params` it knows.

        Raises:
            CallFailed: see there.
        """
        client = self.client(service)
        model = client.meta.service_model.operation_model(operation)
        method = client.meta.method_to_api_mapping
        name = next(each for each, api_name in method.items() if api_name == operation)
        try:
            shape = model.input_shape
            fit = {} if shape is None else fitted(params, shape)
            return dict(getattr(client, name)(**fit))
        except ClientError as error:
            found = error.response.get("Error", {})
            request_id = error.response.get("ResponseMetadata", {}).get("RequestId", "")
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
            code = str(found.get("Code", ""))
            raise CallFailed(
                code,
                f"{found.get('Message', code)} (Service: {service}, Status Code: {status}, "
                f"Request ID: {request_id}) ({code})",
            ) from error
        except (BotoCoreError, ValueError, TypeError) as error:
            raise CallFailed("InvalidRequest", str(error)) from error


def fitted(value: Any, shape: Shape) -> Any:
    """Return a value as a member of this shape; what the shape does not know is left out.

    Raises:
        ValueError: a number was wanted.
    """
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        members = {name.lower(): name for name in shape.members}  # type: ignore[attr-defined]
        return {
            members[name.lower()]: fitted(each, shape.members[members[name.lower()]])  # type: ignore[attr-defined]
            for name, each in value.items()
            if name.lower() in members and each is not None
        }
    if kind == "list":
        parts = value if isinstance(value, list | tuple) else [value]
        return [fitted(each, shape.member) for each in parts]  # type: ignore[attr-defined]
    if kind == "map" and isinstance(value, Mapping):
        return {str(name): fitted(each, shape.value) for name, each in value.items()}  # type: ignore[attr-defined]
    return _scalar(value, kind)


def _scalar(value: Any, kind: str) -> Any:
    if kind == "string":
        return text_of(value)
    if kind in ("integer", "long"):
        return int(float(value)) if isinstance(value, str) else int(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return value.lower() == "true" if isinstance(value, str) else bool(value)
    if kind == "blob" and isinstance(value, str):
        return value.encode()
    return value


def text_of(value: Any) -> str:
    """Return a value as the API takes it in text: objects as JSON, booleans in lower case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"))
    return str(value)
