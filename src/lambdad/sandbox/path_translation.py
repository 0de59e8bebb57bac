"""The guest's view of paths, for guests that see the host's.

Without a mount namespace `/var/task` is wherever the package lies on the host. Arguments,
variables and the working directory are rewritten: a path, or a colon-separated list of paths,
that begins with a mount's target. What already is a path on the host stays. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lambdad.domain.environments import Mount
from lambdad.sandbox.base import ProcessSpec

TMP = "/tmp"  # noqa: S108 - the guest's name of it


@dataclass(frozen=True, slots=True)
class PathTranslation:
    """Of one sandbox.

    Attributes:
        mounts: what the guest should see.
        tmp: the host's directory that stands for `/tmp`.
    """

    mounts: Sequence[Mount]
    tmp: Path

    def path(self, path: str) -> str:
        """Return where a guest path is on the host; the innermost mount decides."""
        for mount in reversed([Mount(source=self.tmp, target=TMP), *self.mounts]):
            if _is_below(path, mount.target):
                return f"{mount.source}{path[len(mount.target) :]}"
        return path

    def text(self, text: str) -> str:
        """Rewrite an argument or a value; whatever is no guest path stays."""
        return ":".join(map(self._part, text.split(":")))

    def process(self, spec: ProcessSpec) -> ProcessSpec:
        """Return the program in the host's view, with `TMPDIR` set."""
        variables = {name: self.text(value) for name, value in spec.environment.items()}
        return replace(
            spec,
            argv=[self.text(argument) for argument in spec.argv],
            environment={"TMPDIR": str(self.tmp), **variables},
            cwd=self._part(spec.cwd),
        )

    def _part(self, path: str) -> str:
        # The host's may lie below the guest's: /tmp/code for /var/task, where /tmp is one's own.
        hosts = (str(self.tmp), *(str(mount.source) for mount in self.mounts))
        return path if any(_is_below(path, host) for host in hosts) else self.path(path)


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")
