"""Reserved and provisioned concurrency: how they are stored, and what has become of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lambdad.domain.arns import FunctionKey
from lambdad.domain.resources import Resource, ResourceKey

RESERVED_KIND = "reserved-concurrency"
PROVISIONED_KIND = "provisioned-concurrency"

# Developer guide: this much of an account's concurrency cannot be reserved; accounts that have
# less than that can reserve nothing.
UNRESERVED_MIN = 100


class ProvisionedStatus(StrEnum):
    """`Status` of provisioned concurrency."""

    IN_PROGRESS = "IN_PROGRESS"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedState:
    """How far provisioned concurrency has come.

    Attributes:
        allocated: environments that are kept initialised for it.
        available: those of them that are not being replaced.
        reason: why it failed, else None.
    """

    status: ProvisionedStatus
    allocated: int
    available: int
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedConfig:
    """What was asked for: so many environments for a version or an alias.

    Attributes:
        last_modified: as on the wire, `2025-11-24T22:54:31+0000`.
    """

    key: FunctionKey
    qualifier: str
    requested: int
    last_modified: str
    revision: str

    @property
    def resource(self) -> Resource:
        """As it is stored."""
        return Resource(
            key=provisioned_key(self.key, self.qualifier),
            function=self.key.name,
            revision=self.revision,
            document={"Requested": self.requested, "LastModified": self.last_modified},
        )

    @staticmethod
    def of(resource: Resource) -> ProvisionedConfig:
        """As it was stored."""
        name, _, qualifier = resource.key.name.partition(":")
        return ProvisionedConfig(
            key=_function_key(resource.key, name),
            qualifier=qualifier,
            requested=resource.document["Requested"],
            last_modified=resource.document["LastModified"],
            revision=resource.revision,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Concurrency that is set aside for a function."""

    key: FunctionKey
    limit: int
    revision: str

    @property
    def resource(self) -> Resource:
        """As it is stored."""
        return Resource(
            key=reserved_key(self.key),
            function=self.key.name,
            revision=self.revision,
            document={"Limit": self.limit},
        )

    @staticmethod
    def of(resource: Resource) -> Reservation:
        """As it was stored."""
        return Reservation(
            key=_function_key(resource.key, resource.key.name),
            limit=resource.document["Limit"],
            revision=resource.revision,
        )


def reserved_key(key: FunctionKey) -> ResourceKey:
    """Where a function's reservation is stored."""
    return ResourceKey(
        kind=RESERVED_KIND, account_id=key.account_id, region=key.region, name=key.name
    )


def provisioned_prefix(key: FunctionKey) -> str:
    """What the names of a function's provisioned concurrency begin with."""
    return f"{key.name}:"


def provisioned_key(key: FunctionKey, qualifier: str) -> ResourceKey:
    """Where the provisioned concurrency of a version or an alias is stored."""
    return ResourceKey(
        kind=PROVISIONED_KIND,
        account_id=key.account_id,
        region=key.region,
        name=f"{provisioned_prefix(key)}{qualifier}",
    )


def claimed(reserved: Mapping[str, int], provisioned: Iterable[ProvisionedConfig]) -> int:
    """How much of an account's concurrency in a region is set aside.

    Provisioned concurrency of a function with a reservation lies within that.
    """
    return sum(reserved.values()) + sum(
        config.requested for config in provisioned if config.key.name not in reserved
    )


def share(number: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Deal environments out to versions by the weights of an alias's routing; none is lost.

    The first version gets what rounding leaves.
    """
    first, *others = weights
    dealt = {version: int(number * weights[version] + 0.5) for version in others}
    return {first: number - sum(dealt.values()), **dealt}


def _function_key(key: ResourceKey, name: str) -> FunctionKey:
    return FunctionKey(account_id=key.account_id, region=key.region, name=name)
