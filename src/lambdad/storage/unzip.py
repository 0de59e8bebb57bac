"""Unpacking an uploaded zip, which is hostile until proved otherwise.

Decides what a package may contain: files, directories and symbolic links that stay inside. Sizes
are counted while inflating; nothing a header says is believed. Runs in a thread, holds one block
of one file at a time.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lambdad.domain import limits
from lambdad.domain.errors import InvalidParameterValueException

NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
EMPTY = "Uploaded file must be a non-empty zip"
TOO_LARGE = f"Unzipped size must be smaller than {limits.UNZIPPED_BYTES_MAX} bytes"

ENTRIES_MAX = 100_000
LINK_BYTES_MAX = 4_095
BLOCK_BYTES = 256 * 1024
# Far beyond any package, and within what walking and removing a tree can take.
DEPTH_MAX = 256

# Modes of entries that carry none, as made by tools on systems without them.
PLAIN_FILE_MODE = 0o644
PLAIN_DIRECTORY_MODE = 0o755

# What an owner who is not root needs in order to flush and to remove what was unpacked.
_OWNER_NEEDS = {stat.S_IFREG: 0o400, stat.S_IFDIR: 0o700, stat.S_IFLNK: 0}

_CENTRAL_ENTRY = b"PK\x01\x02"
_ENCRYPTED = 0x1
_NAME_IS_UTF8 = 0x800

# What `zipfile` raises for damaged archives, beside its own error.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, LookupError)
# ... and for those it cannot read: other versions, other methods, a password.
_UNREADABLE = (NotImplementedError, RuntimeError, OverflowError)

# What the file system says to names that contradict each other or are too long.
_BAD_NAMES = (
    errno.ENAMETOOLONG,
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EILSEQ,
    errno.EINVAL,
    errno.ELOOP,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    info: zipfile.ZipInfo
    path: PurePosixPath
    kind: int
    mode: int


def unzip(package: bytes, target: Path) -> None:
    """Unpack into the new directory `target`; on failure the caller removes what is there.

    Raises:
        InvalidParameterValueException: with AWS's text.
        OSError: the disk failed or is full.
    """
    with _refused():
        if package.count(_CENTRAL_ENTRY, _central_directory(package)) > ENTRIES_MAX:
            raise InvalidParameterValueException(NOT_A_ZIP)
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            entries = list(_entries(archive.infolist()))
            if not entries:
                raise InvalidParameterValueException(EMPTY)
            _extract(archive, entries, target)


@contextmanager
def _refused() -> Iterator[None]:
    """Turn what a damaged or malicious archive causes into AWS's error."""
    try:
        yield
    except (*_DAMAGE, *_UNREADABLE) as error:
        raise InvalidParameterValueException(NOT_A_ZIP) from error
    except OSError as error:
        if error.errno in _BAD_NAMES:
            raise InvalidParameterValueException(NOT_A_ZIP) from error
        raise


def _central_directory(package: bytes) -> int:
    """Return where the list of entries begins, as `zipfile` will look for it.

    Its entries are counted before `zipfile` makes an object of each. Packages hold archives with
    lists of their own, so only the last one counts.
    """
    end = package.rfind(b"PK\x05\x06")
    if end < 0:
        raise InvalidParameterValueException(NOT_A_ZIP)
    (size,) = struct.unpack_from("<L", package, end + 12)
    wide = package.rfind(b"PK\x06\x06", 0, end)
    if package[end - 20 : end - 16] == b"PK\x06\x07" and wide >= 0:
        (size,) = struct.unpack_from("<Q", package, wide + 40)
        end = wide
    return max(0, end - int(size))


def _entries(infos: Iterable[zipfile.ZipInfo]) -> Iterator[_Entry]:
    kinds: dict[PurePosixPath, int] = {}
    for info in infos:
        entry = _entry(info)
        # The root itself ("./") and directories named twice are harmless; two files are not:
        # which of them ran would depend on who unpacks.
        if entry.kind != stat.S_IFDIR and (entry.path in kinds or not entry.path.parts):
            raise InvalidParameterValueException(NOT_A_ZIP)
        if kinds.setdefault(entry.path, entry.kind) != entry.kind:
            raise InvalidParameterValueException(NOT_A_ZIP)
        if entry.path.parts:
            yield entry


def _entry(info: zipfile.ZipInfo) -> _Entry:
    name = _name(info)
    path = PurePosixPath(name)
    attributes = info.external_attr >> 16
    kind = stat.S_IFMT(attributes)
    if name.endswith("/"):
        kind = stat.S_IFDIR
    elif kind == 0:
        kind = stat.S_IFREG
    if (
        path.is_absolute()
        or ".." in path.parts
        # `zipfile` ends a name there, others do not.
        or "\0" in info.orig_filename
        or len(path.parts) > DEPTH_MAX
        or info.flag_bits & _ENCRYPTED
        or kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
        # The other methods let an archive choose how much memory its reader takes.
        or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    ):
        raise InvalidParameterValueException(NOT_A_ZIP)
    default = PLAIN_DIRECTORY_MODE if kind == stat.S_IFDIR else PLAIN_FILE_MODE
    # SECURITY: set-user-id and set-group-id bits would be root's, who owns the tree.
    mode = (attributes & 0o777) or default
    if os.geteuid() != 0:
        mode |= _OWNER_NEEDS[kind]
    return _Entry(info=info, path=path, kind=kind, mode=mode)


def _name(info: zipfile.ZipInfo) -> str:
    """Return the entry's name; most tools write UTF-8 even where they do not say so."""
    if info.flag_bits & _NAME_IS_UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode()
    except ValueError:
        return info.filename


def _extract(archive: zipfile.ZipFile, entries: Sequence[_Entry], target: Path) -> None:
    """Write files first, then links, then modes: nothing is ever written through a link."""
    target.mkdir(mode=0o700)
    budget = limits.UNZIPPED_BYTES_MAX
    directories = {target: PLAIN_DIRECTORY_MODE}
    for entry in entries:
        place = target / entry.path
        implied = [target / parent for parent in entry.path.parents][:-1]
        if entry.kind == stat.S_IFDIR:
            implied.insert(0, place)
        for directory in reversed(implied):
            if directory not in directories:
                directory.mkdir(mode=0o700)
                directories[directory] = PLAIN_DIRECTORY_MODE
        if entry.kind == stat.S_IFDIR:
            directories[place] = entry.mode
        elif entry.kind == stat.S_IFREG:
            budget -= _write(archive, entry, place, budget)
    _link(archive, [entry for entry in entries if entry.kind == stat.S_IFLNK], target)
    # Made of more parts first: a directory may forbid to reach what is below it.
    for directory in sorted(directories, key=lambda path: len(path.parts), reverse=True):
        directory.chmod(directories[directory])


def _write(archive: zipfile.ZipFile, entry: _Entry, place: Path, budget: int) -> int:
    """Inflate one file and return its size; stops as soon as the budget is exceeded."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    written = 0
    with (
        archive.open(entry.info) as source,
        os.fdopen(os.open(place, flags, 0o600), "wb", buffering=0) as file,
    ):
        while block := source.read(BLOCK_BYTES):
            written += len(block)
            if written > budget:
                raise InvalidParameterValueException(TOO_LARGE)
            file.write(block)
        os.fchmod(file.fileno(), entry.mode)
    return written


def _link(archive: zipfile.ZipFile, links: Sequence[_Entry], target: Path) -> None:
    for entry in links:
        with archive.open(entry.info) as source:
            destination = source.read(LINK_BYTES_MAX + 1)
        if not 0 < len(destination) <= LINK_BYTES_MAX:
            raise InvalidParameterValueException(NOT_A_ZIP)
        (target / entry.path).symlink_to(os.fsdecode(destination))
    # Only now, because where a link leads depends on the others.
    root = Path(os.path.realpath(target))
    for entry in links:
        place = target / entry.path
        leads_to = Path(os.path.realpath(place))
        if place.readlink().is_absolute() or not leads_to.is_relative_to(root):
            raise InvalidParameterValueException(NOT_A_ZIP)
