"""Ruby: `ruby2.5` to `ruby4.0`, by a ruby of that version or its stand-in."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.environments import LANGUAGE_DIR, LAYER_ROOT, RUNTIME_DIR, TASK_ROOT, Mount
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.guest_files import runtime_dir
from lambdad.runtimes.installations import Installation, VersionCache, installed_below, stand_in

_VERSIONS = ("2.5", "2.7", "3.2", "3.3", "3.4", "4.0")
_MAJOR = 100


class RubyProvider:
    """Finds and prepares Ruby. Mutable: what was found, guarded by a lock."""

    def __init__(
        self,
        config: RuntimesConfig,
        cache_dir: Path,
        versions: VersionCache,
        variables: Mapping[str, str],
    ) -> None:
        self._fallback = config.fallback
        self._roots = (*config.search, *_usual_roots(variables))
        self._cache_dir = cache_dir
        self._versions = versions
        self._lock = threading.RLock()
        # By major and minor as one number, 302 for 3.2.
        self._installed: dict[int, Installation] | None = None
        self._runtimes: dict[str, Runtime] = {}

    def identifiers(self) -> Sequence[str]:
        """Every identifier of the family."""
        return [f"ruby{version}" for version in _VERSIONS]

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return version and place of the interpreter, without preparing it.

        Raises:
            HostUnfit: this host has no such ruby.
        """
        installation = self._installation(identifier)
        return installation.text, str(installation.binary)

    def find(self, identifier: str) -> Runtime:
        """Return the runtime; the first time some files are written.

        Raises:
            HostUnfit: this host has no such ruby, or it cannot be prepared.
        """
        with self._lock:
            runtime = self._runtimes.get(identifier)
            if runtime is None:
                runtime = self._prepare(identifier, self._installation(identifier))
                self._runtimes[identifier] = runtime
        return runtime

    def _installation(self, identifier: str) -> Installation:
        version = identifier.removeprefix("ruby")
        major, minor = map(int, version.split("."))
        with self._lock:
            if self._installed is None:
                self._installed = self._discover()
            found = self._installed.get(major * _MAJOR + minor)
            if found is None and self._fallback:
                # Another major version is another language.
                alike = {k: v for k, v in self._installed.items() if k // _MAJOR == major}
                found = stand_in(alike, major * _MAJOR + minor)
        if found is None:
            raise HostUnfit(
                f"Ruby {version} is not installed on this host.",
                f"Install it (`rbenv install {version}`, `mise install ruby@{version}` or a "
                "package of the system), or name the directory that holds it in "
                "`runtimes.search` of the configuration, and restart lambdad.",
            )
        return found

    def _discover(self) -> dict[int, Installation]:
        found: dict[int, Installation] = {}
        for root in self._roots:
            candidates = installed_below([root], "ruby")
            best: dict[int, Installation] = {}
            for item in self._versions.probe(candidates, ("--version",)) if candidates else ():
                number = item.version[0] * _MAJOR + item.version[1]
                if number not in best or best[number].version < item.version:
                    best[number] = item
            found = best | found
        return found

    def _prepare(self, identifier: str, installation: Installation) -> Runtime:
        place = runtime_dir("ruby", self._cache_dir, lambda _: None)
        mounts = [Mount(source=place, target=RUNTIME_DIR)]
        binary = str(installation.binary)
        if not installation.visible:
            mounts.append(Mount(source=installation.prefix, target=LANGUAGE_DIR))
            binary = f"{LANGUAGE_DIR}/bin/ruby"
        return Runtime(
            identifier=identifier,
            version=installation.text,
            source=str(installation.binary),
            # Gems are loaded when the function asks for them: that saves a start some 50 ms.
            argv=(binary, "-W0", f"{RUNTIME_DIR}/bootstrap.rb"),
            mounts=tuple(mounts),
            environment=_environment(installation),
            ahead=True,
        )


def _environment(installation: Installation) -> dict[str, str]:
    # Gems are kept by the version whose binary interface they were built for.
    api = "{}.{}.0".format(*installation.version[:2])
    return {
        "GEM_HOME": RUNTIME_DIR,
        "GEM_PATH": ":".join(
            (
                f"{TASK_ROOT}/vendor/bundle/ruby/{api}",
                f"{LAYER_ROOT}/ruby/gems/{api}",
                RUNTIME_DIR,
                f"{RUNTIME_DIR}/ruby/{api}",
            )
        ),
        "RUBYLIB": ":".join((TASK_ROOT, f"{RUNTIME_DIR}/lib", f"{LAYER_ROOT}/ruby/lib")),
        "PWD": TASK_ROOT,
        "SHLVL": "0",
    }


def _usual_roots(variables: Mapping[str, str]) -> list[Path]:
    home = Path.home()
    data = Path(variables.get("XDG_DATA_HOME") or home / ".local" / "share")
    return [
        Path(variables.get("RBENV_ROOT") or home / ".rbenv") / "versions",
        home / ".rubies",
        Path("/opt/rubies"),
        Path(variables.get("rvm_path") or home / ".rvm") / "rubies",
        Path(variables.get("ASDF_DATA_DIR") or home / ".asdf") / "installs" / "ruby",
        Path(variables.get("MISE_DATA_DIR") or data / "mise") / "installs" / "ruby",
        Path("/usr/local"),
        Path("/usr"),
    ]
