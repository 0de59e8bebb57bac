"""Fill the holes in an interpreter's memory, so that what its forks allocate lies together.

After hundreds of modules were imported every page has some free blocks. A fork that takes one
here and one there has soon written to all of them, and each page it writes to becomes its own.
Once the holes are taken, new objects lie side by side in fresh pages. It costs the interpreter
some hundred KiB, once; with other allocators than CPython's and the GNU C library's nothing
happens.

Runs in a zygote: only the standard library, Python 3.9 and later.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator

# What nobody shall get back: it fills holes.
_fillers: list[object] = []

_BYTES_HEADER = sys.getsizeof(b"")
# How `sys._debugmallocstats` describes a size: class, bytes, pools, blocks in use, free blocks.
_COLUMNS = 5
_REPORT_BYTES = 1 << 16

_LARGEST, _SMALLEST = 64 * 1024, 24
# Finer steps are worth it where most blocks are.
_FINE_BELOW, _FINE_STEP = 2048, 16
# A stranger allocator might never come to its end.
_CHUNKS_MAX = 10_000


def fill() -> None:
    """Take every free block of CPython's pools, and every free chunk of the C library's heap."""
    for size, free in list(_free_blocks()):
        _fillers.append([_object_of(size) for _ in range(free)])
    _fill_heap()


def _object_of(size: int) -> object:
    """Return a new object of so many bytes, roughly."""
    if size <= 16:
        return object()
    if size <= _BYTES_HEADER:
        return float(len(_fillers)) + 0.5
    return bytes(size - _BYTES_HEADER)


def _free_blocks() -> Iterator[tuple[int, int]]:
    """Yield a size of blocks and how many of it are free in pools that are in use."""
    for line in _statistics().splitlines():
        words = line.split()
        if len(words) == _COLUMNS and all(word.isdigit() for word in words):
            yield int(words[1]), int(words[4])


def _statistics() -> str:
    """Return what the interpreter can only write to the standard error stream."""
    report = os.memfd_create("statistics")
    usual = os.dup(2)
    try:
        os.dup2(report, 2)
        sys._debugmallocstats()
        return os.pread(report, _REPORT_BYTES, 0).decode()
    finally:
        os.dup2(usual, 2)
        os.close(usual)
        os.close(report)


def _fill_heap() -> None:
    """Take chunks of each size until the next one comes from where the heap ends."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    end = libc.malloc(2 * _LARGEST - 4096)
    libc.free(end)
    size, chunks = _LARGEST, 0
    while size >= _SMALLEST and chunks < _CHUNKS_MAX:
        chunk = libc.malloc(size)
        chunks += 1
        if chunk is None or end is None or chunk >= end:
            libc.free(chunk)
            size = size // 2 if size > _FINE_BELOW else size - _FINE_STEP
