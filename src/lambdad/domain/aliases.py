"""An alias: a name of a function for one version, or for two that share its traffic. Pure.

Decides how an alias is stored as a resource and which version a request through it runs. Whether
an alias may be what a caller wants is the control plane's to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.resources import Resource, ResourceKey

ALIAS_KIND = "alias"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """An alias of a function.

    Attributes:
        function: whose alias it is.
        version: what it points to, a number or `$LATEST`.
        weights: share of the requests that another version gets, 0.0 to 1.0, by version.
        revision_id: changes at every change of the alias.
    """

    function: FunctionKey
    name: str
    version: str
    description: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)
    revision_id: str = ""

    @property
    def arn(self) -> str:
        """The alias's ARN: the function's, qualified with the alias."""
        return self.function.arn(self.name)

    @property
    def versions(self) -> tuple[str, ...]:
        """All versions that requests through it may run."""
        return (self.version, *self.weights)

    def choose(self, draw: float) -> str:
        """Return the version for one request; `draw` is uniform in [0, 1)."""
        for version, weight in self.weights.items():
            if draw < weight:
                return version
            draw -= weight
        return self.version


def names_alias(qualifier: str) -> bool:
    """Whether a qualifier can only name an alias: it is neither a number nor `$LATEST`."""
    return not qualifier.isdigit() and not qualifier.startswith(LATEST)


def alias_key(function: FunctionKey, name: str) -> ResourceKey:
    """Return the key under which an alias is stored; those of a function sort by alias."""
    return ResourceKey(
        kind=ALIAS_KIND,
        account_id=function.account_id,
        region=function.region,
        name=f"{function.name}:{name}",
    )


def to_resource(alias: Alias) -> Resource:
    """Return an alias as it is stored."""
    return Resource(
        key=alias_key(alias.function, alias.name),
        function=alias.function.name,
        revision=alias.revision_id,
        document={
            "version": alias.version,
            "description": alias.description,
            "weights": dict(alias.weights),
        },
    )


def from_resource(function: FunctionKey, resource: Resource) -> Alias:
    """Return the alias that a stored resource describes."""
    document = resource.document
    return Alias(
        function=function,
        name=resource.key.name.partition(":")[2],
        version=document["version"],
        description=document["description"],
        weights=document["weights"],
        revision_id=resource.revision,
    )
