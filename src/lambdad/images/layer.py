"""Unpacking the layer of an image, which is hostile until proved otherwise.

A layer becomes a directory of its own, in which nothing is ever written through a link; marks of
what it removes from the layers below (`.wh.*`) stay in it as files. What is counted and compared is
what comes out, not what a header says. Runs in a thread, holds one block at a time.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import zstandard

from lambdad.domain.images import ImageProblem
from lambdad.images.manifest import Blob, too_large
from lambdad.images.streams import Counted, decompressed

ENTRIES_MAX = 1_000_000
DEPTH_MAX = 256
BLOCK_BYTES = 256 * 1024
LINK_BYTES_MAX = 4_095
_HEADER_BYTES_MAX = 1024 * 1024

_DAMAGE = (tarfile.TarError, zlib.error, zstandard.ZstdError, EOFError, ValueError, OverflowError)
_BAD_NAMES = (
    *(errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR),
    *(errno.EILSEQ, errno.EINVAL, errno.ELOOP, errno.ENOTEMPTY, errno.EMLINK),
)


class _Entry(tarfile.TarInfo):
    """A member whose extended headers are bounded: `tarfile` holds them in memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        plain = self.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
        if not plain and self.size > _HEADER_BYTES_MAX:
            raise tarfile.ReadError("a header is too large")
        return cast("tarfile.TarInfo", super()._proc_member(archive))  # type: ignore[misc]


def unpack(source: BinaryIO, blob: Blob, target: Path, budget: int) -> int:
    """Unpack into the new directory `target` and return the size of all files together.

    Args:
        source: the layer as it is transferred.
        blob: what both it and the archive in it must be.
        target: on failure the caller removes what is there.
        budget: bytes that the archive may have at most.

    Raises:
        ImageProblem: it is damaged, not what was named, too large, or has what no image may have.
        OSError: the disk failed or is full.
    """
    with _refused(blob.digest):
        transferred = Counted(source, budget)
        archive = Counted(decompressed(transferred), budget)
        unpacking = _Unpacking(target)
        unpacking.fill(archive)
        archive.drain()
        transferred.drain()
        if archive.digest != blob.diff_id:
            raise ImageProblem(f"The layer {blob.digest} does not hold {blob.diff_id}.")
        # Archives of `docker save` name layers by what is in them, however they are stored.
        if blob.digest not in (transferred.digest, blob.diff_id):
            raise ImageProblem(f"What was given for the layer {blob.digest} is not that.")
        return archive.count


@contextmanager
def _refused(digest: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ImageProblem(f"The layer {digest} is damaged: {error}.") from error
    except OSError as error:
        if error.errno in _BAD_NAMES:
            raise ImageProblem(
                f"The layer {digest} has names that contradict each other."
            ) from error
        raise


class _Unpacking:
    """One layer on its way to the disk.

    State: what each path that was made is; links to be made at the end; modes of directories.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._kinds: dict[PurePosixPath, int] = {PurePosixPath(): stat.S_IFDIR}
        self._directory_modes: dict[PurePosixPath, int] = {PurePosixPath(): 0o755}
        self._links: dict[PurePosixPath, tarfile.TarInfo] = {}
        # What an owner who is not root needs in order to remove it.
        self._own_file, self._own_directory = (0, 0) if os.geteuid() == 0 else (0o400, 0o700)

    def fill(self, archive: Counted) -> None:
        self._target.mkdir(mode=0o700)
        with tarfile.open(
            fileobj=cast("BinaryIO", archive),
            mode="r|",
            bufsize=BLOCK_BYTES,
            tarinfo=_Entry,
            errors="surrogateescape",
        ) as members:
            number = 0
            while (member := members.next()) is not None:
                # `tarfile` keeps every member; a layer may have a million.
                members.members = []  # type: ignore[attr-defined]
                number += 1
                if number > ENTRIES_MAX:
                    raise too_large()
                self._add(members, member)
        self._link()
        for path in sorted(self._directory_modes, key=lambda path: -len(path.parts)):
            mode = self._directory_modes[path] | self._own_directory
            (self._target / path).chmod(mode)

    def _add(self, members: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = path_in_layer(member.name)
        # SECURITY: set-user-id and set-group-id bits would be root's, who owns the tree.
        mode = member.mode & 0o777
        if member.isdir():
            self._make_directory(path)
            self._directory_modes[path] = mode
        elif member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            self._replace(path, stat.S_IFREG)
            self._write(members, member, path, mode)
        elif member.issym() or member.islnk():
            self._replace(path, stat.S_IFLNK)
            self._links[path] = member
        else:
            kind = "a device" if member.isdev() else "of a kind that no image may have"
            raise ImageProblem(f"The image contains {str(path)!r}, which is {kind}. Remove it.")

    def _make_directory(self, path: PurePosixPath) -> None:
        for directory in (*reversed(path.parents), path):
            kind = self._kinds.get(directory)
            if kind is None:
                (self._target / directory).mkdir(mode=0o700)
                self._kinds[directory] = stat.S_IFDIR
                self._directory_modes[directory] = 0o755
            elif kind != stat.S_IFDIR:
                raise ImageProblem(
                    f"A layer of the image reaches {str(path)!r} through {str(directory)!r}, which "
                    "is no directory in it."
                )

    def _replace(self, path: PurePosixPath, kind: int) -> None:
        """Make way for a file or a link; what is later in an archive counts."""
        self._make_directory(path.parent)
        present = self._kinds.get(path)
        if present == stat.S_IFDIR:
            raise ImageProblem(f"A layer of the image has {str(path)!r} twice.")
        if present == stat.S_IFREG:
            (self._target / path).unlink()
        self._links.pop(path, None)
        self._kinds[path] = kind

    def _write(
        self, members: tarfile.TarFile, member: tarfile.TarInfo, path: PurePosixPath, mode: int
    ) -> None:
        source = members.extractfile(member)
        assert source is not None  # noqa: S101 - it is a file
        place = self._target / path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(place, flags, 0o600), "wb", buffering=0) as file:
            left = member.size
            while left and (block := source.read(min(BLOCK_BYTES, left))):
                file.write(block)
                left -= len(block)
            if left:
                raise tarfile.ReadError("it ends in the midst of a file")
            os.fchmod(file.fileno(), mode | self._own_file)
            # Interpreters compare it with what they have compiled.
            seconds = min(max(int(member.mtime), 0), 2**32)
            os.utime(file.fileno(), (seconds, seconds))

    def _link(self) -> None:
        """Make links last, hard ones first: so nothing is written through one."""
        for path, member in self._links.items():
            if member.islnk():
                self._hard_link(path, path_in_layer(member.linkname))
        for path, member in self._links.items():
            if member.issym():
                self._symbolic_link(path, member.linkname)

    def _hard_link(self, path: PurePosixPath, original: PurePosixPath) -> None:
        kind = self._kinds.get(original)
        if kind == stat.S_IFREG:
            os.link(self._target / original, self._target / path, follow_symlinks=False)
        elif kind == stat.S_IFLNK and self._links[original].issym():
            self._symbolic_link(path, self._links[original].linkname)
        else:
            raise ImageProblem(
                f"The image contains {str(path)!r} as another name of {str(original)!r}, which is "
                "not in that layer."
            )

    def _symbolic_link(self, path: PurePosixPath, destination: str) -> None:
        # Wherever it leads: followed only by those for whom the image is the root.
        if not 0 < len(os.fsencode(destination)) <= LINK_BYTES_MAX or "\0" in destination:
            raise ImageProblem(f"The image's link {str(path)!r} leads nowhere.")
        (self._target / path).symlink_to(destination)


def path_in_layer(name: str) -> PurePosixPath:
    """Return where an entry goes, relative to the layer.

    Raises:
        ImageProblem: it would leave the layer, or is deeper than any image.
    """
    path = PurePosixPath(name.lstrip("/"))
    if ".." in path.parts or "\0" in name:
        raise ImageProblem(f"The image contains {name!r}, which leads out of it.")
    if len(path.parts) > DEPTH_MAX:
        raise ImageProblem(f"The image contains directories deeper than {DEPTH_MAX}.")
    return path
