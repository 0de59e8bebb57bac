"""The AWS SDK that Python functions find installed: the boto3 that lambdad itself uses.

Hard links (else copies) of the installed distributions in a directory of their own, so that
nothing else of this environment is seen by functions.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from lambdad.runtimes.guest_files import assemble, flush
from lambdad.runtimes.installations import Installation

_ROOT = "boto3"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PYTHON_AT_LEAST = re.compile(r">=\s*3\.(\d+)")
_COMPILE_TIMEOUT_S = 300.0


class PythonSdk:
    """The SDK's files, and whether they serve an interpreter. One thread at a time makes them."""

    def __init__(self, cache_dir: Path) -> None:
        self._cache_dir = cache_dir / "python-sdk"
        self._lock = threading.Lock()

    def site_packages(self, installation: Installation) -> Path:
        """Return the directory to mount over the interpreter's `site-packages`.

        It is empty when the SDK needs a newer Python. Slow once (some 0.1 s), then cheap.

        Raises:
            HostUnfit: the directory cannot be made.
        """
        with self._lock:
            return self._assembled(installation)

    def _assembled(self, installation: Installation) -> Path:
        distributions = _closure(_ROOT)
        if not distributions or installation.version[1] < _minor_needed(distributions):
            return assemble(self._cache_dir / "none", lambda _: None)
        names = ",".join(f"{item.name}=={item.version}" for item in distributions)
        key = hashlib.sha256(names.encode()).hexdigest()[:16]
        return assemble(
            self._cache_dir / f"{_ROOT}-{distributions[0].version}-{key}",
            lambda target: _link(distributions, target),
        )

    def compile(
        self,
        installation: Installation,
        site_packages: Path,
        run: Callable[[Sequence[str], float], bool],
    ) -> None:
        """Add the interpreter's byte code, unless it is there. Takes seconds, in the background.

        Without it every `import boto3` compiles some 150 files, as guests cannot write there.
        `run` is given a command and seconds; it says whether the program came to its end.
        """
        if not any(site_packages.iterdir()):
            return
        tag = "{}{}".format(*installation.version[:2])
        marker = site_packages.parent / f".{site_packages.name}-compiled-{tag}"
        if marker.exists():
            return
        command = [str(installation.binary), "-I", "-S", "-m", "compileall", "-q"]
        command += ["--invalidation-mode", "unchecked-hash", str(site_packages)]
        if run(["/usr/bin/env", "nice", "-n", "15", *command], _COMPILE_TIMEOUT_S):
            flush(site_packages)
            marker.touch()


def _closure(root: str) -> list[metadata.Distribution]:
    """Return a distribution and all that it needs; empty when one of them is missing."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop(0)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            return []
        if found.setdefault(name, distribution) is distribution:
            waiting += [item for item in _needs(distribution) if item not in found]
    return list(found.values())


def _needs(distribution: metadata.Distribution) -> list[str]:
    needs = [line for line in distribution.requires or [] if "extra ==" not in line]
    names = [match[0].lower() for line in needs if (match := _NAME.match(line))]
    return list(dict.fromkeys(names))


def _minor_needed(distributions: list[metadata.Distribution]) -> int:
    needs = " ".join(item.metadata["Requires-Python"] or "" for item in distributions)
    return max(map(int, _PYTHON_AT_LEAST.findall(needs)), default=0)


def _link(distributions: list[metadata.Distribution], target: Path) -> None:
    for distribution in distributions:
        for file in distribution.files or []:
            if ".." in file.parts or file.suffix == ".pyc":
                continue
            place = target / file
            place.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(Path(str(file.locate())), place)


def _link_or_copy(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:
        # Another file system, or a file of another user.
        shutil.copy2(source, place)
