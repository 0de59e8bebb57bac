"""Writing the memory of an initialised function out, for others to go on with.

A process cannot be stopped while it looks at itself, so a fork of it is written: there is one
thread, and what libraries do at forks (stop threads, forget what was the parent's) has been done.
Here is decided what goes into an image and which system calls bring it back; what cannot be
brought back is refused by `snapshot_limits`.
"""
# ruff: noqa: TID252

import gc
import os
import signal
import sys
from _struct import Struct

from . import snapshot_image as image
from . import snapshot_limits as limits
from .snapshot_limits import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Set


class Mapping:
    """A line of `/proc/self/maps`."""

    def __init__(self, line: bytes) -> None:
        # Address, permissions, offset, device, inode, path.
        fields = line.decode("utf-8", "surrogateescape").split(None, 5)
        start, _, end = fields[0].partition("-")
        self.start = int(start, 16)
        self.end = int(end, 16)
        self.permissions = fields[1]
        self.offset = int(fields[2], 16)
        self.path = fields[5] if len(fields) > 5 else ""
        # As `limits.Base` has it.
        name = os.fsencode(self.path)
        self.key = b" ".join((fields[0].encode(), fields[1].encode(), name))


_PAGE = 4096
# See `struct area` and `struct step` in `snapshot.c`.
_AREA = Struct("=12Q")
_STEP = Struct("=8Q")
_TID_ADDRESS = image.AREA + 16
_TEXTS_AT = _PAGE
_TEXTS_BYTES = 60 * 1024
_STEPS_AT = _TEXTS_AT + _TEXTS_BYTES
_STEPS_MAX = 32_768
_WORK_AT, _WORK_BYTES = 8 << 20, 4 << 20
_ANY, _OPENED = 0xFFFF_FFFF_FFFF_FFFF, -2
_STORE, _STORE_SPARSE, _STORE_STACK = 1 << 20, (1 << 20) + 1, (1 << 20) + 2
_WRITTEN, _TAKEN_ON, _CHANGED = 0, 1, 2
_ATTEMPTS = 20

_CLOSE, _BRK, _SIGACTION, _SIGPROCMASK, _MADVISE = 3, 12, 13, 14, 28
_SIGALTSTACK, _PRCTL, _OPENAT, _PRLIMIT = 131, 157, 257, 302
_SIG_SETMASK, _GET_TID_ADDRESS, _AT_FDCWD, _WIPE_ON_FORK = 2, 40, -100, 18
_PRIVATE_AT, _ANONYMOUS, _NO_RESERVE, _DROPPABLE_AT = 0x12, 0x20, 0x4000, 0x18
_CLOSE_ON_EXEC = 0o2000000
_SIGNALS = [number for number in range(1, 65) if number not in (signal.SIGKILL, signal.SIGSTOP)]
_SIGACTION_BYTES = 32
_LIMITS = 16
# Programs begin at 4 MiB at the least; the kernel's own half of addresses at the end.
_FIRST_ADDRESS, _LAST_ADDRESS = 1 << 16, 0x7FFF_FFFF_F000
# In /proc/self/pagemap: present or swapped, and not of the file.
_IN_USE, _OF_FILE = 3 << 62, 1 << 61


def capture(output: int, base: "limits.Base") -> bool:
    """Write this process to a descriptor, and close that; whether this is who took it on.

    What cannot be written is said there, with the reason.
    """
    try:
        if image.Origin.machine is None:
            raise Refused("Snapshots need Python 3.9 or later on x86-64, started ahead.")
        limits.check(base, output)
        taken_on = _fork_and_write(output, base)
    except Refused as refusal:
        _refuse(output, str(refusal))
        taken_on = False
    if not taken_on:
        os.close(output)
    return taken_on


def _refuse(output: int, reason: str) -> None:
    text = reason.encode("utf-8", "backslashreplace")[:1000]
    try:
        os.write(output, text + image.TAIL.pack(0, len(text), b"", image.REFUSED))
    except OSError:
        # The platform has lost interest.
        return


def _fork_and_write(output: int, base: limits.Base) -> bool:
    gc.collect()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        return _write_once_alone(output, reader, base)
    os.close(reader)
    try:
        limits.check_threads()
        os.write(writer, b"\0")
    finally:
        # Its end tells the child to end as well.
        os.close(writer)
        _, status = os.waitpid(pid, 0)
    if status != 0:
        raise Refused("The process that wrote the snapshot ended by status %d." % status)
    return False


def _write_once_alone(output: int, go: int, base: limits.Base) -> bool:
    """In the fork: write, and end; return, True, only in a process that took this on."""
    status = 1
    try:
        if os.read(go, 1):
            os.close(go)
            gc.freeze()
            if _write(output, base):
                return True
        status = 0
    except Refused as refusal:
        _refuse(output, str(refusal))
        status = 0
    except BaseException:  # noqa: BLE001 - it must not go on as if it were the function
        sys.excepthook(*sys.exc_info())
    os._exit(status)


def _write(output: int, base: limits.Base) -> bool:
    maps = os.open("/proc/self/maps", os.O_RDONLY)
    pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
    _open_area(output, pagemap)
    for _ in range(_ATTEMPTS):
        text = _read_whole(maps)
        steps = _steps(text, pagemap, base)
        os.lseek(maps, 0, os.SEEK_SET)
        result = image.Origin.machine.capture(image.AREA, text, maps, steps)
        if result == _TAKEN_ON:
            image.Origin.machine.call(image.SYS_MUNMAP, image.AREA, image.END - image.AREA)
            return True
        if result == _WRITTEN:
            os.write(output, image.Origin.token + image.COMPLETE)
            return False
        if result != _CHANGED:
            raise Refused("The memory could not be written: %s." % os.strerror(-result))
    raise Refused("The memory did not come to rest.")


def _open_area(output: int, pagemap: int) -> None:
    flags = image.PRIVATE | image.ANONYMOUS | image.AT_PLACE_IF_FREE | _NO_RESERVE
    length = image.END - image.AREA
    place = image.Origin.machine.call(
        image.SYS_MMAP, image.AREA, length, image.READ_WRITE, flags, -1, 0
    )
    if place != image.AREA:
        raise Refused("The function uses memory at %#x." % image.AREA)
    work = image.AREA + _WORK_AT
    numbers = (0, 0, 0, _STEPS_AT, 0, _STEPS_MAX, image.IMAGE_FD, output, pagemap, work)
    image.Origin.machine.put(image.AREA, _AREA.pack(*numbers, _WORK_BYTES, 0))
    if image.Origin.machine.call(_PRCTL, _GET_TID_ADDRESS, _TID_ADDRESS) != 0:
        raise Refused("The kernel does not say where threads have their number.")


def _read_whole(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    pieces: "List[bytes]" = []
    while True:
        piece = os.read(descriptor, 65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


class Texts:
    """What system calls are given by address. Mutable: where the next one goes."""

    def __init__(self) -> None:
        self._next = image.AREA + _TEXTS_AT

    def room(self, length: int) -> int:
        """Return the address of so many bytes."""
        place = self._next
        self._next += -(-length // 16) * 16
        if self._next > image.AREA + _STEPS_AT:
            raise Refused("Too many files are mapped.")
        return place

    def put(self, data: bytes) -> int:
        """Return the address of a copy."""
        place = self.room(len(data))
        image.Origin.machine.put(place, data)
        return place


def _step(number: int, *arguments: int, expected: int = _ANY) -> bytes:
    values = (*arguments, *(0,) * (6 - len(arguments)), expected)
    return _STEP.pack(number, *(value & _ANY for value in values))


def _steps(maps: bytes, pagemap: int, base: limits.Base) -> bytes:
    """Return the orders to write what there is, and the calls that bring it back."""
    texts = Texts()
    mappings = [Mapping(line) for line in maps.splitlines()]
    everything = texts.put(b"\xff" * 8)
    program_break = image.Origin.machine.call(_BRK, 0)
    steps = [
        _step(_SIGPROCMASK, _SIG_SETMASK, everything, 0, 8),
        # The kernel shrinks only a heap that is there, and makes it larger only where nothing is.
        _step(_BRK, program_break),
        *_gaps(mappings),
        _step(_BRK, program_break, expected=program_break),
        *_regions(mappings, pagemap, texts, base),
        *_kernel_state(texts),
        _step(_CLOSE, image.IMAGE_FD),
    ]
    mask = texts.room(8)
    image.Origin.machine.call(_SIGPROCMASK, _SIG_SETMASK, 0, mask, 8)
    steps.append(_step(_SIGPROCMASK, _SIG_SETMASK, mask, 0, 8))
    return b"".join(steps)


def _gaps(mappings: "List[Mapping]") -> "Iterator[bytes]":
    """Free what lies between the mappings, for who takes them on may have others there."""
    end = _FIRST_ADDRESS
    for mapping in mappings:
        start = min(mapping.start, _LAST_ADDRESS)
        if start > end:
            yield _step(image.SYS_MUNMAP, end, start - end)
        end = mapping.end


def _regions(
    mappings: "List[Mapping]", pagemap: int, texts: Texts, base: limits.Base
) -> "List[bytes]":
    flags = _flags()
    files: "Dict[str, List[bytes]]" = {}
    stored = []
    for mapping in mappings:
        if image.AREA <= mapping.start < image.END or mapping.path.startswith("[v"):
            continue
        if mapping.path.startswith("/") and not _must_be_stored(mapping, pagemap):
            if mapping.key not in base.mappings:
                files.setdefault(mapping.path, []).append(_mapped(mapping))
        else:
            stored.append(_stored(mapping, flags.get(mapping.start, set())))
    for path, calls in files.items():
        name = texts.put(os.fsencode(path) + b"\0")
        stored.append(_step(_OPENAT, _AT_FDCWD, name, os.O_RDONLY | _CLOSE_ON_EXEC))
        stored.extend(calls)
        stored.append(_step(_CLOSE, _OPENED))
    return stored


def _flags() -> "Dict[int, Set[str]]":
    """Return what the kernel says of each mapping, by its start."""
    flags: "Dict[int, Set[str]]" = {}
    start = 0
    with open("/proc/self/smaps", "rb") as file:
        for line in file:
            head = line.split(b" ", 1)[0]
            if head == b"VmFlags:":
                flags[start] = set(line.decode().split()[1:])
            elif not head.endswith(b":"):
                start = int(head.partition(b"-")[0], 16)
    return flags


def _must_be_stored(mapping: Mapping, pagemap: int) -> bool:
    """Whether a file does not hold what is in its mapping, or may not do so elsewhere."""
    if mapping.permissions[1] == "w" or not limits.is_constant(mapping.path):
        return True
    first, pages = mapping.start // _PAGE, (mapping.end - mapping.start) // _PAGE
    entries = memoryview(os.pread(pagemap, pages * 8, first * 8)).cast("Q")
    return any(entry & _IN_USE and not entry & _OF_FILE for entry in entries)


def _protection(mapping: Mapping) -> int:
    return sum(1 << bit for bit, letter in enumerate("rwx") if mapping.permissions[bit] == letter)


def _mapped(mapping: Mapping) -> bytes:
    length = mapping.end - mapping.start
    arguments = (mapping.start, length, _protection(mapping), _PRIVATE_AT, _OPENED, mapping.offset)
    return _step(image.SYS_MMAP, *arguments, expected=mapping.start)


def _stored(mapping: Mapping, flags: "Set[str]") -> bytes:
    start, length, protection = mapping.start, mapping.end - mapping.start, _protection(mapping)
    if mapping.permissions[3] == "s" and "mw" in flags and mapping.permissions[1] == "w":
        raise Refused("Memory is shared with other processes (%s)." % (mapping.path or "no file"))
    if "ht" in flags:
        raise Refused("Memory is in huge pages of its own kind (MAP_HUGETLB).")
    if "wf" in flags or "dp" in flags:
        # Its owner wants it to be empty in a copy: it holds keys, or state of random numbers.
        kind = _DROPPABLE_AT if "dp" in flags else _PRIVATE_AT
        arguments = (start, length, protection, kind | _ANONYMOUS, -1, 0)
        step = _step(image.SYS_MMAP, *arguments, expected=start)
        return step + (_step(_MADVISE, start, length, _WIPE_ON_FORK) if "wf" in flags else b"")
    if mapping.path == "[stack]":
        return _step(_STORE_STACK, start, length, protection)
    if mapping.path.startswith("/"):
        return _step(_STORE, start, length, protection)
    return _step(_STORE_SPARSE, start, length, protection)


def _kernel_state(texts: Texts) -> "Iterator[bytes]":
    """Repeat what the kernel was told of signals and limits."""
    call = image.Origin.machine.call
    for number in _SIGNALS:
        place = texts.room(_SIGACTION_BYTES)
        call(_SIGACTION, number, 0, place, 8)
        yield _step(_SIGACTION, number, place, 0, 8)
    place = texts.room(24)
    call(_SIGALTSTACK, 0, place)
    yield _step(_SIGALTSTACK, place, 0)
    for number in range(_LIMITS):
        place = texts.room(16)
        call(_PRLIMIT, 0, number, 0, place)
        yield _step(_PRLIMIT, 0, number, place, 0)
