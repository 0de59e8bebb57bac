"""Layers: how they are named, and which tree of files several of them make together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lambdad.domain.arns import PARTITION

_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:"
    r"(?P<name>[a-zA-Z0-9-_]+)(:(?P<version>[0-9]+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerKey:
    """The identity of a layer: account, region and name."""

    account_id: str
    region: str
    name: str

    def arn(self, version: int | None = None) -> str:
        """The layer's ARN, or that of one of its versions."""
        base = f"arn:{PARTITION}:lambda:{self.region}:{self.account_id}:layer:{self.name}"
        return base if version is None else f"{base}:{version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReference:
    """What a layer's ARN names; `version` is None in the ARN of a layer."""

    key: LayerKey
    version: int | None


def parse_layer_arn(text: str) -> LayerReference | None:
    """Read the ARN of a layer or of a layer version; None when the text is neither."""
    match = _ARN.fullmatch(text)
    if match is None:
        return None
    key = LayerKey(account_id=match["account"], region=match["region"], name=match["name"])
    return LayerReference(key=key, version=int(match["version"]) if match["version"] else None)


def merged_digest(digests: Sequence[str]) -> str:
    """Return the key of the tree that packages make when they are laid over each other in order.

    One package is its own tree; for more the key is a SHA-256 in hex, as that of a package is.
    """
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(("merged", *digests)).encode()).hexdigest()
