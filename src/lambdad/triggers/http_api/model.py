"""What an HTTP API is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]

PARTS = (
    "authorizer",
    "deployment",
    "integration",
    "integrationresponse",
    "model",
    "route",
    "routeresponse",
    "stage",
)


@dataclass(eq=False, slots=True)
class Api:
    """An API with its parts. Mutable: changed on the event loop once the change is durable.

    Attributes:
        document: members of the API, as GetApi answers them.
        parts: members of routes, stages, ... by kind and identifier.
    """

    account_id: str
    region: str
    document: Document
    parts: dict[str, dict[str, Document]] = field(
        default_factory=lambda: {kind: {} for kind in PARTS}
    )

    @property
    def api_id(self) -> str:
        """Ten characters, unique among all APIs."""
        return str(self.document["ApiId"])

    @property
    def protocol(self) -> str:
        """`HTTP` or `WEBSOCKET`."""
        return str(self.document["ProtocolType"])

    @property
    def execute_arn(self) -> str:
        """What callers call, as policies name it: stage, method and path follow."""
        return f"arn:aws:execute-api:{self.region}:{self.account_id}:{self.api_id}"
