"""Java: `java8` to `java25`, by AWS's own runtime interface client on a JDK of that version."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.environments import LANGUAGE_DIR, RUNTIME_DIR, TASK_ROOT, Mount
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes import java_client, java_library
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.installations import Installation, installed_below, stand_in
from lambdad.runtimes.java_files import RESTORER, java_runtime_dir

_LOGGER = logging.getLogger(__name__)
_MAJORS = {
    "java8": 8,
    "java8.al2": 8,
    "java8.al2023": 8,
    "java11": 11,
    "java11.al2023": 11,
    "java17": 17,
    "java17.al2023": 17,
    "java21": 21,
    "java25": 25,
}
# `1.8.0_402` of old, `17.0.15` since Java 9.
_RELEASE = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d+)(?:\.(\d+))?(?:[._](\d+))?', re.MULTILINE)


class JavaProvider:
    """Finds and prepares Java. Mutable: what was found, guarded by a lock."""

    def __init__(
        self, config: RuntimesConfig, cache_dir: Path, variables: Mapping[str, str]
    ) -> None:
        self._config = config
        self._roots = (*config.search, *_usual_roots(variables))
        self._cache_dir = cache_dir
        self._lock = threading.RLock()
        self._installed: dict[int, Installation] | None = None
        self._runtimes: dict[str, Runtime] = {}

    def identifiers(self) -> Sequence[str]:
        """Every identifier of the family."""
        return tuple(_MAJORS)

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return version and place of the `java` program, without preparing it.

        Raises:
            HostUnfit: this host has no such Java, or not AWS's client for it.
        """
        installation = self._installation(identifier)
        self._client()
        return installation.text, str(installation.binary)

    def find(self, identifier: str) -> Runtime:
        """Return the runtime; the first time some files are copied.

        Raises:
            HostUnfit: this host has no such Java, or it cannot be prepared.
        """
        with self._lock:
            runtime = self._runtimes.get(identifier)
            if runtime is None:
                runtime = self._prepare(identifier, self._installation(identifier))
                self._runtimes[identifier] = runtime
        return runtime

    def _installation(self, identifier: str) -> Installation:
        major = _MAJORS[identifier]
        with self._lock:
            if self._installed is None:
                self._installed = self._discover()
            found = self._installed.get(major)
            if found is None and self._config.fallback:
                found = stand_in(self._installed, major)
        if found is None:
            raise HostUnfit(
                f"Java {major} is not installed on this host.",
                f"Install it (`apt-get install openjdk-{major}-jre-headless`, `sdk install java` "
                "or a package of adoptium.net), or name the directory that holds it in "
                "`runtimes.search` of the configuration, and restart lambdad.",
            )
        return found

    def _discover(self) -> dict[int, Installation]:
        found: dict[int, Installation] = {}
        for root in self._roots:
            best: dict[int, Installation] = {}
            for program in installed_below([root], "java"):
                item = _installation_of(program.resolve())
                if item is None:
                    continue
                major = item.version[0]
                if major not in best or best[major].version < item.version:
                    best[major] = item
            found = best | found
        return found

    def _client(self) -> Path:
        """Return the directory of AWS's client; raises `HostUnfit` when it is not there."""
        place = self._config.java_client or java_client.default_place(self._cache_dir)
        if not java_client.is_complete(place):
            raise HostUnfit(
                "AWS's runtime interface client for Java is not on this host.",
                "Run `lambdad runtimes install java`, which fetches it from Maven Central once.",
            )
        return place

    def _prepare(self, identifier: str, installation: Installation) -> Runtime:
        binary = str(installation.binary)
        if not installation.visible:
            binary = f"{LANGUAGE_DIR}/bin/java"
        place = java_runtime_dir(installation, binary, self._client(), self._cache_dir)
        mounts = [Mount(source=place, target=RUNTIME_DIR)]
        if not installation.visible:
            mounts.append(Mount(source=installation.prefix, target=LANGUAGE_DIR))
        major = installation.version[0]
        return Runtime(
            identifier=identifier,
            version=installation.text,
            source=str(installation.binary),
            argv=("/bin/sh", f"{RUNTIME_DIR}/bootstrap", binary, str(major)),
            mounts=tuple(mounts),
            environment={"PWD": TASK_ROOT, "SHLVL": "0"},
            telemetry=True,
            ahead=java_library.is_possible(),
            sized=True,
            restorer=(f"{RUNTIME_DIR}/{RESTORER}",) if java_library.is_possible() else (),
        )


def _installation_of(binary: Path) -> Installation | None:
    """Read the version that every JDK and JRE says of itself; starting Java takes long."""
    home = binary.parent.parent
    for place in (home, home.parent):  # jre/bin/java
        try:
            match = _RELEASE.search((place / "release").read_text())
        except (OSError, UnicodeDecodeError):
            continue
        if match is not None:
            version = (int(match[1]), int(match[2] or 0), int(match[3] or 0))
            return Installation(binary=binary, version=version)
    _LOGGER.info("%s has no release file; it is not used", home)
    return None


def _usual_roots(variables: Mapping[str, str]) -> list[Path]:
    home = Path.home()
    data = Path(variables.get("XDG_DATA_HOME") or home / ".local" / "share")
    own = variables.get("JAVA_HOME")
    return [
        *([Path(own)] if own else []),
        Path(variables.get("SDKMAN_DIR") or home / ".sdkman") / "candidates" / "java",
        Path(variables.get("ASDF_DATA_DIR") or home / ".asdf") / "installs" / "java",
        Path(variables.get("MISE_DATA_DIR") or data / "mise") / "installs" / "java",
        Path("/usr/lib/jvm"),
        Path("/usr/java"),
        Path("/opt/java"),
    ]
