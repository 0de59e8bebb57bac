"""Go's own identifier of old, `go1.x`: a program in the package, asked by remote procedure calls.

The bridge between it and the Runtime API is Python, so any Python of the host will do.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

from lambdad.domain.environments import LANGUAGE_DIR, RUNTIME_DIR, Mount
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.guest_files import runtime_dir
from lambdad.runtimes.python import PythonProvider

_IDENTIFIER = "go1.x"
_PACKAGE = "lambdad_go1x"
_START = (
    "import os, sys; sys.path.insert(0, os.environ['LAMBDA_RUNTIME_DIR']); "
    f"from {_PACKAGE}.bridge import main; main()"
)


class Go1xProvider:
    """Serves `go1.x`. Mutable: the runtime once it was made, guarded by a lock.

    `python` finds the interpreter of the bridge.
    """

    def __init__(self, python: PythonProvider, cache_dir: Path) -> None:
        self._python = python
        self._cache_dir = cache_dir
        self._lock = threading.Lock()
        self._runtime: Runtime | None = None

    def identifiers(self) -> Sequence[str]:
        """The identifier."""
        return (_IDENTIFIER,)

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return version and place for people: the program is the function's.

        Raises:
            HostUnfit: there is no Python for the bridge.
        """
        del identifier
        self._interpreter()
        return "", "program of the function"

    def find(self, identifier: str) -> Runtime:
        """Return the runtime; the first time some files are written.

        Raises:
            HostUnfit: there is no Python for the bridge.
        """
        del identifier
        with self._lock:
            if self._runtime is None:
                self._runtime = self._prepare(self._python.find(self._interpreter()))
            return self._runtime

    def _interpreter(self) -> str:
        """Return the identifier of the newest Python that is here."""
        for name in reversed(self._python.identifiers()):
            with contextlib.suppress(HostUnfit):
                self._python.locate(name)
                return name
        raise HostUnfit(
            "There is no Python on this host, which serves Go functions of this kind.",
            "Install it (`apt-get install python3`), or build the function for provided.al2023.",
        )

    def _prepare(self, python: Runtime) -> Runtime:
        place = runtime_dir("go1x", self._cache_dir, _gather)
        language = [mount for mount in python.mounts if mount.target == LANGUAGE_DIR]
        return Runtime(
            identifier=_IDENTIFIER,
            version="",
            source="program of the function",
            argv=(python.argv[0], "-S", "-E", "-c", _START),
            mounts=(Mount(source=place, target=RUNTIME_DIR), *language),
        )


def _gather(target: Path) -> None:
    """Make a package of the modules."""
    (target / _PACKAGE).mkdir()
    for module in target.glob("*.py"):
        module.rename(target / _PACKAGE / module.name)
