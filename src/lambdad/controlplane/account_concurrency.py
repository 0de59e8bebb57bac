"""How much of an account's concurrency in a region is set aside, and how much may still be.

Sums over what is stored; what runs at this moment is the data plane's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from weakref import WeakValueDictionary

from lambdad.domain.arns import FunctionKey
from lambdad.domain.concurrency import (
    PROVISIONED_KIND,
    RESERVED_KIND,
    UNRESERVED_MIN,
    ProvisionedConfig,
    Reservation,
    claimed,
    reserved_key,
)
from lambdad.storage.base import ResourceStore


class AccountConcurrency:
    """The concurrency of all accounts and regions; every one has the same limit.

    Mutable: the locks by account and region, each as long as somebody holds or awaits it.
    """

    def __init__(self, resources: ResourceStore, limit: int) -> None:
        self.limit = limit
        self._resources = resources
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    @property
    def unreserved_min(self) -> int:
        """What cannot be set aside; AWS: all of it in an account that has less than that."""
        return min(UNRESERVED_MIN, self.limit)

    def lock(self, key: FunctionKey) -> asyncio.Lock:
        """Held while concurrency is set aside, so that two do not take the same."""
        name = (key.account_id, key.region)
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock

    def unreserved(self, account_id: str, region: str) -> int:
        """How much is not set aside; negative when the limit was lowered since."""
        reserved = self._reservations(account_id, region)
        return self.limit - claimed(reserved, self._provisioned(account_id, region))

    def claim_of(self, key: FunctionKey) -> int:
        """How much is set aside for a function: its reservation or else what is provisioned."""
        reserved = self.reserved(key)
        return self.provisioned(key) if reserved is None else reserved

    def reserved(self, key: FunctionKey) -> int | None:
        """The function's reservation, or None."""
        resource = self._resources.get(reserved_key(key))
        return None if resource is None else Reservation.of(resource).limit

    def provisioned(self, key: FunctionKey, *, but: str | None = None) -> int:
        """The provisioned concurrency of all versions and aliases of a function `but` one."""
        configs = self._provisioned(key.account_id, key.region, prefix=f"{key.name}:")
        return sum(config.requested for config in configs if config.qualifier != but)

    def _reservations(self, account_id: str, region: str) -> Mapping[str, int]:
        found = map(Reservation.of, self._resources.list(RESERVED_KIND, account_id, region))
        return {reservation.key.name: reservation.limit for reservation in found}

    def _provisioned(
        self, account_id: str, region: str, *, prefix: str = ""
    ) -> Sequence[ProvisionedConfig]:
        found = self._resources.list(PROVISIONED_KIND, account_id, region, prefix=prefix)
        return [ProvisionedConfig.of(resource) for resource in found]
