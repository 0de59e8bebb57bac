""".NET: `dotnetcore3.1` to `dotnet10`, by our own bootstrap on a shared runtime of that version.

The bootstrap is C# source, compiled once per runtime with what the host has: the SDK's compiler
or Mono's. A host that serves .NET functions therefore needs one of them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.environments import LANGUAGE_DIR, RUNTIME_DIR, TASK_ROOT, Mount
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.guest_files import runtime_dir
from lambdad.runtimes.installations import Installation, stand_in

# By major and minor as one number.
_VERSIONS = {"dotnetcore3.1": 301, "dotnet6": 600, "dotnet8": 800, "dotnet10": 1000}
_MAJOR = 100
_SHARED = Path("shared", "Microsoft.NETCore.App")
_FOLDER = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_COMPILE_S = 120.0
_ASSEMBLY = "Lambdad.Guest.dll"
_NOT_MANAGED = ".Native."
# Without the libraries of ICU it does not start unless it is told to do without cultures.
_ICU = ("usr/lib*/libicuuc.so*", "usr/lib/*/libicuuc.so*")
_KNOWS_TODAYS_ICU = (5, 0, 0)


class DotnetProvider:
    """Finds and prepares .NET. Mutable: what was found, guarded by a lock."""

    def __init__(
        self, config: RuntimesConfig, cache_dir: Path, variables: Mapping[str, str]
    ) -> None:
        self._fallback = config.fallback
        self._roots = (*config.search, *_usual_roots(variables))
        self._cache_dir = cache_dir
        self._lock = threading.RLock()
        self._installed: dict[int, Installation] | None = None
        self._runtimes: dict[str, Runtime] = {}

    def identifiers(self) -> Sequence[str]:
        """Every identifier of the family."""
        return tuple(_VERSIONS)

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return version and place of the `dotnet` program, without preparing it.

        Raises:
            HostUnfit: this host has no such runtime, or no compiler for the bootstrap.
        """
        installation = self._installation(identifier)
        _compiler(installation)
        return installation.text, str(installation.binary)

    def find(self, identifier: str) -> Runtime:
        """Return the runtime; the first time the bootstrap is compiled, which takes a second.

        Raises:
            HostUnfit: this host has no such runtime, or it cannot be prepared.
        """
        with self._lock:
            runtime = self._runtimes.get(identifier)
            if runtime is None:
                runtime = self._prepare(identifier, self._installation(identifier))
                self._runtimes[identifier] = runtime
        return runtime

    def _installation(self, identifier: str) -> Installation:
        wanted = _VERSIONS[identifier]
        with self._lock:
            if self._installed is None:
                self._installed = _discover(self._roots)
            found = self._installed.get(wanted)
            if found is None and self._fallback:
                # What is built for a version does not run on an older one.
                newer = {k: v for k, v in self._installed.items() if k > wanted}
                found = stand_in(newer, wanted)
        if found is None:
            version = f"{wanted // _MAJOR}.{wanted % _MAJOR}"
            raise HostUnfit(
                f".NET {version} is not installed on this host.",
                f"Install it (`apt-get install dotnet-sdk-{version}` or dotnet-install.sh), or "
                "name the directory that holds `dotnet` in `runtimes.search` of the "
                "configuration, and restart lambdad.",
            )
        return found

    def _prepare(self, identifier: str, installation: Installation) -> Runtime:
        root = installation.binary.parent
        place = runtime_dir(
            "dotnet",
            self._cache_dir,
            lambda target: _compile(installation, target),
            *(str(root), installation.text),
        )
        mounts = [Mount(source=place, target=RUNTIME_DIR)]
        seen = str(root)
        if not installation.visible:
            seen = f"{LANGUAGE_DIR}/bin"
            mounts.append(Mount(source=root, target=seen))
        environment = {
            "DOTNET_ROOT": seen,
            "LAMBDA_RUNTIME_NAME": identifier,
            # Its diagnostics want a socket and a pipe in /tmp for whoever attaches: nobody can.
            "DOTNET_EnableDiagnostics": "0",
            "COMPlus_EnableDiagnostics": "0",
            "DOTNET_CLI_TELEMETRY_OPTOUT": "1",
            "DOTNET_NOLOGO": "1",
            "PWD": TASK_ROOT,
            "SHLVL": "0",
        }
        if _number(installation.version) != _VERSIONS[identifier]:
            environment["DOTNET_ROLL_FORWARD"] = "Major"
        if installation.version < _KNOWS_TODAYS_ICU or not _has_icu():
            environment["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"
        return Runtime(
            identifier=identifier,
            version=installation.text,
            source=str(installation.binary),
            argv=("/bin/sh", f"{RUNTIME_DIR}/bootstrap", f"{seen}/dotnet"),
            mounts=tuple(mounts),
            environment=environment,
            ahead=True,
            sized=True,
        )


def _has_icu() -> bool:
    return any(any(Path("/").glob(pattern)) for pattern in _ICU)


def _number(version: tuple[int, int, int]) -> int:
    return version[0] * _MAJOR + version[1]


def _discover(roots: Sequence[Path]) -> dict[int, Installation]:
    found: dict[int, Installation] = {}
    for root in roots:
        best: dict[int, Installation] = {}
        for home in (root, *sorted(path for path in root.glob("*") if path.is_dir())):
            program = home / "dotnet"
            if not program.is_file():
                continue
            for folder in (home / _SHARED).glob("*.*.*"):
                match = _FOLDER.fullmatch(folder.name)
                if match is None:
                    continue
                version = (int(match[1]), int(match[2]), int(match[3]))
                known = best.get(_number(version))
                if known is None or known.version < version:
                    item = Installation(binary=program.resolve(), version=version)
                    best[_number(version)] = item
        found = best | found
    return found


def _compiler(installation: Installation) -> Sequence[str]:
    """Return the command of a C# compiler; raises `HostUnfit` when there is none."""
    root = installation.binary.parent
    compilers = sorted(root.glob("sdk/*/Roslyn/bincore/csc.dll"))
    if compilers:
        return (str(installation.binary), "exec", str(compilers[-1]))
    if (mono := shutil.which("mcs")) is not None:
        return (mono,)
    raise HostUnfit(
        f"No C# compiler is on this host, to build what starts functions on .NET in {root}.",
        "Install the .NET SDK, or Mono's compiler (`apt-get install mono-mcs`).",
    )


def _compile(installation: Installation, target: Path) -> None:
    framework = installation.binary.parent / _SHARED / installation.text
    references = [
        f"-r:{path}"
        for pattern in ("System.*.dll", "Microsoft.Win32.Primitives.dll")
        for path in sorted(framework.glob(pattern))
        if _NOT_MANAGED not in path.name
    ]
    command = [*_compiler(installation), "-nologo", "-noconfig", "-nostdlib", "-langversion:7"]
    command += ["-target:exe", "-optimize+", f"-out:{target / _ASSEMBLY}", *references]
    sources = sorted(target.glob("*.cs"))
    subprocess.run(  # noqa: S603 - the operator's own compiler
        [*command, *map(str, sources)], check=True, capture_output=True, timeout=_COMPILE_S
    )
    for source in sources:
        source.unlink()
    options = {
        "runtimeOptions": {
            "framework": {"name": "Microsoft.NETCore.App", "version": installation.text}
        }
    }
    (target / "default.runtimeconfig.json").write_text(json.dumps(options))


def _usual_roots(variables: Mapping[str, str]) -> list[Path]:
    home = Path.home()
    data = Path(variables.get("XDG_DATA_HOME") or home / ".local" / "share")
    own = variables.get("DOTNET_ROOT")
    return [
        *([Path(own)] if own else []),
        home / ".dotnet",
        Path(variables.get("ASDF_DATA_DIR") or home / ".asdf") / "installs" / "dotnet-core",
        Path(variables.get("MISE_DATA_DIR") or data / "mise") / "installs" / "dotnet",
        Path("/usr/share/dotnet"),
        Path("/usr/lib/dotnet"),
        Path("/usr/local/share/dotnet"),
    ]
