"""System calls that are written down first and made later, in order, by whom they are meant for.

Written down they can be followed without an interpreter: `guest/native/launch.c` makes them in a
process that shares this one's memory until it executes a program. Where that cannot be had they
are made here, one by one. Runs in the launcher: only the standard library, Python 3.9 and later.
"""

from __future__ import annotations

import ctypes
import errno
import os
from array import array

from lambdad.sandbox.syscall_numbers import MACHINES, syscall_numbers

# `struct step` of launch.c: the number, arguments, which of them are earlier results, the error
# that is none, and the result.
_ARGUMENTS = 6
_WORDS = _ARGUMENTS + 4
_RESULT = _WORDS - 1
_FORK = -1
# Where `launch` is called: so far behind where the program begins. As in init.c.
_LAUNCH_OFFSET = 32
# ELF: where the entry point stands in the header.
_ENTRY_AT, _ENTRY_BYTES = 24, 8
_PROT_READ, _PROT_EXEC, _MAP_PRIVATE = 1, 4, 2

_machine = os.uname().machine
_numbers = syscall_numbers(_machine) if _machine in MACHINES else {}
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.mmap.restype = ctypes.c_void_p
# What steps point to; it has to stay where it is. Nothing of a function is ever among it.
_texts: dict[bytes, int] = {}


class Result(int):
    """An argument that is the result of an earlier step."""


def address_of(content: bytes) -> int:
    """Return where bytes lie in memory, from now on and for good; a NUL follows them."""
    found = _texts.get(content)
    if found is None:
        found = ctypes.cast(ctypes.c_char_p(content), ctypes.c_void_p).value or 0
        _texts[content] = found
    return found


class Steps:
    """A list of system calls. Mutable: it grows; results come into it when it is followed."""

    def __init__(self) -> None:
        self._words = array("q")
        self._tasks: list[str] = []

    def add(self, task: str, name: str, *arguments: int | bytes, tolerated: int = 0) -> Result:
        """Write a call down.

        Args:
            task: what it does, for whom it fails: `mount proc`.
            name: of the system call.
            arguments: bytes are handed over as their address.
            tolerated: an error that does not count.

        Returns:
            Its result, as an argument of later steps.
        """
        return self._add(task, _numbers[name], arguments, tolerated)

    def fork(self) -> None:
        """Fork at this place: only where the steps are followed by :class:`FirstProcess`."""
        self._add("fork", _FORK, (), 0)

    def _add(
        self, task: str, number: int, arguments: tuple[int | bytes, ...], tolerated: int
    ) -> Result:
        words = [number, 0, 0, 0, 0, 0, 0, 0, tolerated, 0]
        for place, argument in enumerate(arguments):
            if isinstance(argument, bytes):
                words[1 + place] = address_of(argument)
            else:
                words[1 + place] = argument
                if isinstance(argument, Result):
                    words[1 + _ARGUMENTS] |= 1 << place
        self._words.extend(words)
        self._tasks.append(task)
        return Result(len(self._tasks) - 1)

    def follow(self) -> None:
        """Make the calls, here and now.

        Raises:
            OSError: one failed; those behind it are not made.
        """
        for index, task in enumerate(self._tasks):
            first = index * _WORDS
            number, *arguments, earlier, tolerated, _ = self._words[first : first + _WORDS]
            for place in range(_ARGUMENTS):
                if earlier >> place & 1:
                    arguments[place] = self._words[arguments[place] * _WORDS + _RESULT]
            result = _libc.syscall(*(ctypes.c_long(value) for value in (number, *arguments)))
            if result < 0:
                result = -ctypes.get_errno()
                if result != -tolerated:
                    raise _failed(task, -result)
            self._words[first + _RESULT] = result

    @property
    def table(self) -> tuple[int, int]:
        """Where the steps are in memory, and how many; until another is added."""
        return self._words.buffer_info()[0], len(self._tasks)

    def failure(self, index: int) -> OSError | None:
        """Return how that step failed, if it did; the last one fails by having a result."""
        result = self._words[index * _WORDS + _RESULT]
        if index == len(self._tasks) - 1 and result == 0:
            return None
        return _failed(self._tasks[index], -result)


class FirstProcess:
    """Begins first processes of PID namespaces, by steps whose last one executes a program.

    Args:
        program: descriptor of the small PID 1, which `launch` is linked into.
    """

    def __init__(self, program: int) -> None:
        """Raises OSError: this host does not execute what lies in memory."""
        size = os.fstat(program).st_size
        head = os.pread(program, _ENTRY_AT + _ENTRY_BYTES, 0)
        protection = _PROT_READ | _PROT_EXEC
        start = _libc.mmap(
            None, ctypes.c_size_t(size), protection, _MAP_PRIVATE, program, ctypes.c_long(0)
        )
        if start is None or start == ctypes.c_void_p(-1).value:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot map a program: {os.strerror(number)}")
        entry = int.from_bytes(head[_ENTRY_AT:], "little")
        # Called without letting other threads of the interpreter run.
        prototype = ctypes.PYFUNCTYPE(ctypes.c_long, *[ctypes.c_void_p] * 4)
        self._launch = prototype(start + entry + _LAUNCH_OFFSET)
        self._at = (ctypes.c_ulong * 1)()
        self._fork = ctypes.cast(ctypes.PyDLL(None).fork, ctypes.c_void_p)

    def begin(self, steps: Steps) -> int:
        """Begin one; returns its pid when it has executed its program, and 0 in what it forked.

        Raises:
            OSError: a step failed; the process has ended.
        """
        table, count = steps.table
        pid = int(self._launch(table, count, ctypes.addressof(self._at), self._fork))
        if pid == 0:
            return 0
        if pid < 0:
            raise _failed("begin a process", -pid)
        failure = steps.failure(self._at[0])
        if failure is not None:
            raise failure
        return pid


def _failed(task: str, number: int) -> OSError:
    if number <= 0:
        # The step itself did not fail, so the process was ended behind or in it.
        return OSError(errno.EINTR, f"cannot {task}: it was killed")
    return OSError(number, f"cannot {task}: {os.strerror(number)}")
