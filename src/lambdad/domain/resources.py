"""What belongs to functions and is stored as a document: aliases, policies, configurations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceKey:
    """The identity of a resource.

    Attributes:
        kind: `alias`, `layer-version`, `policy`, ...; its owner chooses and documents it.
        name: unique within kind, account and region; sorts as its listings do.
    """

    kind: str
    account_id: str
    region: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A stored resource.

    Attributes:
        function: name of the function it goes with when that is deleted, or None.
        revision: changes with every change; compared before a replacement.
        document: what its owner keeps, as JSON values; immutable by convention.
    """

    key: ResourceKey
    function: str | None
    revision: str
    document: Mapping[str, Any]


# Kinds that a function has by qualifier: their names are `function:qualifier`, and what belongs to
# a version or an alias is deleted with it.
QUALIFIED_KINDS = (
    "event-invoke-config",
    "function-url",
    "policy",
    "provisioned-concurrency",
    "runtime-management",
)


def qualified_keys(
    account_id: str, region: str, function: str, qualifier: str
) -> Sequence[ResourceKey]:
    """Return the keys of everything that may belong to a version or an alias."""
    return [
        ResourceKey(kind=kind, account_id=account_id, region=region, name=f"{function}:{qualifier}")
        for kind in QUALIFIED_KINDS
    ]
