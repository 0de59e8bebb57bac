"""Which interpreters this host has, and their exact versions.

Every candidate is run once; what it said is kept on disk for as long as the file stays the
same, so that a restart runs nothing.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_LOGGER = logging.getLogger(__name__)
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_PROBE_TIMEOUT_S = 10.0
_PROBES_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One interpreter on this host.

    Attributes:
        binary: the real file, links resolved.
        version: major, minor, patch.
    """

    binary: Path
    version: tuple[int, int, int]

    @property
    def text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))

    @property
    def prefix(self) -> Path:
        """The directory that holds `bin/` and everything else of the installation."""
        return self.binary.parent.parent

    @property
    def visible(self) -> bool:
        """Whether a sandbox sees it without a mount: it sees the host's `/usr`."""
        return self.binary.is_relative_to("/usr")


class VersionCache:
    """What interpreters said of themselves. Mutable: the answers, guarded by a lock."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._answers: dict[str, list[object]] | None = None

    def probe(self, candidates: Iterable[Path], flags: Sequence[str]) -> list[Installation]:
        """Return the candidates that run, in the given order, each real file once.

        `flags` make an interpreter print its version and nothing slow.
        """
        binaries = list(dict.fromkeys(path.resolve() for path in candidates))
        with ThreadPoolExecutor(_PROBES_AT_ONCE) as pool:
            versions = list(pool.map(lambda binary: self._version(binary, flags), binaries))
        self._save()
        return [
            Installation(binary=binary, version=version)
            for binary, version in zip(binaries, versions, strict=True)
            if version is not None
        ]

    def _version(self, binary: Path, flags: Sequence[str]) -> tuple[int, int, int] | None:
        try:
            status = binary.stat()
        except OSError:
            return None
        stamp: list[object] = [status.st_mtime_ns, status.st_size]
        with self._lock:
            known = self._load().get(str(binary))
        if known is not None and known[:2] == stamp:
            return _parse(str(known[2]))
        said = _run(binary, flags)
        version = _parse(said)
        if version is not None:
            with self._lock:
                self._load()[str(binary)] = [*stamp, ".".join(map(str, version))]
        return version

    def _load(self) -> dict[str, list[object]]:
        if self._answers is None:
            self._answers = {}
            try:
                content = json.loads(self._file.read_text())
            except (OSError, ValueError):
                # Missing or damaged: interpreters are simply asked again.
                content = {}
            if isinstance(content, dict):
                self._answers.update(
                    {k: v for k, v in content.items() if isinstance(v, list) and len(v) == 3}
                )
        return self._answers

    def _save(self) -> None:
        with self._lock:
            text = json.dumps(self._load(), indent=1, sort_keys=True)
            try:
                write_atomically(self._file, text)
            except OSError as error:
                _LOGGER.warning("interpreter versions cannot be kept: %s", error)


def stand_in(installed: Mapping[int, Installation], wanted: int) -> Installation | None:
    """Return the nearest version: the next newer one, else the newest of the older ones."""
    newer = [version for version in installed if version > wanted]
    older = [version for version in installed if version < wanted]
    if newer:
        return installed[min(newer)]
    return installed[max(older)] if older else None


def write_atomically(file: Path, text: str) -> None:
    """Replace a file so that a reader sees the old content or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    Path(name).replace(file)


def installed_below(roots: Iterable[Path], pattern: str) -> list[Path]:
    """Return the programs `<root>/bin/<pattern>` and `<root>/*/bin/<pattern>`, sorted by root."""
    found: list[Path] = []
    for root in roots:
        try:
            found.extend(sorted(root.glob(f"bin/{pattern}")))
            found.extend(sorted(root.glob(f"*/bin/{pattern}")))
        except OSError as error:
            _LOGGER.warning("%s cannot be searched for runtimes: %s", root, error)
    return [path for path in found if os.access(path, os.X_OK)]


def _run(binary: Path, flags: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own interpreters
            [str(binary), *flags],
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
            text=True,
            env={"LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        _LOGGER.warning("%s does not run: %s", binary, error)
        return ""
    return done.stdout


def _parse(text: str) -> tuple[int, int, int] | None:
    match = _VERSION.search(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))
