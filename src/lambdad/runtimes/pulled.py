"""Runtimes that come from AWS's base images instead of this host's languages.

Decides which image serves which identifier; whether it is there is known to whoever keeps images.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from lambdad.runtimes.base import Runtime

# AWS's own registry of them, open to all.
REPOSITORY = "public.ecr.aws/lambda"

_IDENTIFIER = re.compile(
    r"(?:(?P<language>python|ruby|dotnet)(?P<version>[\d.]+)"
    r"|(?P<node>nodejs)(?P<major>\d+)\.x"
    r"|(?P<java>java)(?P<java_version>\d+(?:\.al2)?)"
    r"|(?P<provided>provided)\.(?P<system>al2|al2023))"
)


class PulledRuntimes(Protocol):
    """The runtimes that were pulled."""

    def find(self, identifier: str) -> Runtime | None:
        """Return the one that serves an identifier; None when none was pulled for it."""
        ...


class Provider(Protocol):
    """See `catalogue.Provider`."""

    def identifiers(self) -> Sequence[str]:
        """Every identifier of the family."""
        ...

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return version and place."""
        ...

    def find(self, identifier: str) -> Runtime:
        """Return the runtime."""
        ...


class PulledFirst:
    """A language family, of which what was pulled comes first."""

    def __init__(self, provider: Provider, pulled: PulledRuntimes) -> None:
        self._provider = provider
        self._pulled = pulled

    def identifiers(self) -> Sequence[str]:
        """See `RuntimeProvider`."""
        return self._provider.identifiers()

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return exact version and place; raises `HostUnfit`."""
        runtime = self._pulled.find(identifier)
        if runtime is not None:
            return runtime.version, runtime.source
        return self._provider.locate(identifier)

    def find(self, identifier: str) -> Runtime:
        """See `RuntimeProvider`."""
        return self._pulled.find(identifier) or self._provider.find(identifier)


def image_of(identifier: str, repository: str = REPOSITORY) -> str | None:
    """Return the URI of AWS's base image of an identifier; None when there is none."""
    found = _IDENTIFIER.fullmatch(identifier)
    if found is None:
        return None
    name, tag = (text for text in found.groups() if text is not None)
    return f"{repository}/{name}:{tag}"
