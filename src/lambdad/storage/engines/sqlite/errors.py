"""What SQLite's failures mean to an operator. Decides cause and remedy; never retries."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lambdad.domain.errors import HostUnfit

_MEANINGS = {
    sqlite3.SQLITE_FULL: (
        "No space is left for {path}.",
        "Free space on its file system and try again; nothing that was answered is lost.",
    ),
    sqlite3.SQLITE_READONLY: (
        "{path} cannot be written.",
        "Give the user that runs lambdad write access to it and to its directory.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "{path} cannot be opened.",
        "Give the user that runs lambdad read and write access to it and to its directory.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "{path} is damaged.",
        "Restore it from a backup, or move it away together with its -wal file to begin anew.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "{path} is not a SQLite database.",
        "Restore it from a backup, or move it away to begin anew.",
    ),
    sqlite3.SQLITE_IOERR: (
        "The disk failed under {path} ({error}).",
        "Look at the kernel log; check the disk and the space left on it.",
    ),
    sqlite3.SQLITE_BUSY: (
        "Another program keeps {path} locked.",
        "Close whatever else has it open, a database browser for example.",
    ),
}


def explain(error: sqlite3.Error, path: Path) -> HostUnfit:
    """Return the error an operator can act on."""
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the primary code; the rest refines it.
    cause, remedy = _MEANINGS.get(
        -1 if code is None else code & 0xFF,
        ("SQLite failed on {path}: {error}.", "This is a defect of lambdad: please report it."),
    )
    return HostUnfit(cause.format(path=path, error=error), remedy)
