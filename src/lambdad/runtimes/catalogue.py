"""Which runtime identifiers exist, and what on this host serves them."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.errors import HostUnfit
from lambdad.domain.runtimes import SUPPORTED_RUNTIMES
from lambdad.runtimes.background import Background
from lambdad.runtimes.base import Runtime, RuntimeProvider, RuntimeReport
from lambdad.runtimes.dotnet import DotnetProvider
from lambdad.runtimes.go1x import Go1xProvider
from lambdad.runtimes.installations import VersionCache
from lambdad.runtimes.java import JavaProvider
from lambdad.runtimes.nodejs import NodejsProvider
from lambdad.runtimes.provided import ProvidedProvider
from lambdad.runtimes.pulled import PulledFirst, PulledRuntimes
from lambdad.runtimes.python import PythonProvider
from lambdad.runtimes.python2 import Python2Provider
from lambdad.runtimes.ruby import RubyProvider

_LOGGER = logging.getLogger(__name__)
# `3.12` of python3.12, `17` of java17.al2023, `20` of nodejs20.x.
_VERSION = re.compile(r"\d+(?:\.\d+)?(?!\d)")
# A host is left alone for so long after something was asked for that it has to get ready.
_QUIET_S = 1.0


class Provider(RuntimeProvider, Protocol):
    """A language family that can also say where it is without preparing it."""

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return exact version and place; raises `HostUnfit`."""
        ...


class Catalogue:
    """Every runtime identifier that lambdad knows.

    Nothing is looked for until it is asked for; then each interpreter is asked for its version
    at most once, and what it said is kept in `cache_dir`. `variables` are the environment
    variables that version managers put their places in (`PYENV_ROOT`, `NVM_DIR`, ...); what was
    `pulled` serves before what the host has.
    Methods may be called from any thread; `close` ends the background work.
    """

    def __init__(
        self,
        config: RuntimesConfig,
        cache_dir: Path,
        *,
        variables: Mapping[str, str] = MappingProxyType({}),
        pulled: PulledRuntimes | None = None,
    ) -> None:
        self._found: dict[str, Runtime] = {}
        self._asked = 0
        self._background = Background("runtimes")
        # Sandboxes are given absolute paths.
        cache_dir = cache_dir.absolute()
        versions = VersionCache(cache_dir / "interpreters.json")
        python = PythonProvider(config, cache_dir, versions, variables, self._background)
        providers: Sequence[Provider] = (
            python,
            Python2Provider(config, cache_dir, versions, variables),
            Go1xProvider(python, cache_dir),
            NodejsProvider(config, cache_dir, versions, variables),
            JavaProvider(config, cache_dir, variables),
            DotnetProvider(config, cache_dir, variables),
            RubyProvider(config, cache_dir, versions, variables),
            ProvidedProvider(),
        )
        if pulled is not None:
            providers = [PulledFirst(provider, pulled) for provider in providers]
        self._providers = {name: item for item in providers for name in item.identifiers()}

    def known(self, identifier: str) -> bool:
        """Whether AWS has such an identifier and lambdad can serve it on a fitting host."""
        return identifier in self._providers

    def supported_identifiers(self) -> list[str]:
        """Every known identifier, in the order in which AWS prints them."""
        return [identifier for identifier in SUPPORTED_RUNTIMES if identifier in self._providers]

    def unavailable(self, identifier: str) -> str | None:
        """None when this host serves the identifier, else cause and remedy in one sentence."""
        try:
            self._provider(identifier).locate(identifier)
        except HostUnfit as unfit:
            return str(unfit)
        return None

    def find(self, identifier: str) -> Runtime:
        """Return what serves an identifier. Cheap but for the first time: up to a second.

        Raises:
            HostUnfit: this host has nothing that does.
        """
        self._asked += 1
        return self._find(identifier)

    def _find(self, identifier: str) -> Runtime:
        runtime = self._provider(identifier).find(identifier)
        if identifier not in self._found:
            self._found[identifier] = runtime
            if _stands_in(identifier, runtime.version):
                _LOGGER.warning(
                    "%s is served by version %s (%s), which stands in for it: what works here "
                    "may fail at AWS, and the other way round",
                    *(identifier, runtime.version, runtime.source),
                )
        return runtime

    def report(self) -> list[RuntimeReport]:
        """Say for each known identifier what serves it here."""
        return [self._report(identifier) for identifier in sorted(self._providers)]

    def prepare(self) -> None:
        """Do now what the first `find` of each runtime would do. Takes seconds; for a thread.

        One after the other, and not while somebody is in a hurry. Ends early when the catalogue
        is closed meanwhile.
        """
        own = "python{}.{}".format(*sys.version_info[:2])
        # The likeliest first: the host has that version, and all of them share the AWS SDK.
        for identifier in sorted(self.supported_identifiers(), key=lambda it: it != own):
            if self._background.closing:
                return
            if self.unavailable(identifier) is None:
                self._find(identifier)
                self._rest()

    def _rest(self) -> None:
        """Wait until nobody has asked for a runtime for a while."""
        asked = None
        while asked != self._asked and not self._background.closing:
            asked = self._asked
            self._background.pause(_QUIET_S)

    def close(self) -> None:
        """End the background work, whatever it is at."""
        self._background.close()

    def _provider(self, identifier: str) -> Provider:
        try:
            return self._providers[identifier]
        except KeyError:
            raise HostUnfit(
                f"The runtime {identifier} is not known to lambdad.",
                f"Choose one of {', '.join(self.supported_identifiers())}.",
            ) from None

    def _report(self, identifier: str) -> RuntimeReport:
        try:
            version, source = self._provider(identifier).locate(identifier)
        except HostUnfit as unfit:
            return RuntimeReport(
                identifier=identifier, version=None, source=unfit.cause, remedy=unfit.remedy
            )
        found = self._found.get(identifier)
        return RuntimeReport(
            identifier=identifier,
            version=version,
            source=source,
            stands_in=_stands_in(identifier, version),
            prepared=found is not None,
            prewarmed=found is not None and (found.ahead or found.zygote is not None),
        )


def _stands_in(identifier: str, version: str) -> bool:
    """Whether a version is another one than an identifier names; `go1.x` names none of ours."""
    wanted = _VERSION.search(identifier)
    if not version or wanted is None:
        return False
    numbers = wanted[0].split(".")
    return version.split(".")[: len(numbers)] != numbers
