"""A function that calls AWS as it is told, with its own credentials or those it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.testing.deploy import Deployer

CALLER = """
import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def handler(event, context):
    own = {name: os.environ[name] for name in NAMES}
    if "call" not in event:
        return own
    given = {**own, **event.get("changes", {})}
    client = boto3.client(
        event["service"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=given["AWS_SESSION_TOKEN"] or None,
        config=Config(retries={"max_attempts": 0}),
    )
    try:
        answer = getattr(client, event["call"])(**event.get("params", {}))
    except ClientError as error:
        return {"code": error.response["Error"]["Code"], "text": error.response["Error"]["Message"]}
    if "Payload" in answer:
        answer["Payload"] = answer["Payload"].read().decode()
    return json.loads(json.dumps(answer, default=str))
"""


class RoleCaller:
    """The function on a daemon."""

    def __init__(self, user: Deployer, name: str = "caller", **config: Any) -> None:
        self._user = user
        self.name = name
        user.deploy(name, CALLER, Timeout=60, MemorySize=512, **config)

    def credentials(self) -> Mapping[str, str]:
        """Those of the environment that answers."""
        return dict(self._user.invoke(self.name, {}).payload)

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any] | None = None,
        changes: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """What the operation answered, or `code` and `text` of its error.

        `changes` are variables in place of those of the environment.
        """
        event = {"service": service, "call": operation, "params": dict(params or {})}
        answer = self._user.invoke(self.name, {**event, "changes": dict(changes or {})})
        assert answer.error is None, answer.payload
        return dict(answer.payload)
