"""Calls of published versions, and what they have written."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lambdad.testing.asking import asking
from lambdad.testing.deploy import Deployer


class VersionOwner(Deployer):
    """Publishes versions, in the way of its subclass, and calls them."""

    def call(self, name: str, qualifier: str = "1", **event: Any) -> tuple[Any, str]:
        """Payload and log of an invocation."""
        answer = self.lambda_.invoke(
            FunctionName=name,
            Qualifier=qualifier,
            Payload=json.dumps(event).encode(),
            LogType="Tail",
        )
        return json.loads(answer["Payload"].read()), base64.b64decode(answer["LogResult"]).decode()

    def at_once(self, name: str, number: int, **event: Any) -> Sequence[tuple[Any, str]]:
        """Payloads and logs of as many invocations, which the event has to keep long enough."""
        with ThreadPoolExecutor(number) as threads:
            calls = [threads.submit(self.call, name, **event) for _ in range(number)]
            return [call.result() for call in calls]

    def written(self, name: str, of: str) -> list[str]:
        """The lines of all log streams, once there is one that contains `of`.

        Raises:
            AssertionError: there is none after two minutes.
        """
        group = f"/aws/lambda/{name}"
        for _ in asking():
            with contextlib.suppress(self.logs.exceptions.ResourceNotFoundException):
                events = self.logs.filter_log_events(logGroupName=group)["events"]
                lines = [event["message"] for event in events]
                if any(of in line for line in lines):
                    return lines
        raise AssertionError(f"no line with {of}")
