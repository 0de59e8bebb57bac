"""Puts functions on a running daemon with boto3 and calls them, as a user does."""

from __future__ import annotations

import base64
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

ROLE = "arn:aws:iam::000000000000:role/r"

# The Python that runs the tests is there for certain; no other version is.
RUNTIME = f"python3.{sys.version_info.minor}"


def zip_of(files: Mapping[str, str | bytes], *, executable: tuple[str, ...] = ()) -> bytes:
    """A package with these files; those named `executable` have mode 0755, the others 0644."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if name in executable else 0o100644) << 16
            package.writestr(entry, content)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an invocation gave.

    Attributes:
        payload: parsed JSON.
        error: `Unhandled`, or None.
        log: the tail of the log.
    """

    payload: Any
    error: str | None
    log: str


class Deployer:
    """A user with an SDK.

    Attributes:
        lambda_, logs, kinesis, sqs, sts: boto3 clients of the daemon.
    """

    def __init__(
        self, endpoint_url: str, *, account_id: str = "000000000000", region: str = "us-east-1"
    ) -> None:
        options: dict[str, Any] = {
            "endpoint_url": endpoint_url,
            "region_name": region,
            "aws_access_key_id": account_id,
            "aws_secret_access_key": "test",
            "config": Config(
                retries={"max_attempts": 0}, read_timeout=120, max_pool_connections=256
            ),
        }
        session = boto3.session.Session()
        self.lambda_ = session.client("lambda", **options)
        self.logs = session.client("logs", **options)
        self.kinesis = session.client("kinesis", **options)
        self.sqs = session.client("sqs", **options)
        self.sts = session.client("sts", **options)

    def deploy(
        self,
        name: str,
        files: str | Mapping[str, str | bytes],
        *,
        executable: tuple[str, ...] = (),
        **configuration: Any,
    ) -> None:
        """Create a function; a string is the source of `app.py`. Waits until it is active."""
        package = {"app.py": files} if isinstance(files, str) else files
        settings: dict[str, Any] = {
            "Runtime": RUNTIME,
            "Handler": "app.handler",
            "Role": ROLE,
            "Timeout": 30,
            "MemorySize": 256,
            **configuration,
        }
        self.lambda_.create_function(
            FunctionName=name, Code={"ZipFile": zip_of(package, executable=executable)}, **settings
        )
        self.lambda_.get_waiter("function_active_v2").wait(FunctionName=name)

    def invoke(self, name: str, event: Any = None) -> Answer:
        """Call a function and wait for its answer."""
        response = self.lambda_.invoke(
            FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail"
        )
        return Answer(
            payload=json.loads(response["Payload"].read()),
            error=response.get("FunctionError"),
            log=base64.b64decode(response["LogResult"]).decode(errors="replace"),
        )
