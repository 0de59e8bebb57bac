"""Runtimes that the function brings itself: `bootstrap` in its package or in a layer."""

from __future__ import annotations

from collections.abc import Sequence

from lambdad.domain.environments import LAYER_ROOT, TASK_ROOT
from lambdad.runtimes.base import Runtime

_IDENTIFIERS = ("provided.al2023", "provided.al2")


class ProvidedProvider:
    """Serves `provided.*`: every host can."""

    def identifiers(self) -> Sequence[str]:
        """Every identifier of the family."""
        return _IDENTIFIERS

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return version and place for people; nothing has to be there."""
        del identifier
        return "", "bootstrap of the function"

    def find(self, identifier: str) -> Runtime:
        """Return the runtime, without a command: see `Runtime.entrypoints`."""
        return Runtime(
            identifier=identifier,
            version="",
            source="bootstrap of the function",
            argv=(),
            entrypoints=(f"{TASK_ROOT}/bootstrap", f"{LAYER_ROOT}/bootstrap"),
            mounts=(),
            ahead=True,
        )
