"""What one client changes under the crash test, and what it knows of it.

A world is one client's own function, layer, mapping, code signing configuration and log group.
What is known of it is a plain document; nothing in it was asked of the server.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.testing.deploy import zip_of

Model = dict[str, Any]
Params = dict[str, Any]

# Of the function, and gone with it.
ATTACHED: Mapping[str, Any] = {
    "aliases": {},
    "code_signing": False,
    "concurrency": None,
    "event_invoke": None,
    "function": None,
    "policy": [],
    "provisioned": {},
    "recursion": None,
    "runtime_management": None,
    "tags": {},
    "url": None,
    "versions": {},
}


@dataclass(frozen=True, slots=True)
class World:
    """Names of what one client changes; `round` counts how often it went through the script.

    Attributes:
        ids: what the server named: `mapping` and `signing`, when they are there.
    """

    name: str
    round: int
    ids: Mapping[str, str]

    @property
    def versions(self) -> tuple[str, str]:
        """The two that are published in this round: numbers are not used again."""
        return str(2 * self.round + 1), str(2 * self.round + 2)

    @property
    def arn(self) -> str:
        """Of the function."""
        return f"arn:aws:lambda:us-east-1:000000000000:function:{self.name}"

    @property
    def group(self) -> str:
        """Name of the log group."""
        return f"/crash/{self.name}"

    @property
    def group_arn(self) -> str:
        """Of the log group."""
        return f"arn:aws:logs:us-east-1:000000000000:log-group:{self.group}"

    @property
    def stream(self) -> str:
        """ARN of the stream that the group's events go to."""
        return f"arn:aws:kinesis:us-east-1:000000000000:stream/{self.name}"

    @property
    def source(self) -> str:
        """ARN of the queue that the mapping polls."""
        return f"arn:aws:sqs:us-east-1:000000000000:{self.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """One call: the operation, its parameters, and what it does to what is known."""

    service: str
    operation: str
    params: Callable[[World, Model], Params]
    effect: Callable[[World, Model], None]


def nothing() -> Model:
    """What a world is before its first step."""
    return json.loads(json.dumps(ATTACHED)) | {  # type: ignore[no-any-return]
        "layer": {},
        "layer_policy": [],
        "log_group": None,
        "mapping": None,
        "signing": None,
    }


def package(text: str) -> bytes:
    """Code that answers with a text."""
    return zip_of({"app.py": f"def handler(event, context):\n    return {text!r}\n"})


def digest(package_: bytes) -> str:
    """`CodeSha256` of a package."""
    return base64.b64encode(hashlib.sha256(package_).digest()).decode()


def put(facet: str, value: Callable[[World], Any]) -> Callable[[World, Model], None]:
    """An effect: this facet has that value."""

    def effect(world: World, model: Model) -> None:
        model[facet] = value(world)

    return effect


def named(**more: Any) -> Callable[[World, Model], Params]:
    """Parameters: the function by its name, and these."""
    return lambda world, _: {"FunctionName": world.name, **more}
