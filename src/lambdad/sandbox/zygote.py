"""A launcher that is a function's interpreter: its sandboxes fork runtimes, and start none.

The launcher (`lambdad.sandbox.launcher`) has made the template root and has then executed the
interpreter in it, so that all paths are those a function will see. What an interpreter costs to
start, in time and in memory, is paid here once: a fork shares it until it writes.

It runs in Python 3.9 and later. Like the launcher it never sees code, events or variables of a
function. What forks have in common, and programs that are executed have not: the hash seed of
`str`, and where the interpreter lies in memory.
"""
# Not the server's interpreter, and a process with one thread before anything of a function runs.
# ruff: noqa: PTH120, PTH123

from __future__ import annotations

import ctypes
import fcntl
import gc
import importlib
import io
import json
import os
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Mapping, Sequence
from typing import NoReturn

from lambdad.sandbox import dense_heap, syscalls
from lambdad.sandbox.launcher import MESSAGE_BYTES, UP, Forked, Launcher, Task

# Where lambdad's own modules are until they have been imported.
PACKAGE_ROOT = "/mnt"
# What the interpreter is called with: it stays at the bottom of the stack of every runtime.
PROGRAM = (
    f"import sys; sys.path.append({PACKAGE_ROOT!r}); from lambdad.sandbox.zygote import main; "
    "code = main(); exec(code, sys.modules['__main__'].__dict__)"
)
# What runtimes forget, in a list from before the fork: to look for it among all modules, each fork
# would write to the names of all of them.
_own: list[str] = []
# Where descriptors are that a runtime shall have, until all others are closed.
_ASIDE_FD = 128
_DESCRIPTORS_MAX = 65_536


def main() -> types.CodeType:
    """Serve the supervisor; return in a forked runtime alone, with the program to run.

    The argument of the process is a `lambdad.sandbox.launcher.Task` as JSON.
    """
    task: Task = json.loads(sys.argv[1])
    control = socket.socket(fileno=task["control"])
    try:
        launcher = _prepare(task, control)
        with open(task["script"], "rb") as file:
            code = compile(file.read(), task["script"], "exec")
    except Exception as error:  # noqa: BLE001 - whatever it is, the supervisor must learn of it
        control.send(str(error).encode()[:MESSAGE_BYTES])
        sys.exit(1)
    control.send(UP)
    _save_pages()
    try:
        launcher.run()
    except Forked as fork:
        _be_executed(fork)
    else:
        sys.exit(0)
    _be_main(task["script"])
    return code


def _save_pages() -> None:
    """Have forks write to few of the pages that they share."""
    _own[:] = [name for name in sys.modules if name.partition(".")[0] == "lambdad"]
    for module in [sys.modules[name] for name in _own]:
        # Forks forget these. To free what they are made of would write to all of it.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(module))
    gc.collect()
    dense_heap.fill()
    # From now on collecting garbage would only copy what all forks share.
    gc.freeze()


def _prepare(task: Task, control: socket.socket) -> Launcher:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    successor = task["successor"]
    for fd in (task["control"], task["pid_namespace"], successor):
        if fd is not None:
            os.set_inheritable(fd, False)
    init = importlib.import_module("lambdad.guest.init")
    seccomp = control.recv(MESSAGE_BYTES)
    syscalls.find_arguments(os.read(task["stat"], 4096))
    os.close(task["stat"])
    syscalls.set_name("lambdad-zygote")
    for module in task["modules"]:
        importlib.import_module(module)
    sys.path.remove(PACKAGE_ROOT)
    for place in task["temporary"]:
        syscalls.umount(place)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return Launcher(
        control,
        task["pid_namespace"],
        init,
        seccomp,
        fork=_fork_in,
        seat=lambda private, seat: _take_seat(init, (control, private, seat)),
        successor=successor,
    )


def _fork_in(control: socket.socket, private: socket.socket) -> object:
    """Return what forks runtimes in a sandbox: see `fork` of `lambdad.guest.init.Init`."""

    def fork(
        argv: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        places: Sequence[tuple[int, int]],
    ) -> int:
        directory = os.getcwd()  # noqa: PTH109
        pid = syscalls.fork()
        if pid != 0:
            return pid
        _leave(control, private)
        raise _forked(argv, environment, places, directory)

    return fork


def _take_seat(
    init: types.ModuleType, sockets: tuple[socket.socket, socket.socket, socket.socket]
) -> NoReturn:
    """Wait until PID 1 says over the last socket which program this process is."""
    message, descriptors = init.receive(sockets[-1])
    if not message:
        # PID 1 needs a program no more, and this is not one.
        os._exit(0)
    _leave(*sockets)
    spawn = init.Spawn(message)
    places = init.places_of(descriptors, spawn.flags)
    raise _forked(spawn.argv, spawn.environment, places, spawn.directory)


def _leave(*sockets: socket.socket) -> None:
    # They are closed later on, and their objects may close nothing then.
    for each in sockets:
        each.detach()


def _forked(
    argv: Sequence[bytes],
    environment: Mapping[bytes, bytes],
    places: Sequence[tuple[int, int]],
    directory: str,
) -> Forked:
    # What was received is closed on the way down.
    kept = [(fcntl.fcntl(fd, fcntl.F_DUPFD, _ASIDE_FD), place) for fd, place in places]
    return Forked(argv, environment, kept, directory)


def _be_executed(fork: Forked) -> None:
    """Make this fork what a process is right after `execve`, but for its memory."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.closerange(3, _ASIDE_FD)
    for fd, place in fork.places:
        os.dup2(fd, place)
    os.closerange(_ASIDE_FD, _DESCRIPTORS_MAX)
    os.chdir(fork.directory)
    # PID 1 hides from its user; a runtime has nothing to hide from itself.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    syscalls.set_name(os.path.basename(fork.argv[0]).decode())  # noqa: PTH119
    syscalls.overwrite_arguments(b"\0".join(fork.argv).decode())
    _set_variables(fork.environment)
    time.tzset()
    # What `os.fork` sees to, and `syscalls.fork` does not.
    main_thread = threading.main_thread()
    main_thread._native_id = threading.get_native_id()  # type: ignore[attr-defined]
    if "random" in sys.modules:
        sys.modules["random"].seed()
    for name, fd in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        stream = _open_stream(fd, f"<{name}>")
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _set_variables(given: Mapping[bytes, bytes]) -> None:
    """Replace all variables; by its methods `os.environ` would search itself for each of them."""
    data: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]  # noqa: TID251
    for name in data:
        os.unsetenv(name)
    data.clear()
    for name, value in given.items():
        os.putenv(name, value)
    data.update(given)


def _open_stream(fd: int, name: str) -> io.TextIOWrapper:
    """Open a standard stream as the interpreter does."""
    raw = io.FileIO(fd, "r" if fd == 0 else "w", closefd=False)
    raw.name = name
    buffer = io.BufferedReader(raw) if fd == 0 else io.BufferedWriter(raw)
    errors = "backslashreplace" if fd == 2 else "surrogateescape"
    stream = io.TextIOWrapper(buffer, "utf-8", errors, line_buffering=fd == 2, write_through=False)
    stream.mode = "r" if fd == 0 else "w"  # type: ignore[misc]
    return stream


def _be_main(script: str) -> None:
    """Forget lambdad, and be the process of one program."""
    for name in _own:
        del sys.modules[name]
    sys.path_importer_cache.pop(PACKAGE_ROOT, None)
    program = types.ModuleType("__main__")
    program.__file__ = script
    program.__builtins__ = __builtins__  # type: ignore[attr-defined]
    sys.modules["__main__"] = program
    sys.argv[:] = [script]
    sys.path[0] = os.path.dirname(script)
