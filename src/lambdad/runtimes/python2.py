"""Python 2: `python2.7`, retired by AWS, by an interpreter of that version where a host has one."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.environments import LANGUAGE_DIR, LAYER_ROOT, RUNTIME_DIR, TASK_ROOT, Mount
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.guest_files import runtime_dir
from lambdad.runtimes.installations import Installation, VersionCache, installed_below
from lambdad.runtimes.python import usual_roots

_IDENTIFIER = "python2.7"
# It says its version on the other stream when it is asked by `--version`.
_FLAGS = ("-S", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])")


class Python2Provider:
    """Finds and prepares Python 2. Mutable: what was found, guarded by a lock."""

    def __init__(
        self,
        config: RuntimesConfig,
        cache_dir: Path,
        versions: VersionCache,
        variables: Mapping[str, str],
    ) -> None:
        self._roots = (*config.search, *usual_roots(variables))
        self._cache_dir = cache_dir
        self._versions = versions
        self._lock = threading.RLock()
        self._installed: Sequence[Installation] | None = None
        self._runtime: Runtime | None = None

    def identifiers(self) -> Sequence[str]:
        """The identifier."""
        return (_IDENTIFIER,)

    def locate(self, identifier: str) -> tuple[str, str]:
        """Return version and place of the interpreter, without preparing it.

        Raises:
            HostUnfit: this host has none.
        """
        installation = self._installation(identifier)
        return installation.text, str(installation.binary)

    def find(self, identifier: str) -> Runtime:
        """Return the runtime; the first time some files are written.

        Raises:
            HostUnfit: this host has none, or it cannot be prepared.
        """
        with self._lock:
            if self._runtime is None:
                self._runtime = self._prepare(self._installation(identifier))
            return self._runtime

    def _installation(self, identifier: str) -> Installation:
        with self._lock:
            if self._installed is None:
                candidates = installed_below(self._roots, identifier)
                self._installed = self._versions.probe(candidates, _FLAGS) if candidates else ()
        if not self._installed:
            raise HostUnfit(
                "Python 2.7 is not installed on this host.",
                "Install it (`pyenv install 2.7.18`), or name the directory that holds it in "
                "`runtimes.search` of the configuration, and restart lambdad.",
            )
        return self._installed[0]

    def _prepare(self, installation: Installation) -> Runtime:
        place = runtime_dir("python2", self._cache_dir, lambda _: None)
        mounts = [Mount(source=place, target=RUNTIME_DIR)]
        binary = str(installation.binary)
        if not installation.visible:
            mounts.append(Mount(source=installation.prefix, target=LANGUAGE_DIR))
            binary = f"{LANGUAGE_DIR}/bin/{installation.binary.name}"
        packages = "lib/python2.7/site-packages"
        places = (f"{LAYER_ROOT}/python/{packages}", f"{LAYER_ROOT}/python")
        return Runtime(
            identifier=_IDENTIFIER,
            version=installation.text,
            source=str(installation.binary),
            argv=(binary, "-u", "-S", f"{RUNTIME_DIR}/bootstrap.py"),
            mounts=tuple(mounts),
            environment={
                "PYTHONPATH": RUNTIME_DIR,
                "PWD": TASK_ROOT,
                "SHLVL": "0",
                # For the guest, which takes it out before the function starts.
                "_LAMBDAD_PYTHON_PATH": ":".join(places),
            },
        )
