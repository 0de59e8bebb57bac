"""Whether a function may be part of a loop of invocations that feeds itself.

Noticing loops is none of this module's business.
"""

from __future__ import annotations

from lambdad.controlplane import configuration
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.references import Target, not_found
from lambdad.domain.arns import FunctionKey
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.base import Engine

RECURSION_CONFIG_KIND = "recursion-config"

_DEFAULT = "Terminate"


class RecursionConfigs:
    """`RecursiveLoop` of all functions: `Terminate` unless `Allow` was put."""

    def __init__(self, engine: Engine, *, locks: FunctionLocks) -> None:
        self._engine = engine
        self._locks = locks

    def get(self, target: Target) -> str:
        """Return `Terminate` or `Allow`.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        self._check_function(target)
        resource = self._engine.resources.get(_key(target.key))
        return _DEFAULT if resource is None else str(resource.document["recursive_loop"])

    async def put(self, target: Target, recursive_loop: str) -> None:
        """Set it.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        async with self._locks.of(target.key):
            self._check_function(target)
            await self._engine.resources.put(
                Resource(
                    key=_key(target.key),
                    function=target.key.name,
                    revision=configuration.new_revision(),
                    document={"recursive_loop": recursive_loop},
                )
            )

    def _check_function(self, target: Target) -> None:
        if self._engine.functions.get(target.key) is None:
            raise not_found(target)


def _key(function: FunctionKey) -> ResourceKey:
    return ResourceKey(
        kind=RECURSION_CONFIG_KIND,
        account_id=function.account_id,
        region=function.region,
        name=function.name,
    )
