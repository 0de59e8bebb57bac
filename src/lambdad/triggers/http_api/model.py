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
# What a deployment keeps as it was.
DEPLOYED = ("authorizer", "integration", "integrationresponse", "model", "route", "routeresponse")
_SERVED = "_served"


@dataclass(eq=False, slots=True)
class Api:
    """An API with its parts. Mutable: changed on the event loop once the change is durable.

    Attributes:
        document: members of the API, as GetApi answers them.
        parts: members of routes, stages, ... by kind and identifier.
        authorizers_epoch: grows when what authorizers answered is to be forgotten.
        found: what requests were found to ask for; whoever changes the rest empties it.
    """

    account_id: str
    region: str
    document: Document
    parts: dict[str, dict[str, Document]] = field(
        default_factory=lambda: {kind: {} for kind in PARTS}
    )
    authorizers_epoch: int = 0
    found: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def api_id(self) -> str:
        """Ten characters, unique among all APIs."""
        return str(self.document["ApiId"])

    def snapshot(self) -> Document:
        """Return what a deployment made now is to serve, as members of its document."""
        return {_SERVED: {kind: dict(self.parts[kind]) for kind in DEPLOYED}}

    def served(self, stage: str) -> Mapping[str, Mapping[str, Document]]:
        """Return the parts that a stage serves: those of now, or of its deployment."""
        document = self.parts["stage"][stage]
        if document.get("AutoDeploy"):
            return self.parts
        deployment = self.parts["deployment"].get(str(document.get("DeploymentId")))
        if deployment is None:
            return {kind: {} for kind in DEPLOYED}
        found: Mapping[str, Mapping[str, Document]] = deployment.get(_SERVED) or self.parts
        return found

    @property
    def protocol(self) -> str:
        """`HTTP` or `WEBSOCKET`."""
        return str(self.document["ProtocolType"])

    @property
    def execute_arn(self) -> str:
        """What callers call, as policies name it: stage, method and path follow."""
        return f"arn:aws:execute-api:{self.region}:{self.account_id}:{self.api_id}"
