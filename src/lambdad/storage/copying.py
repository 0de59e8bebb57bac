"""Copies of what a data directory holds: databases while they are written, files by content.

Decides what is worth keeping and how a copy of a database is consistent. Knows neither functions
nor packages.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from lambdad.domain.errors import HostUnfit
from lambdad.storage.data_dir import LOCK_NAME

# What is being copied, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]

DATABASE = ".db"
CODE = "code"

# Made anew by the next daemon, or of one daemon alone. Hidden files are on their way in or out.
_REBUILT = frozenset({"sandbox", "runtimes", LOCK_NAME})
_BESIDE_DATABASES = ("-wal", "-shm", "-journal")

_PAGES = 512


def databases(root: Path) -> list[Path]:
    """Return the databases below a directory, relative to it."""
    return [path for path in kept(root) if _is_database(path)]


def kept(root: Path) -> list[Path]:
    """Return all that is worth keeping, relative to the directory; what holds something first."""
    found: list[Path] = []
    for parent, directories, names in os.walk(root):
        here = Path(parent).relative_to(root)
        directories[:] = sorted(name for name in directories if _worth(here / name))
        found += [here / name for name in (*directories, *sorted(names)) if _worth(here / name)]
    return found


def copy_database(source: Path, target: Path, progress: Progress) -> None:
    """Copy a database as it is at one moment; whoever writes to it is not held up.

    Raises:
        HostUnfit: it cannot be read, or the copy cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.touch(0o600)
    try:
        with (
            closing(_open(source)) as reader,
            closing(sqlite3.connect(target, isolation_level=None)) as writer,
        ):
            writer.execute("PRAGMA synchronous = OFF")
            # One snapshot for all steps: without it each write elsewhere would begin the copy anew.
            reader.execute("BEGIN")
            reader.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
            reader.backup(
                writer,
                pages=_PAGES,
                progress=lambda _, left, pages: progress(source.name, pages - left, pages),
            )
            reader.execute("COMMIT")
    except sqlite3.Error as error:
        raise HostUnfit(
            f"{source} cannot be copied to {target}: {error}.",
            "Check the space there, and that the user of lambdad runs this.",
        ) from error


def check_database(path: Path) -> None:
    """Read a whole database.

    Raises:
        HostUnfit: it is damaged.
    """
    try:
        with closing(_open(path)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise HostUnfit(f"{path} cannot be read: {error}.", "Use another backup.") from error
    if verdict != "ok":
        raise HostUnfit(f"{path} is damaged: {verdict}.", "Use another backup.")


def copy_files(source: Path, target: Path, progress: Progress) -> None:
    """Copy all but databases, as far as `target` lacks it. What vanishes meanwhile is left out.

    Files with several names stay one file; modes and times stay.

    Raises:
        HostUnfit: there is no space left, or something cannot be read.
    """
    copied: dict[tuple[int, int], Path] = {}
    wanted = [path for path in kept(source) if not _is_database(path)]
    for done, path in enumerate(wanted, start=1):
        with writing(target):
            _copy(source / path, target / path, copied)
        if done % 64 == 0 or done == len(wanted):
            progress("files", done, len(wanted))
    for path in reversed(wanted):
        if (target / path).is_dir() and not (target / path).is_symlink():
            with suppress(FileNotFoundError):
                shutil.copystat(source / path, target / path)


def flush(root: Path) -> None:
    """Bring a directory and all below it to the disk."""
    for path in (*root.rglob("*"), root):
        if path.is_symlink():
            continue
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Say what an operator can do when a copy cannot be written.

    Raises:
        HostUnfit: instead of OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HostUnfit(
                f"No space is left for {target}.", "Free some, or choose another place."
            ) from error
        raise HostUnfit(
            f"{error.filename or target} cannot be copied: {error.strerror}.",
            "Run this as the user that runs lambdad, and name a place which that user may write.",
        ) from error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30)
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON")
    return connection


def _worth(path: Path) -> bool:
    """Whether something is kept: by its path from the data directory."""
    if path.parts[0] in _REBUILT or path.name.endswith(_BESIDE_DATABASES):
        return False
    # What functions consist of may be called anything.
    return not any(part.startswith(".") for part in path.parts[:2])


def _is_database(path: Path) -> bool:
    """Whether it is one of ours, by its path: functions may bring databases of their own."""
    return path.suffix == DATABASE and path.parts[0] != CODE


def _copy(source: Path, target: Path, copied: dict[tuple[int, int], Path]) -> None:
    if os.path.lexists(target):
        return
    try:
        status = source.lstat()
        if stat.S_ISDIR(status.st_mode):
            target.mkdir(mode=0o700)
            return
        first = copied.get((status.st_dev, status.st_ino))
        if first is not None:
            os.link(first, target)
            return
        # Whole or not at all: what is there is not copied again.
        stage = target.with_name(f".copying-{target.name[:200]}")
        shutil.copy2(source, stage, follow_symlinks=False)
        stage.rename(target)
    except FileNotFoundError:
        if source.parent.exists() and os.path.lexists(source):
            raise
        return
    if status.st_nlink > 1:
        copied[status.st_dev, status.st_ino] = target
