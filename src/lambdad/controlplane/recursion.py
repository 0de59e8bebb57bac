"""Whether a function may be part of a loop of invocations that feeds itself.

Noticing loops is none of this module's business.
"""

from __future__ import annotations

from lambdad.controlplane import configuration
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.references import Target, not_found
from lambdad.domain.recursion import recursion_config_key, recursive_loop
from lambdad.domain.resources import Resource
from lambdad.storage.base import Engine


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
        resource = self._engine.resources.get(recursion_config_key(target.key))
        return recursive_loop(resource)

    async def put(self, target: Target, choice: str) -> None:
        """Set it.

        Raises:
            ResourceNotFoundException: there is no such function.
        """
        async with self._locks.of(target.key):
            self._check_function(target)
            await self._engine.resources.put(
                Resource(
                    key=recursion_config_key(target.key),
                    function=target.key.name,
                    revision=configuration.new_revision(),
                    document={"recursive_loop": choice},
                )
            )

    def _check_function(self, target: Target) -> None:
        if self._engine.functions.get(target.key) is None:
            raise not_found(target)
