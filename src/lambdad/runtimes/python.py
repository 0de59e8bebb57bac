"""Python: `python3.6` to `python3.14`, by an interpreter of that version or its stand-in."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.environments import (
    LANGUAGE_DIR,
    LAYER_ROOT,
    RUNTIME_DIR,
    TASK_ROOT,
    Mount,
    Zygote,
)
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.background import Background
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.environment import at_start
from lambdad.runtimes.guest_files import python_runtime_dir
from lambdad.runtimes.installations import Installation, VersionCache, installed_below, stand_in
from lambdad.runtimes.python_sdk import PythonSdk

_LOGGER = logging.getLogger(__name__)
_MINORS = range(6, 15)
_FLAGS = ("-I", "-S", "--version")
_SCRIPT = f"{RUNTIME_DIR}/bootstrap.py"
_COMPILER = f"{RUNTIME_DIR}/lambdad_guest/compiler.py"
# Older ones know only byte code that is compared with the time of its source.
_HASHED_FROM = 7
# Before seconds of a processor go into byte code that is not needed yet.
_FIRST_CALLS_S = 2.0
# Older ones lack pidfds.
_ZYGOTES_FROM = 9
# AWS's own runtime has imported these before it imports a handler, so that no function can have
# modules of its own by these names; `logging` is configured when it is imported.
_IMPORTED_AHEAD = (
    "_sitebuiltins",
    "collections",
    "decimal",
    "enum",
    "functools",
    "importlib",
    "json",
    "re",
    "threading",
    "time",
    "traceback",
    # Last: it takes note of what there is.
    "lambdad_guest.zygote",
)


class PythonProvider:
    """Finds and prepares Python.

    Mutable: what was found, guarded by a lock; and one lock for each identifier, held while that
    is prepared, so that who needs one version does not wait for another.

    `background` runs slow work that nothing waits for.
    """

    def __init__(
        self,
        config: RuntimesConfig,
        cache_dir: Path,
        versions: VersionCache,
        variables: Mapping[str, str],
        background: Background,
    ) -> None:
        self._roots = (*config.search, *usual_roots(variables))
        self._fallback = config.fallback
        self._cache_dir = cache_dir
        self._versions = versions
        self._sdk = PythonSdk(cache_dir)
        self._background = background
        self._lock = threading.Lock()
        self._installed: dict[int, Installation] | None = None
        self._runtimes: dict[str, Runtime] = {}
        self._preparing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def identifiers(self) -> Sequence[str]:
        """Every identifier of the family."""
        return [f"python3.{minor}" for minor in _MINORS]

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return version and place of the interpreter, without preparing it.

        Raises:
            HostUnfit: this host has no such interpreter.
        """
        installation = self._installation(identifier)
        return installation.text, str(installation.binary)

    def find(self, identifier: str) -> Runtime:
        """Return the runtime; the first time it is prepared, which takes up to a second.

        Raises:
            HostUnfit: this host has no such interpreter, or it cannot be prepared.
        """
        runtime = self._runtimes.get(identifier)
        if runtime is None:
            installation = self._installation(identifier)
            with self._lock:
                preparing = self._preparing[identifier]
            with preparing:
                runtime = self._runtimes.get(identifier)
                if runtime is None:
                    runtime = self._prepare(identifier, installation)
                    self._runtimes[identifier] = runtime
        return runtime

    def _installation(self, identifier: str) -> Installation:
        minor = int(identifier.rpartition(".")[2])
        with self._lock:
            if self._installed is None:
                self._installed = self._discover()
            found = self._installed.get(minor)
            if found is None and self._fallback:
                found = stand_in(self._installed, minor)
        if found is None:
            raise HostUnfit(
                f"Python 3.{minor} is not installed on this host.",
                f"Install it (`pyenv install 3.{minor}`, `uv python install 3.{minor}` or "
                f"`apt-get install python3.{minor}`), or name the directory that holds it in "
                "`runtimes.search` of the configuration, and restart lambdad.",
            )
        return found

    def _discover(self) -> dict[int, Installation]:
        found: dict[int, Installation] = {}
        for root in self._roots:
            candidates = [
                path
                for path in installed_below([root], "python3.*")
                if path.name.removeprefix("python3.").isdigit()
            ]
            best: dict[int, Installation] = {}
            for item in self._versions.probe(candidates, _FLAGS) if candidates else ():
                minor = item.version[1]
                if minor not in best or best[minor].version < item.version:
                    best[minor] = item
            # An earlier root wins, however old its patch level: it was chosen.
            found = best | found
        return found

    def _prepare(self, identifier: str, installation: Installation) -> Runtime:
        minor = installation.version[1]
        site_packages = self._sdk.site_packages(installation)
        mounts = [
            Mount(source=python_runtime_dir(installation, self._cache_dir), target=RUNTIME_DIR)
        ]
        binary = str(installation.binary)
        if not installation.visible:
            mounts.append(Mount(source=installation.prefix, target=LANGUAGE_DIR))
            binary = f"{LANGUAGE_DIR}/bin/{installation.binary.name}"
        # Over the host's own packages, which are no business of functions.
        packages = f"lib/python3.{minor}/site-packages"
        if installation.visible or (installation.prefix / packages).is_dir():
            mounts.append(Mount(source=site_packages, target=f"{LANGUAGE_DIR}/{packages}"))
        self._background.later(lambda: self._compile(installation, site_packages))
        return Runtime(
            identifier=identifier,
            version=installation.text,
            source=str(installation.binary),
            # The script comes last: AWS's examples of wrapper scripts put options before it.
            argv=(binary, "-S", _SCRIPT),
            mounts=tuple(mounts),
            environment=_environment(minor),
            telemetry=True,
            ahead=True,
            zygote=_zygote(binary, minor, mounts),
            channel=True,
            compiler=() if minor < _HASHED_FROM else (binary, "-I", "-S", "-B", _COMPILER),
        )

    def _compile(self, installation: Installation, site_packages: Path) -> None:
        # Who asked for it has a first call to make.
        self._background.pause(_FIRST_CALLS_S)
        try:
            self._sdk.compile(installation, site_packages, self._background.run)
        except (OSError, subprocess.SubprocessError) as error:
            _LOGGER.warning("boto3 starts slowly on Python %s: %s", installation.text, error)


def _zygote(binary: str, minor: int, mounts: Sequence[Mount]) -> Zygote | None:
    if minor < _ZYGOTES_FROM:
        return None
    return Zygote(
        argv=(binary, "-S"),
        script=_SCRIPT,
        modules=_IMPORTED_AHEAD,
        mounts=tuple(mounts),
        environment=tuple(at_start(_environment(minor)).items()),
        # The loader looks once whether the directories of LD_LIBRARY_PATH exist.
        directories=(f"{TASK_ROOT}/lib", f"{LAYER_ROOT}/lib"),
    )


def _environment(minor: int) -> dict[str, str]:
    packages = f"lib/python3.{minor}/site-packages"
    places = (
        f"{LAYER_ROOT}/python/{packages}",
        f"{LAYER_ROOT}/python",
        f"{LANGUAGE_DIR}/{packages}",
    )
    return {
        "PYTHONPATH": RUNTIME_DIR,
        "PWD": TASK_ROOT,
        "SHLVL": "0",
        # AWS from Python 3.12 on; without its locale an earlier interpreter sets it by itself.
        "LC_CTYPE": "C.UTF-8",
        # For the guest, which takes it out before the function starts.
        "_LAMBDAD_PYTHON_PATH": ":".join(places),
    }


def usual_roots(variables: Mapping[str, str]) -> list[Path]:
    """Return where Pythons are installed, first come first served."""
    home = Path.home()
    data = Path(variables.get("XDG_DATA_HOME") or home / ".local" / "share")
    return [
        Path(variables.get("PYENV_ROOT") or home / ".pyenv") / "versions",
        Path(variables.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python"),
        Path(variables.get("ASDF_DATA_DIR") or home / ".asdf") / "installs" / "python",
        Path(variables.get("MISE_DATA_DIR") or data / "mise") / "installs" / "python",
        Path("/usr/local"),
        Path("/usr"),
    ]
