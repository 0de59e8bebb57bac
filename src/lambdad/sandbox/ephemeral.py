"""`/tmp` of a sandbox: a small ext4 file system in a sparse file, so that it costs no memory.

A template is formatted once per size and kept; a sandbox gets a copy of the few blocks that hold
data, on a loop device, mounted nowhere but in the sandbox. The file is unlinked while in use: when
the last holder of the mount is gone, so are mount, device and disk space. That moment takes
10 to 80 ms, so it is to be spent in a thread. Without loop devices or mkfs.ext4 there is tmpfs,
whose pages count as the function's memory.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import struct
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import syscalls

_MIB = 1024 * 1024
_TOOL_PLACES = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
# linux/loop.h
_LOOP_CONFIGURE, _LOOP_CTL_GET_FREE, _LOOP_MAJOR = 0x4C0A, 0x4C82, 7
_AUTOCLEAR, _DIRECT_IO = 4, 16
_LOOP_INFO_BYTES, _LOOP_FLAGS_OFFSET, _LOOP_RESERVED_BYTES = 232, 52, 64
_ATTACH_ATTEMPTS = 100

_INODES_PER_MIB = 64
_INODE_BYTES = 256
# Group descriptors and bitmaps, generously; what counts is what is free afterwards.
_OVERHEAD = 1.01
_OVERHEAD_BYTES = 8 * _MIB


class EphemeralStorage:
    """Makes file systems for `/tmp`.

    Args:
        directory: where templates and images lie; on a disk, not in memory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._templates: dict[int, Path] = {}

    def open(self) -> None:
        """Sweep what a predecessor left, and try the whole path once.

        Raises:
            HostUnfit: this host has no loop devices or no mkfs.ext4.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        for leftover in self._directory.glob("image-*"):
            leftover.unlink(missing_ok=True)
        try:
            os.close(self.create(512))
        except OSError as error:
            raise HostUnfit(
                f"Ephemeral storage of functions cannot be a disk image: {error}.",
                "Load the kernel module loop (modprobe loop).",
            ) from error

    def create(self, size_mb: int) -> int:
        """Return a descriptor of a detached, empty file system; blocks for some milliseconds.

        Raises:
            OSError, HostUnfit: the host refuses.
        """
        image = self._copy_of_template(size_mb)
        try:
            return _mount_image(image, discard=True)
        finally:
            os.close(image)

    def _copy_of_template(self, size_mb: int) -> int:
        template = self._template(size_mb)
        fd, name = tempfile.mkstemp(prefix="image-", dir=self._directory)
        try:
            _copy_sparse(template, fd)
        except OSError:
            os.close(fd)
            raise
        finally:
            Path(name).unlink()
        return fd

    def _template(self, size_mb: int) -> Path:
        with self._lock:
            if size_mb not in self._templates:
                path = self._directory / f"template-{size_mb}.ext4"
                if not path.exists():
                    _format(path, size_mb)
                self._templates[size_mb] = path
            return self._templates[size_mb]


def _format(path: Path, size_mb: int) -> None:
    """Make an empty file system of which `size_mb` MiB can be used."""
    tool = shutil.which("mkfs.ext4", path=_TOOL_PLACES)
    if tool is None:
        raise HostUnfit("The program mkfs.ext4 is missing.", "Install the package e2fsprogs.")
    scratch = path.with_suffix(".new")
    inodes = size_mb * _INODES_PER_MIB
    wanted = size_mb * _MIB
    size = int(wanted * _OVERHEAD) + inodes * _INODE_BYTES + _OVERHEAD_BYTES
    with scratch.open("wb") as file:
        file.truncate(size)
    features = "^has_journal,^resize_inode,sparse_super2"
    extended = "lazy_itable_init=1,nodiscard,num_backup_sb=0,root_owner=0:0"
    command = [tool, "-q", "-F", "-b", "4096", "-m", "0", "-O", features, "-E", extended]
    command += ["-I", str(_INODE_BYTES), "-N", str(inodes), str(scratch)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise HostUnfit(f"mkfs.ext4 failed: {done.stderr.strip()}.", "Check the disk's free space.")
    fd = os.open(scratch, os.O_RDWR | os.O_CLOEXEC)
    try:
        mount = _mount_image(fd, discard=False)
    finally:
        os.close(fd)
    try:
        os.rmdir("lost+found", dir_fd=mount)
        os.chmod(f"/proc/self/fd/{mount}", 0o1777)  # noqa: PTH101, S103 - the mode of /tmp
    finally:
        os.close(mount)
    scratch.rename(path)


def _copy_sparse(source: Path, target: int) -> None:
    """Copy the blocks that hold data."""
    fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        os.ftruncate(target, size)
        position = 0
        while position < size:
            try:
                start = os.lseek(fd, position, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return
                raise
            position = os.lseek(fd, start, os.SEEK_HOLE)
            while start < position:
                start += os.copy_file_range(fd, target, position - start, start, start)
    finally:
        os.close(fd)


def _mount_image(image: int, *, discard: bool) -> int:
    device, path = _attach_loop(image)
    try:
        options: dict[str, str | None] = {"source": path, "noinit_itable": None}
        if discard:
            # Gives the host's disk back what the function deletes.
            options["discard"] = None
        attributes = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
        return syscalls.new_mount("ext4", options, attributes)
    finally:
        # The mount holds the device now; it goes by itself with it.
        os.close(device)


def _attach_loop(image: int) -> tuple[int, str]:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_ATTACH_ATTEMPTS):
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            device = _open_loop(number)
            try:
                _configure(device, image)
            except OSError as error:
                os.close(device)
                # Somebody else was faster with this device.
                if error.errno != errno.EBUSY:
                    raise
                continue
            return device, f"/dev/loop{number}"
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, "cannot get a loop device")


def _open_loop(number: int) -> int:
    path = f"/dev/loop{number}"
    with suppress(FileNotFoundError):
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    # Where /dev does not fill itself, as in some containers.
    os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(_LOOP_MAJOR, number))
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _configure(device: int, image: int) -> None:
    for flags in (_AUTOCLEAR | _DIRECT_IO, _AUTOCLEAR):
        info = bytearray(_LOOP_INFO_BYTES)
        struct.pack_into("=I", info, _LOOP_FLAGS_OFFSET, flags)
        request = struct.pack("=II", image, 0) + bytes(info) + bytes(_LOOP_RESERVED_BYTES)
        try:
            fcntl.ioctl(device, _LOOP_CONFIGURE, request)
        except OSError as error:
            # A file system below that cannot do direct I/O: through its page cache then.
            if error.errno != errno.EINVAL or not flags & _DIRECT_IO:
                raise
        else:
            return
