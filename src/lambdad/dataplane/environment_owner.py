"""Who has environments, as these know them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lambdad.dataplane.environment import ExecutionEnvironment


class EnvironmentOwner(Protocol):
    """Who is told that an environment is free again, or gone."""

    def environment_free(self, environment: ExecutionEnvironment) -> None:
        """Its work is done and it can take another (IDLE or RESET)."""
        ...

    def environment_lost(self, environment: ExecutionEnvironment) -> None:
        """It is gone, or about to go, and cannot be used again."""
        ...

    def discard(self, environment: ExecutionEnvironment) -> None:
        """It is to be closed."""
        ...
