"""What the daemon tells the person who started it.

`lambdad.server.main.serve` calls an `Announcer` at each turn of its life; how that looks is
the command line's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lambdad.sandbox.base import GuardState, SandboxBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """How the daemon stands when it begins to serve.

    Attributes:
        endpoint_url: as a client on this host reaches it.
        backend: name of the sandbox backend in use.
        isolated: False when functions run without isolation.
        data_dir: absolute.
        warnings: one line each: guards that are missing or degraded, with the remedy.
        started_in_s: from start to now, in seconds.
    """

    endpoint_url: str
    backend: str
    isolated: bool
    data_dir: Path
    warnings: Sequence[str] = field(default_factory=tuple)
    started_in_s: float | None = None


class Announcer(Protocol):
    """Someone to tell; must neither raise nor block."""

    def ready(self, readiness: Readiness) -> None:
        """Requests are being served."""
        ...

    def draining(self, running: int) -> None:
        """New requests are refused; `running` invocations may finish."""
        ...

    def stopped(self) -> None:
        """Everything is taken down."""
        ...


class Silence:
    """An `Announcer` that says nothing."""

    def ready(self, readiness: Readiness) -> None:
        """See :class:`Announcer`."""

    def draining(self, running: int) -> None:
        """See :class:`Announcer`."""

    def stopped(self) -> None:
        """See :class:`Announcer`."""


def weaknesses(backend: SandboxBackend) -> list[str]:
    """Return a line for each guard of a backend that is missing or degraded."""
    return [
        f"{guard.name} is {guard.state}: {guard.detail} {guard.remedy}".rstrip()
        for guard in backend.guards()
        if guard.state is not GuardState.ACTIVE
    ]
