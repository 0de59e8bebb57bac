"""Layers laid over each other to one root directory, as hard links; marks of removal take effect.

The places where a sandbox mounts its own are made in it, so that it may stay read-only. Runs in a
thread.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from lambdad.domain.images import ImageProblem

_MARK = ".wh."
_OPAQUE = ".wh..wh..opq"
_DIRECTORIES = ("proc", "dev", "tmp", "etc", "mnt", "opt", "var", "var/task", "sys", "run")
_FILES = ("etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/passwd", "etc/group")
_TEXT_BYTES_MAX = 1024 * 1024

# Directories that become one, the uppermost first, and where.
_Work = tuple[Sequence[str], str]


def lay(layers: Sequence[Path], target: Path) -> None:
    """Make the new directory `target` of layers, the lowest first.

    Raises:
        ImageProblem: what every program needs cannot be there.
        OSError: a layer is missing, or the file system failed.
    """
    pending: list[_Work] = [([str(layer) for layer in reversed(layers)], str(target))]
    while pending:
        sources, place = pending.pop()
        os.mkdir(place, 0o700)  # noqa: PTH102 - many thousands of them
        pending.extend(_lay_directory(sources, place))
        os.chmod(place, stat.S_IMODE(os.stat(sources[0]).st_mode))  # noqa: PTH101, PTH116
    target.chmod(0o755)
    _make_places(target)


def _lay_directory(sources: Sequence[str], place: str) -> Iterator[_Work]:
    """Fill one directory; yields the directories that are to be made in it. Uppermost first."""
    directories: dict[str, list[str]] = {}
    done: set[str] = set()
    for source in sources:
        with os.scandir(source) as scan:
            entries = list(scan)
        here: set[str] = set()
        for entry in entries:
            if entry.name.startswith(_MARK):
                here.add(entry.name[len(_MARK) :])
            elif entry.name in done:
                continue
            elif entry.is_dir(follow_symlinks=False):
                directories.setdefault(entry.name, []).append(entry.path)
            else:
                # A file hides what lies below it; below a directory it is hidden itself.
                here.add(entry.name)
                if entry.name not in directories:
                    _link(entry.path, f"{place}/{entry.name}")
        # What a layer removes was in the layers below it, not in itself.
        done |= here
        if any(entry.name == _OPAQUE for entry in entries):
            break
    for name, paths in directories.items():
        yield paths, f"{place}/{name}"


def _link(source: str, place: str) -> None:
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError as error:
        # A file system allows only so many names of one file.
        if error.errno != errno.EMLINK:
            raise
        shutil.copy2(source, place, follow_symlinks=False)


def _make_places(root: Path) -> None:
    """Make what is mounted over: real directories, and files that are this root's own."""
    for name in _DIRECTORIES:
        place = root / name
        # SECURITY: through a link of the image this would be made somewhere on the host.
        if place.is_symlink() and name in ("sys", "run", "mnt", "opt"):
            continue
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            if name == "var/task":
                continue
            raise ImageProblem(f"The image has no directory /{name}, but something else there.")
        place.mkdir(mode=0o755, exist_ok=True)
    for name in _FILES:
        place = root / name
        text = _text(place) if name in ("etc/passwd", "etc/group") else b""
        if place.is_dir() and not place.is_symlink():
            raise ImageProblem(f"The image has a directory /{name}, where a file has to be.")
        # A file of its own: the one in the layer is shared with other roots.
        place.unlink(missing_ok=True)
        place.write_bytes(text)
        place.chmod(0o644)


def _text(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_TEXT_BYTES_MAX)
