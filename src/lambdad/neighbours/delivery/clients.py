"""Calls of AWS's API at lambdad's own endpoint, for targets that a real service may stand behind.

Mutable: clients by service, account and region; made when they are first needed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.session import Session

from lambdad.neighbours.delivery.model import DeliveryFailed

_THREADS = 8
_CONNECT_TIMEOUT_S = 3
_READ_TIMEOUT_S = 10
_MISSING = (
    "NotFound",
    "ResourceNotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "StateMachineDoesNotExist",
)
_FOR_NOW = ("Throttl", "TooManyRequests", "ProvisionedThroughputExceeded", "RequestLimit")
_SERVER_ERROR = 500


class AwsCalls:
    """See the module."""

    def __init__(
        self, endpoint_url: str, access_key: Callable[[str], tuple[str, str]], name: str
    ) -> None:
        """`access_key` returns an account's key id and secret; `name` is the calling service's."""
        self._endpoint_url = endpoint_url
        self._access_key = access_key
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"{name}-calls")
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._session: Session | None = None
        self._lock = threading.Lock()

    async def call(
        self, service: str, account_id: str, region: str, operation: str, **params: Any
    ) -> Any:
        """Call an operation by its method name, `put_record`.

        Raises:
            DeliveryFailed: it ended in an error.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, self._call, (service, account_id, region), operation, params
        )

    def close(self) -> None:
        """Begin no more calls."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _call(self, who: tuple[str, str, str], operation: str, params: dict[str, Any]) -> Any:
        try:
            return getattr(self._client(who), operation)(**params)
        except ClientError as error:
            raise _failure(error) from error
        except HTTPClientError as error:
            raise DeliveryFailed("SDK_CLIENT_ERROR", str(error)) from error
        except BotoCoreError as error:
            raise DeliveryFailed("SDK_CLIENT_ERROR", str(error), final=True) from error

    def _client(self, who: tuple[str, str, str]) -> Any:
        service, account_id, region = who
        with self._lock:
            client = self._clients.get(who)
            if client is None:
                if self._session is None:
                    nothing: Any = (None, None, None, None)
                    variables = {"profile": nothing, "config_file": nothing}
                    self._session = Session(session_vars=variables)
                access_key, secret = self._access_key(account_id)
                client = self._clients[who] = self._session.create_client(
                    service,
                    endpoint_url=self._endpoint_url,
                    region_name=region,
                    aws_access_key_id=access_key,
                    aws_secret_access_key=secret,
                    config=Config(
                        retries={"total_max_attempts": 1},
                        connect_timeout=_CONNECT_TIMEOUT_S,
                        read_timeout=_READ_TIMEOUT_S,
                        proxies={},
                    ),
                )
            return client


def _failure(error: ClientError) -> DeliveryFailed:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _SERVER_ERROR))
    if code in _MISSING:
        return DeliveryFailed("RESOURCE_NOT_FOUND", str(error), final=True)
    if "AccessDenied" in code or "AuthorizationError" in code:
        return DeliveryFailed("NO_PERMISSIONS", str(error), final=True)
    passing = status >= _SERVER_ERROR or any(each in code for each in _FOR_NOW)
    return DeliveryFailed("SDK_CLIENT_ERROR", str(error), final=not passing)
