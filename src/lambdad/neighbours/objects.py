"""Objects of S3, somebody else's or lambdad's own: where packages may be deployed from.

Decides how S3's refusals are told to whoever deploys; what is done with an object is the control
plane's business.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambdad.domain import limits
from lambdad.domain.errors import InvalidParameterValueException, ServiceException

_TIMEOUT_S = 20
_REGION = "us-east-1"


class S3Objects:
    """Reads objects by S3's protocol. See `lambdad.controlplane.ports.ObjectSource`.

    Mutable: the client, made when it is first needed.
    """

    def __init__(self, store: str) -> None:
        """`store` is the URL of an S3-compatible store, or `aws`."""
        self._endpoint_url = None if store == "aws" else store
        self._client: Any = None
        self._lock = threading.Lock()

    async def read(self, bucket: str, key: str, version: str | None, account_id: str) -> bytes:
        """Return an object's bytes; whoever deploys, the daemon's credentials read it.

        Raises:
            InvalidParameterValueException: with AWS's text, when it cannot be read.
        """
        return await asyncio.to_thread(self._read, bucket, key, version)

    def _read(self, bucket: str, key: str, version: str | None) -> bytes:
        request = {"Bucket": bucket, "Key": key, **({"VersionId": version} if version else {})}
        try:
            answer = self._s3().get_object(**request)
            # An archive is never larger than what it unpacks to may be, but for its directory.
            if answer["ContentLength"] > limits.UNZIPPED_BYTES_MAX:
                raise InvalidParameterValueException(
                    f"Unzipped size must be smaller than {limits.UNZIPPED_BYTES_MAX} bytes"
                )
            with answer["Body"] as body:
                return bytes(body.read())
        except ClientError as error:
            code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
            raise _refused(code, text) from error
        except BotoCoreError as error:
            where = self._endpoint_url or "AWS"
            raise _refused("ServiceUnavailable", f"{where} does not answer: {error}") from error

    def _s3(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        session = botocore.session.Session()
        # Off EC2 nobody answers there, and asking takes seconds.
        session.set_config_variable("metadata_service_num_attempts", 0)
        signing = {} if session.get_credentials() else {"signature_version": UNSIGNED}
        return session.create_client(
            "s3",
            region_name=session.get_config_variable("region") or _REGION,
            endpoint_url=self._endpoint_url,
            config=Config(
                connect_timeout=_TIMEOUT_S,
                read_timeout=_TIMEOUT_S,
                retries={"max_attempts": 2},
                s3={"addressing_style": "path" if self._endpoint_url else "auto"},
                **signing,
            ),
        )


class OwnObjects:
    """Reads objects of lambdad's own S3. See `lambdad.controlplane.ports.ObjectSource`."""

    def __init__(self, s3: Callable[[], Awaitable[Any]]) -> None:
        """`s3` returns the parts of the service, opened if need be."""
        self._s3 = s3

    async def read(self, bucket: str, key: str, version: str | None, account_id: str) -> bytes:
        """Return an object's bytes if the account may read it; raises like `S3Objects.read`."""
        try:
            content: bytes | None = await (await self._s3()).content(
                bucket, key, version, account_id=account_id, most=limits.UNZIPPED_BYTES_MAX
            )
        except ServiceException as error:
            raise _refused(error.code, error.message) from error
        if content is None:
            raise InvalidParameterValueException(
                f"Unzipped size must be smaller than {limits.UNZIPPED_BYTES_MAX} bytes"
            )
        return content


def _refused(code: str, text: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {text}",
        Type="User",
    )
