"""Node.js: `nodejs16.x` to `nodejs24.x`, by a node of that major version or its stand-in."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.environments import LANGUAGE_DIR, LAYER_ROOT, RUNTIME_DIR, TASK_ROOT, Mount
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.guest_files import nodejs_runtime_dir
from lambdad.runtimes.installations import Installation, VersionCache, installed_below, stand_in

_MAJORS = (16, 18, 20, 22, 24)
_GLOBAL_MODULES = (Path("/usr/local/lib/node_modules"), Path("/usr/lib/node_modules"))


class NodejsProvider:
    """Finds and prepares Node.js. Mutable: what was found, guarded by a lock."""

    def __init__(
        self,
        config: RuntimesConfig,
        cache_dir: Path,
        versions: VersionCache,
        variables: Mapping[str, str],
    ) -> None:
        self._config = config
        self._roots = (*config.search, *_usual_roots(variables))
        self._cache_dir = cache_dir
        self._versions = versions
        self._lock = threading.RLock()
        self._installed: dict[int, Installation] | None = None
        self._runtimes: dict[str, Runtime] = {}

    def identifiers(self) -> Sequence[str]:
        """Every identifier of the family."""
        return [f"nodejs{major}.x" for major in _MAJORS]

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return version and place of the interpreter, without preparing it.

        Raises:
            HostUnfit: this host has no such node.
        """
        installation = self._installation(identifier)
        return installation.text, str(installation.binary)

    def find(self, identifier: str) -> Runtime:
        """Return the runtime; the first time some files are written.

        Raises:
            HostUnfit: this host has no such node, or it cannot be prepared.
        """
        runtime = self._runtimes.get(identifier)
        if runtime is None:
            runtime = self._prepare(identifier, self._installation(identifier))
            self._runtimes[identifier] = runtime
        return runtime

    def _installation(self, identifier: str) -> Installation:
        major = int(identifier.removeprefix("nodejs").removesuffix(".x"))
        with self._lock:
            if self._installed is None:
                self._installed = self._discover()
            found = self._installed.get(major)
            if found is None and self._config.fallback:
                found = stand_in(self._installed, major)
        if found is None:
            raise HostUnfit(
                f"Node.js {major} is not installed on this host.",
                f"Install it (`nvm install {major}`, `mise install node@{major}` or a package of "
                "nodesource.com), or name the directory that holds it in `runtimes.search` of "
                "the configuration, and restart lambdad.",
            )
        return found

    def _discover(self) -> dict[int, Installation]:
        found: dict[int, Installation] = {}
        for root in self._roots:
            candidates = installed_below([root], "node")
            best: dict[int, Installation] = {}
            for item in self._versions.probe(candidates, ("--version",)) if candidates else ():
                major = item.version[0]
                if major not in best or best[major].version < item.version:
                    best[major] = item
            found = best | found
        return found

    def _prepare(self, identifier: str, installation: Installation) -> Runtime:
        mounts = [Mount(source=nodejs_runtime_dir(self._cache_dir), target=RUNTIME_DIR)]
        sdk = self._sdk(installation)
        if sdk is not None:
            mounts.append(Mount(source=sdk, target=f"{RUNTIME_DIR}/node_modules"))
        binary = str(installation.binary)
        if not installation.visible:
            mounts.append(Mount(source=installation.prefix, target=LANGUAGE_DIR))
            binary = f"{LANGUAGE_DIR}/bin/node"
        return Runtime(
            identifier=identifier,
            version=installation.text,
            source=str(installation.binary),
            argv=(binary, f"{RUNTIME_DIR}/bootstrap.cjs"),
            mounts=tuple(mounts),
            environment=_environment(installation.version[0]),
            telemetry=True,
            ahead=True,
            channel=True,
        )

    def _sdk(self, installation: Installation) -> Path | None:
        """Return a `node_modules` directory that holds the AWS SDK, if the host has one."""
        own = self._config.nodejs_sdk
        if own is not None:
            if not (own / "@aws-sdk").is_dir():
                raise HostUnfit(
                    f"{own} holds no AWS SDK for Node.js.",
                    "Set `runtimes.nodejs_sdk` to a node_modules directory with `@aws-sdk/`.",
                )
            return own.resolve()
        places = (installation.prefix / "lib" / "node_modules", *_GLOBAL_MODULES)
        return next((place for place in places if (place / "@aws-sdk").is_dir()), None)


def _environment(major: int) -> dict[str, str]:
    return {
        "NODE_PATH": ":".join(
            (
                f"{LAYER_ROOT}/nodejs/node{major}/node_modules",
                f"{LAYER_ROOT}/nodejs/node_modules",
                f"{RUNTIME_DIR}/node_modules",
                RUNTIME_DIR,
                TASK_ROOT,
            )
        ),
        "PWD": TASK_ROOT,
        "SHLVL": "0",
    }


def _usual_roots(variables: Mapping[str, str]) -> list[Path]:
    home = Path.home()
    data = Path(variables.get("XDG_DATA_HOME") or home / ".local" / "share")
    return [
        Path(variables.get("NVM_DIR") or home / ".nvm") / "versions" / "node",
        Path(variables.get("N_PREFIX") or "/usr/local") / "n" / "versions" / "node",
        Path(variables.get("ASDF_DATA_DIR") or home / ".asdf") / "installs" / "nodejs",
        Path(variables.get("MISE_DATA_DIR") or data / "mise") / "installs" / "node",
        Path(variables.get("VOLTA_HOME") or home / ".volta") / "tools" / "image" / "node",
        Path("/usr/local"),
        Path("/usr"),
    ]
