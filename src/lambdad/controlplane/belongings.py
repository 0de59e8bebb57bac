"""What is deleted with a version or an alias. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lambdad.domain.arns import FunctionKey
from lambdad.domain.resources import qualified_keys
from lambdad.storage.base import Change, DeleteResource, ResourceStore


def belongings(resources: ResourceStore, key: FunctionKey, qualifier: str) -> Sequence[Change]:
    """Return the removal of everything that belongs to one version or alias of a function."""
    return [
        DeleteResource(key=owned)
        for owned in qualified_keys(key.account_id, key.region, key.name, qualifier)
        if resources.get(owned) is not None
    ]
