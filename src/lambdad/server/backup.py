"""Backup of a data directory while its daemon serves, and the way back.

A backup is a data directory: a daemon can be started on a copy of it. Decides in which order things
are copied, so that what the databases name is there, and when a backup is whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lambdad import __version__
from lambdad.controlplane.layers import VERSION_KIND
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit
from lambdad.storage.copying import (
    CODE,
    Progress,
    check_database,
    copy_database,
    copy_files,
    databases,
    flush,
    writing,
)
from lambdad.storage.data_dir import LOCK_NAME
from lambdad.storage.packages import ARCHIVE, TREE
from lambdad.storage.registry import engine

LABEL = "backup.json"
MAIN = "lambdad.db"

# Code that is removed between its copying and that of the database that names it is rare enough.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a backup holds; `made` is ISO 8601."""

    version: str
    made: str
    packages: int
    events: int


def back_up(data_dir: Path, target: Path, clock: Clock, progress: Progress) -> Contents:
    """Copy a data directory to a new place and return what was copied.

    Raises:
        HostUnfit: there is nothing to copy, the place is taken, or copying failed: then nothing is
            left there.
    """
    if not (data_dir / MAIN).is_file():
        raise HostUnfit(
            f"{data_dir.absolute()} is no data directory: there is no {MAIN}.",
            "Name the directory that the daemon was started with: --data-dir.",
        )
    with _staged(target) as stage:
        copy_files(data_dir, stage, progress)
        contents, missing = _copy_at_one_moment(data_dir, stage, clock, progress)
        for attempt in range(1, _ATTEMPTS):
            if not missing:
                break
            progress(f"code was replaced meanwhile, attempt {attempt}", 1, 1)
            contents, missing = _copy_at_one_moment(data_dir, stage, clock, progress)
        _refuse_missing(data_dir, missing)
        (stage / LABEL).write_text(json.dumps(asdict(contents), indent=1) + "\n")
    return contents


def _copy_at_one_moment(
    data_dir: Path, stage: Path, clock: Clock, progress: Progress
) -> tuple[Contents, set[str]]:
    """Copy the databases, and the files that are there since the last look."""
    for database in databases(data_dir):
        (stage / database).unlink(missing_ok=True)
        copy_database(data_dir / database, stage / database, progress)
    copy_files(data_dir, stage, progress)
    return asyncio.run(_contents(stage, clock))


def restore(
    backup: Path, data_dir: Path, clock: Clock, progress: Progress, *, events: bool = True
) -> Contents:
    """Make a data directory of a backup and return what is in it; without its events if so asked.

    Raises:
        HostUnfit: it is no backup, it is damaged, or there is something at that place already.
    """
    if not (backup / LABEL).is_file():
        raise HostUnfit(
            f"{backup.absolute()} is no backup: there is no {LABEL}.",
            "Name a directory that `lambdad backup` made.",
        )
    with _staged(data_dir) as stage:
        copy_files(backup, stage, progress)
        for database in databases(backup):
            copy_database(backup / database, stage / database, progress)
            check_database(stage / database)
        contents, missing = asyncio.run(_contents(stage, clock, events=events))
        _refuse_missing(backup, missing)
        _check_packages(stage, progress)
        (stage / LABEL).unlink()
    return contents


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A directory that gets its name when all of it is on the disk."""
    target = target.absolute()
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise HostUnfit(
            f"{target} exists and is not empty: nothing is overwritten.",
            "Name a directory that does not exist.",
        )
    stage = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    with writing(target):
        stage.mkdir(mode=0o700, parents=True)
        try:
            yield stage
            (stage / LOCK_NAME).unlink(missing_ok=True)
            flush(stage)
            stage.rename(target)
            _flush_parent(target)
        finally:
            if stage.exists():
                shutil.rmtree(stage)


def _flush_parent(target: Path) -> None:
    """Make the new name of a directory durable."""
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _contents(stage: Path, clock: Clock, *, events: bool = True) -> tuple[Contents, set[str]]:
    """Open a copy as a daemon does; returns what it holds, and the packages that it lacks."""
    store = engine("sqlite")(stage, clock)
    await store.open()
    try:
        used = set(store.functions.digests())
        used.update(each.document["code"]["digest"] for each in store.resources.all(VERSION_KIND))
        if not events:
            await store.events.purge()
        counts = await store.events.counts()
    finally:
        await store.close()
    contents = Contents(
        version=__version__,
        made=datetime.fromtimestamp(clock.time(), UTC).isoformat(timespec="seconds"),
        packages=len(used),
        events=counts.waiting + counts.running + counts.set_aside,
    )
    return contents, {digest for digest in used if not (stage / CODE / digest / TREE).is_dir()}


def _refuse_missing(source: Path, missing: set[str]) -> None:
    if missing:
        raise HostUnfit(
            f"{source} lacks the code of {len(missing)} packages that it names.",
            "Try again; if this stays, deploy the functions anew whose code is gone.",
        )


def _check_packages(stage: Path, progress: Progress) -> None:
    """Compare every package with its name, which is its SHA-256."""
    archives = sorted((stage / CODE).glob(f"*/{ARCHIVE}"))
    for done, archive in enumerate(archives, start=1):
        with archive.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if digest != archive.parent.name:
            raise HostUnfit(f"{archive.parent.name} is damaged.", "Use another backup.")
        progress("checked packages", done, len(archives))
