"""Code that is a directory of this host: environments are replaced when something in it changes.

Decides when a burst of changes is over and when a directory is another one than before; which
environments run its code is the invoker's business. Started by the first environment of a
directory, over when nothing runs its code any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from lambdad.domain.errors import HostUnfit

_LOGGER = logging.getLogger(__name__)
# An editor writes several files, a compiler many: they are one change.
_BURST_MS = 100
# How often it is looked whether the directory is still the one that is watched.
_LOOK_MS = 1_000


class FolderWatches:
    """Mutable: the directories that are watched.

    `changed` is told of a directory with other content; whether anybody still runs its code.
    """

    def __init__(
        self, spawn_task: Callable[[Coroutine[Any, Any, None]], None], *, allowed: bool
    ) -> None:
        self.changed: Callable[[str], bool] = lambda _: False
        self._spawn_task = spawn_task
        self._allowed = allowed
        self._watched: set[str] = set()

    def watch(self, folder: str) -> None:
        """Watch a directory from now on, if it is not watched yet.

        Raises:
            HostUnfit: it is not there, or no function may be shown a directory.
        """
        # SECURITY: what was allowed once may not be allowed any more.
        if not self._allowed:
            raise HostUnfit(
                f"The function's code is the directory {folder}, which it may not be shown.",
                "Start lambdad with development.hot_reload = true, or update the function's code.",
            )
        if not Path(folder).is_dir():
            raise HostUnfit(f"The function's code, {folder}, is not there.", "Make it again.")
        if folder not in self._watched:
            self._watched.add(folder)
            self._spawn_task(self._run(folder))

    async def _run(self, folder: str) -> None:
        try:
            while await self._watch(folder):
                pass
        except (OSError, RuntimeError) as error:
            # Too many watches on this host, for example.
            _LOGGER.warning("%s is not watched any more: %s", folder, error)
            self._watched.discard(folder)

    async def _watch(self, folder: str) -> bool:
        """Watch until the directory is another one; False when nobody runs its code any more."""
        from watchfiles import awatch  # noqa: PLC0415 - for development alone

        identity = _identity(folder)
        place = folder if identity is not None else _ancestor(folder)
        async for changes in awatch(
            place,
            watch_filter=None,
            step=_BURST_MS,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
            recursive=identity is not None,
        ):
            replaced = _identity(folder) != identity
            if replaced or (changes and identity is not None):
                _LOGGER.info("%s has changed: its functions start anew", folder)
                if not self.changed(folder):
                    # At once: whoever comes from now on has it watched anew.
                    self._watched.discard(folder)
                    return False
            if replaced:
                return True
        return True


def _identity(folder: str) -> tuple[int, int] | None:
    """Which directory it is; build tools remove one and make another of the same name."""
    try:
        status = Path(folder).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _ancestor(folder: str) -> str:
    return str(next(parent for parent in Path(folder).parents if parent.is_dir()))
