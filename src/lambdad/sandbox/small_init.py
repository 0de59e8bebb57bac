"""The small PID 1: the program that a sandbox's first process executes.

Its source is `guest/native/init.c`; the bytes beside it are committed, so that no host needs a
compiler. What it does is described in `guest/init.py`, which goes on by itself where there is none
for the processor, or where the host executes no programs from memory.

Runs in the launcher: only the standard library.
"""

# pathlib is not loaded into the launcher.
# ruff: noqa: PTH118, PTH120, PTH123

from __future__ import annotations

import fcntl
import os

# linux/memfd.h, linux/fcntl.h
_MFD_CLOEXEC, _MFD_ALLOW_SEALING, _MFD_EXEC = 1, 2, 0x10
_F_ADD_SEALS = 1033
_SEALED = 0x1 | 0x2 | 0x4 | 0x8
# SECURITY: who cannot read a program cannot look into processes of it: no memory, no descriptors,
# no tracing. The kernel sees to that before the first instruction.
_EXECUTE_ONLY = 0o111


def program() -> int | None:
    """Return a descriptor of the program, to be executed by that; None where there is none."""
    name = f"init-{os.uname().machine}"
    path = os.path.join(os.path.dirname(__file__), "..", "guest", "native", name)
    try:
        with open(path, "rb") as file:
            content = file.read()
        fd = _memory_file()
    except OSError:
        return None
    os.write(fd, content)
    os.fchmod(fd, _EXECUTE_ONLY)
    fcntl.fcntl(fd, _F_ADD_SEALS, _SEALED)
    return fd


def _memory_file() -> int:
    flags = _MFD_CLOEXEC | _MFD_ALLOW_SEALING
    try:
        return os.memfd_create("init", flags | _MFD_EXEC)
    except OSError:
        # Linux before 6.3 does not know the flag, and needs none.
        return os.memfd_create("init", flags)
