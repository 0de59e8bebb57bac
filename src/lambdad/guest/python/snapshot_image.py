"""Taking on the memory of an initialised function: what a process that waits does.

A snapshot is the memory of a process that has imported a function, written by itself
(`snapshot_capture`). Whoever takes it on is a fork of the same interpreter, in a sandbox of its
own: executable, libraries, stack and thread-local storage lie at the same addresses, and what is
read-only in them is there already. The rest is mapped, copy on write, by `snapshot.c`. That needs
no right that a program has not.

The image is what a function wrote, and trusted no more than its code: it gets into sandboxes of
that function version alone.
"""
# ruff: noqa: TID252

import os
import sys
from _struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, FrozenSet, Set

# Places that nothing else is put at: below all that the kernel or an allocator chooses.
AREA, AREA_BYTES = 0x1000_0000_0000, 16 << 20
STACK, STACK_BYTES = AREA + AREA_BYTES, 64 << 10
END = STACK + STACK_BYTES
# Where no descriptor is that a process is started with.
IMAGE_FD = 100
# What the assignment begins with, instead of a variable: a descriptor comes with it.
CAPTURE, RESTORE = b"\1", b"\2"
RESTORED, INITIALISED = b"R", b"I"
# Ends an image: where its area is, and its bytes; which interpreter it is of; and that it is whole.
TAIL = Struct("=QQ16s16s")
COMPLETE, REFUSED = b"lambdad-snapshot", b"lambdad-refusal\0"

SYS_MMAP, SYS_MUNMAP = 9, 11
READ_WRITE = 3
PRIVATE, ANONYMOUS, AT_PLACE_IF_FREE = 0x02, 0x20, 0x100000


class Origin:
    """The interpreter that all processes come from which can take on each other's memory.

    Mutable: set once by that interpreter, before it is forked. `machine` is `snapshot.c`, and
    `libraries` are the files of extension modules that all forks have.
    """

    machine: "Any" = None
    token = b""
    libraries: "FrozenSet[str]" = frozenset()


def note_origin() -> None:
    """Be the interpreter that others are forked from."""
    try:
        from . import _snapshot  # type: ignore[attr-defined]  # noqa: PLC0415
    except ImportError:
        # Not on this processor.
        return
    Origin.machine = _snapshot
    Origin.token = os.urandom(16)
    Origin.libraries = frozenset(loaded_libraries())


def loaded_libraries() -> "Set[str]":
    """Return the files of extension modules."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return {file for file in files if isinstance(file, str) and file.endswith(".so")}


def restore(image: int) -> str:
    """Become the process that an image is of; return only if that cannot be: why not.

    Closes the descriptor. From the first system call of the image on there is no way back: the
    process ends if a step fails.
    """
    os.dup2(image, IMAGE_FD, inheritable=False)
    os.close(image)
    try:
        return _restore()
    finally:
        os.close(IMAGE_FD)


def _restore() -> str:
    machine = Origin.machine
    if machine is None:
        return "This interpreter takes on no snapshots."
    size = os.fstat(IMAGE_FD).st_size
    if size < TAIL.size:
        return "The snapshot is damaged."
    place, length, token, magic = TAIL.unpack(os.pread(IMAGE_FD, TAIL.size, size - TAIL.size))
    if token != Origin.token or magic != COMPLETE:
        return "The snapshot is of another interpreter."
    if length > AREA_BYTES or place + length > size:
        return "The snapshot is damaged."
    flags = PRIVATE | AT_PLACE_IF_FREE
    area = machine.call(SYS_MMAP, AREA, length, READ_WRITE, flags, IMAGE_FD, place)
    if area != AREA:
        return "There is no room for the snapshot."
    stack = machine.call(SYS_MMAP, STACK, STACK_BYTES, READ_WRITE, flags | ANONYMOUS, -1, 0)
    if stack == STACK:
        machine.resume(AREA, END)
    machine.call(SYS_MUNMAP, AREA, length)
    return "The snapshot does not fit into this process."
