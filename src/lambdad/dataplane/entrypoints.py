"""Which program starts a function that brings its own, and why one cannot be started.

Looks into images from outside: links in them are followed as they will be inside, never on this
host. Starts nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lambdad.dataplane.extension_programs import launch_problem
from lambdad.domain.errors import LambdadError

_LINKS_MAX = 40  # the kernel's


class NoEntrypoint(LambdadError):
    """The function brings no program that can be started.

    Attributes:
        reason: in AWS's words.
        error_type: AWS's.
    """

    def __init__(self, reason: str, error_type: str = "Runtime.InvalidEntrypoint") -> None:
        super().__init__(reason)
        self.reason = reason
        self.error_type = error_type


def command_in(root: Path, argv: Sequence[str], directory: str, search: str) -> Sequence[str]:
    """Return the command of an image with its program found, in guest paths.

    Args:
        root: of the image.
        argv: as image and function say; the program may be relative, or a name.
        directory: where it starts.
        search: directories for names, as in `PATH`.

    Raises:
        NoEntrypoint: there is no command, no such directory, or no program that can be started.
    """
    if not argv:
        raise NoEntrypoint("exec: no command: the image has neither ENTRYPOINT nor CMD")
    place = inside(root, directory)
    if place is None or not place.is_dir():
        reason = f"chdir {directory}: no such file or directory"
        raise NoEntrypoint(reason, "Runtime.InvalidWorkingDir")
    name = argv[0]
    if "/" not in name:
        return (_search(root, name, search), *argv[1:])
    path = str(PurePosixPath("/", directory, name))
    if (problem := _problem(root, path)) is not None:
        raise NoEntrypoint(f"fork/exec {name}: {problem}")
    return (path, *argv[1:])


def inside(root: Path, path: str) -> Path | None:
    """Return where a path of a guest with this root is on the host; None when it is nowhere."""
    here: list[str] = []
    pending = list(reversed(PurePosixPath(path).parts))
    links = 0
    while pending:
        part = pending.pop()
        if not part.strip("/"):
            continue
        if part == "..":
            del here[-1:]
            continue
        place = root.joinpath(*here, part)
        try:
            if not stat.S_ISLNK(place.lstat().st_mode):
                here.append(part)
                continue
            target = os.fspath(place.readlink())
        except OSError:
            return None
        links += 1
        if links > _LINKS_MAX:
            return None
        if target.startswith("/"):
            here.clear()
        pending.extend(reversed(PurePosixPath(target).parts))
    return root.joinpath(*here)


def _search(root: Path, name: str, search: str) -> str:
    for directory in search.split(":"):
        path = str(PurePosixPath("/", directory, name))
        if directory and _problem(root, path) is None:
            return path
    raise NoEntrypoint(f'exec: "{name}": executable file not found in $PATH')


def _problem(root: Path, path: str) -> str | None:
    place = inside(root, path)
    if place is None:
        return "no such file or directory"
    return launch_problem(place) if place.is_file() else "permission denied"
