"""The Linux calls a sandbox is built with, by ctypes: thin, typed, nothing decided here.

Python has `os.unshare` and `os.setns` from 3.12 only, and the mount calls not at all. Loaded into
the launcher too, so only the standard library is imported. Every function raises OSError.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

# linux/sched.h
CLONE_FS = 0x200
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x0002_0000, 0x0200_0000, 0x0400_0000
CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x0800_0000, 0x2000_0000, 0x4000_0000

# linux/mount.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8
MOUNT_ATTR_IDMAP = 0x0010_0000
READ_ONLY = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV
_OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
_FSOPEN_CLOEXEC, _FSMOUNT_CLOEXEC = 1, 1
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000

# Numbers from 424 on are the same on every machine.
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = 428, 429, 430, 431, 432, 442

# linux/prctl.h
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME = 1, 4, 15
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
_PR_CAPBSET_DROP, _PR_CAP_AMBIENT = 24, 47
SECCOMP_MODE_FILTER, _PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
# Version 3, the calling process.
CAPABILITY_HEADER = struct.pack("=Ii", 0x2008_0522, 0)
_CAPABILITIES_MAX = 64

_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# Unlike those of `_libc`, called without letting other threads of the interpreter run.
_fork = ctypes.PyDLL(None, use_errno=True).fork

# Limits of the memory that holds this process's arguments, once they are known.
_arguments: list[int] = []


def _checked(result: int, task: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot {task}: {os.strerror(number)}")
    return result


def _syscall(number: int, task: str, *arguments: object) -> int:
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments), task)


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """Attach a file system; `kind` is its type, empty for binds and remounts."""
    arguments = (source.encode(), os.fsencode(target), kind.encode() or None)
    result = _libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None)
    _checked(result, f"mount {kind or source} on {target}")


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """Detach a file system."""
    _checked(_libc.umount2(os.fsencode(target), flags), f"unmount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    """Change the root of the mount namespace."""
    _checked(_libc.pivot_root(os.fsencode(new_root), os.fsencode(put_old)), "pivot_root")


def open_tree(path: str, *, recursive: bool = True) -> int:
    """Return a descriptor of a detached copy of the mount at `path`."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    name = os.fsencode(path)
    return _syscall(_OPEN_TREE, f"copy the mount of {path}", _AT_FDCWD, name, ctypes.c_uint(flags))


def mount_setattr(
    fd: int, attributes: int, *, propagation: int = 0, user_namespace: int = 0
) -> None:
    """Add `MOUNT_ATTR_*` to the mount of `fd` and all below it.

    `user_namespace` is a descriptor, for `MOUNT_ATTR_IDMAP`.
    """
    request = struct.pack("=QQQQ", attributes, 0, propagation, user_namespace)
    flags = ctypes.c_uint(_AT_EMPTY_PATH | _AT_RECURSIVE)
    size = ctypes.c_size_t(len(request))
    _syscall(_MOUNT_SETATTR, "restrict a mount", fd, b"", flags, request, size)


def read_only_tree(path: str) -> int:
    """Return a descriptor of a detached, read-only copy of the mounts at and below `path`."""
    fd = open_tree(path)
    try:
        # Private, so that what is mounted below `path` later on stays out of the copy.
        mount_setattr(fd, READ_ONLY, propagation=MS_PRIVATE)
    except OSError:
        os.close(fd)
        raise
    return fd


def move_mount(fd: int, target: str) -> None:
    """Attach the detached mount of `fd` at `target`."""
    flags = ctypes.c_uint(MOVE_MOUNT_F_EMPTY_PATH)
    _syscall(_MOVE_MOUNT, f"mount on {target}", fd, b"", _AT_FDCWD, os.fsencode(target), flags)


def new_mount(kind: str, options: dict[str, str | None], attributes: int) -> int:
    """Return a descriptor of a new, detached file system.

    Args:
        kind: file system type.
        options: mount options; None marks one without value.
        attributes: `MOUNT_ATTR_*`.
    """
    context = _syscall(_FSOPEN, f"open {kind}", kind.encode(), ctypes.c_uint(_FSOPEN_CLOEXEC))
    try:
        for key, value in options.items():
            command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
            text = None if value is None else value.encode()
            task = f"set {key} of {kind}"
            _syscall(_FSCONFIG, task, context, ctypes.c_uint(command), key.encode(), text, 0)
        create = ctypes.c_uint(_FSCONFIG_CMD_CREATE)
        _syscall(_FSCONFIG, f"create {kind}", context, create, None, None, 0)
        flags = ctypes.c_uint(_FSMOUNT_CLOEXEC)
        task = f"mount {kind}"
        return _syscall(_FSMOUNT, task, context, flags, ctypes.c_uint(attributes))
    finally:
        os.close(context)


def fork() -> int:
    """Fork, for processes with one thread: 0 in the child.

    `os.fork` looks after threads and locks afterwards, and has written to 130 pages by then. What
    is registered with `os.register_at_fork` is not called.
    """
    return _checked(_fork(), "fork")


def unshare(flags: int) -> None:
    """Put this process (for PID: its children) into new namespaces, `CLONE_NEW*`."""
    _checked(_libc.unshare(ctypes.c_int(flags)), f"make namespaces {flags:#x}")


def setns(fd: int, kind: int) -> None:
    """Put this process into the namespace of a descriptor; `kind` is its `CLONE_NEW*`."""
    _checked(_libc.setns(fd, ctypes.c_int(kind)), "enter a namespace")


def prctl(option: int, value: int) -> None:
    """Set one of the process options that take one number, `PR_*`."""
    arguments = (ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    _checked(_libc.prctl(ctypes.c_int(option), *arguments), f"set process option {option}")


def set_name(name: str) -> None:
    """Set what `ps` shows as the command: at most 15 bytes."""
    text = ctypes.create_string_buffer(name.encode()[:15])
    _checked(_libc.prctl(ctypes.c_int(PR_SET_NAME), text, 0, 0, 0), "name the process")


def drop_bounding_set() -> None:
    """Give up every capability for this process's programs, for good."""
    zero = ctypes.c_ulong(0)
    for capability in range(_CAPABILITIES_MAX):
        # The kernel knows some 41 and answers EINVAL from the first unknown one on.
        number = ctypes.c_ulong(capability)
        if _libc.prctl(ctypes.c_int(_PR_CAPBSET_DROP), number, zero, zero, zero) < 0:
            break
    clear = ctypes.c_ulong(_PR_CAP_AMBIENT_CLEAR_ALL)
    _checked(_libc.prctl(ctypes.c_int(_PR_CAP_AMBIENT), clear, zero, zero, zero), "clear ambient")


def loopback_up() -> None:
    """Switch on `lo` of this network namespace; it comes with 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(control, _SIOCSIFFLAGS, request)


def find_arguments(stat: bytes) -> None:
    """Note where this process's arguments are, by its `/proc/self/stat`; its forks know it then."""
    # Fields after the command, which is in brackets; 48 and 49 of proc(5) are the limits.
    fields = stat.rpartition(b")")[2].split()
    _arguments[:] = [int(fields[45]), int(fields[46])]


def overwrite_arguments(name: str) -> None:
    """Replace what `/proc/PID/cmdline` shows, here and in processes forked from here."""
    if not _arguments:
        with open("/proc/self/stat", "rb") as file:  # noqa: PTH123 - no pathlib in the launcher
            find_arguments(file.read())
    start, end = _arguments
    text = name.encode()[: end - start - 1]
    ctypes.memmove(start, text + bytes(end - start - len(text)), end - start)
