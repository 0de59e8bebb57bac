"""Directory trees: how large they are, and laid over each other as hard links.

Knows nothing of packages. Runs in a thread.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

# Directories that become one, the uppermost first, and where.
_Work = tuple[Sequence[str], str]


def tree_bytes(tree: Path) -> int:
    """Return the sizes of all files of a tree together; names and directories count nothing."""
    total = 0
    pending = [str(tree)]
    while pending:
        for entry in _entries(pending.pop()):
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                total += entry.stat(follow_symlinks=False).st_size
    return total


def merge_trees(trees: Sequence[Path], target: Path) -> None:
    """Make the new directory `target` of what is in `trees`; a later tree hides an earlier one.

    Directories of the same name become one. Everything else is the same file as in its tree, with
    its mode and its time, and takes no space.

    Raises:
        OSError: a tree is missing, or the file system failed.
    """
    pending: list[_Work] = [([str(tree) for tree in reversed(trees)], str(target))]
    while pending:
        sources, place = pending.pop()
        os.mkdir(place, 0o700)  # noqa: PTH102 - many thousands of them
        pending.extend(_merge_directory(sources, place))
        os.chmod(place, stat.S_IMODE(os.stat(sources[0]).st_mode))  # noqa: PTH101, PTH116


def _merge_directory(sources: Sequence[str], place: str) -> Iterator[_Work]:
    """Fill one directory; yields the directories that are to be made in it. Uppermost first."""
    found: dict[str, list[os.DirEntry[str]]] = {}
    for source in sources:
        for entry in _entries(source):
            found.setdefault(entry.name, []).append(entry)
    for name, entries in found.items():
        below = f"{place}/{name}"
        # A file or a link hides what lies under it, whatever that is.
        directories = takewhile(lambda entry: entry.is_dir(follow_symlinks=False), entries)
        paths = [entry.path for entry in directories]
        if paths:
            yield paths, below
        else:
            _link(entries[0].path, below)


def _link(source: str, place: str) -> None:
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError as error:
        # A file system allows only so many names of one file.
        if error.errno != errno.EMLINK:
            raise
        shutil.copy2(source, place, follow_symlinks=False)


def _entries(directory: str) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)
