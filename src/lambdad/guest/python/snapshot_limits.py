"""What a snapshot cannot hold: what ties a process to others, to files or to the kernel.

A connection has another end, a thread a stack that goes on, a file that is written a place on a
disk: none of them can be had twice. Says so by name, for the function's owner.
"""
# ruff: noqa: TID252

import os
import signal
import socket
import stat
import sys
import time

from .snapshot_image import Origin, loaded_libraries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, FrozenSet, List, Tuple, Union

# Devices of which one is as good as another.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
# A thread that has ended is in the list for a moment more.
_LOOKS, _LOOK_S = 40, 0.005
_LARGEST_LISTED = 5


class Refused(Exception):
    """There can be no snapshot of this process: why, for the function's owner to read."""


class Base:
    """What a process had before it knew its function, as all others have that wait for one.

    `mappings` are those lines of `/proc/self/maps` that cannot be written to: the interpreter's
    own text and that of its libraries.
    """

    def __init__(self) -> None:
        self.descriptors = _descriptors()
        self.processes = _processes()
        self.mappings = _mappings()


class File:
    """An open file that can be opened again: a constant one that is only read."""

    def __init__(self, descriptor: int, path: str, flags: int, position: int) -> None:
        self._descriptor = descriptor
        self._path = path
        self._flags = flags
        self._position = position

    def reopen(self) -> None:
        """Open it in a copy, by the number it had."""
        opened = os.open(self._path, self._flags)
        if opened != self._descriptor:
            os.dup2(opened, self._descriptor, inheritable=not self._flags & os.O_CLOEXEC)
            os.close(opened)
        if self._position:
            os.lseek(self._descriptor, self._position, os.SEEK_SET)


class Connection:
    """A socket of the internet's protocols: in a copy there is one in its place.

    A connection is broken there, as if the other end had closed it, which clients expect of those
    that they keep; a datagram socket is a new one, to the same address.
    """

    def __init__(self, descriptor: int, flags: int) -> None:
        self._descriptor = descriptor
        self._flags = flags
        with _of_descriptor(descriptor) as same:
            self._family = same.family
            self._kind = same.type
            listens = same.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            try:
                self._peer = same.getpeername()
            except OSError:
                self._peer = None
        if listens or self._family not in (socket.AF_INET, socket.AF_INET6):
            what = "listens" if listens else "is open"
            raise Refused("A socket %s (descriptor %d)." % (what, descriptor))

    def reopen(self) -> None:
        """Be there, in a copy."""
        if self._kind & socket.SOCK_STREAM:
            own, other = socket.socketpair()
            other.close()
        else:
            own = socket.socket(self._family, self._kind)
            if self._peer is not None:
                own.connect(self._peer)
        with own:
            own.setblocking(not self._flags & os.O_NONBLOCK)
            os.dup2(own.fileno(), self._descriptor, inheritable=not self._flags & os.O_CLOEXEC)


def _of_descriptor(descriptor: int) -> "socket.socket":
    return socket.socket(fileno=os.dup(descriptor))


class Reopened:
    """What a copy opens again. Mutable: found by :func:`check`."""

    files: "List[Union[File, Connection]]" = []  # noqa: RUF012 - Python 3.6 has no ClassVar without an import


def check(base: Base, output: int) -> None:
    """Look for what no copy could have; `output` is a descriptor of the platform's.

    Raises:
        Refused: it was found.
    """
    _check_descriptors(base, output)
    _check_processes(base)
    _check_timers()
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        names = [thread.name for thread in threading.enumerate()]
        names.remove(threading.main_thread().name)
        raise Refused("Threads are running: %s." % ", ".join(names[:_LARGEST_LISTED]))
    _check_places()


def check_threads() -> None:
    """Look for threads that no library has stopped before a fork.

    Raises:
        Refused: there are any.
    """
    tasks = os.listdir("/proc/self/task")
    for _ in range(_LOOKS):
        if len(tasks) == 1:
            return
        time.sleep(_LOOK_S)
        tasks = os.listdir("/proc/self/task")
    names = [_thread_name(task) for task in tasks if int(task) != os.getpid()]
    raise Refused("Threads of libraries are running: %s." % ", ".join(names[:_LARGEST_LISTED]))


def is_constant(path: str) -> bool:
    """Whether a path is, with the same content, in every environment of this function."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _check_places() -> None:
    files = sorted(os.listdir("/tmp"))  # noqa: S108
    if files:
        text = ", ".join(files[:_LARGEST_LISTED])
        raise Refused("There are files in /tmp (%s), which no copy has." % text)
    if not is_constant(os.getcwd()):
        raise Refused("The working directory is %s, which no copy has." % os.getcwd())


def _thread_name(task: str) -> str:
    try:
        with open("/proc/self/task/%s/comm" % task) as file:
            return file.read().strip()
    except OSError:
        return task


def _descriptors() -> "Dict[int, str]":
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink("/proc/self/fd/" + name)
        except OSError:  # noqa: PERF203
            # It was open for the list alone.
            continue
    return found


def _mappings() -> "FrozenSet[bytes]":
    # Libraries that were loaded since lie elsewhere in each process.
    later = [os.fsencode(file) for file in loaded_libraries() - Origin.libraries]
    with open("/proc/self/maps", "rb") as file:
        # Address, permissions, offset, device, inode, path.
        lines = [line.rstrip(b"\n").split(None, 5) for line in file]
    files = [line for line in lines if len(line) > 5 and line[5].startswith(b"/")]
    return frozenset(
        b" ".join(line[:2] + line[5:])
        for line in files
        if line[1][1:2] == b"-" and line[5] not in later
    )


def _processes() -> "Dict[int, int]":
    """Return the processes of this sandbox, and their parents."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name, "rb") as file:
                    found[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                # It has ended meanwhile, or is none of ours.
                continue
    return found


def _check_descriptors(base: Base, output: int) -> None:
    Reopened.files = []
    now = _descriptors()
    now.pop(output, None)
    for descriptor, link in base.descriptors.items():
        if descriptor != output and now.pop(descriptor, "") != link:
            raise Refused("Descriptor %d is not what it was at the start." % descriptor)
    for descriptor, link in now.items():
        Reopened.files.append(_file(descriptor, link))


def _file(descriptor: int, link: str) -> "Union[File, Connection]":
    position, flags = _position(descriptor)
    if link in _DEVICES:
        return File(descriptor, link, flags, 0)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(kind):
        return Connection(descriptor, flags)
    if not link.startswith("/"):
        what = "pipe" if stat.S_ISFIFO(kind) else link.rpartition(":")[2].strip("[]")
        raise Refused("A %s is open (descriptor %d)." % (what, descriptor))
    if not is_constant(link):
        raise Refused("The file %s is open (descriptor %d)." % (link, descriptor))
    return File(descriptor, link, flags, position)


def _position(descriptor: int) -> "Tuple[int, int]":
    with open("/proc/self/fdinfo/%d" % descriptor) as file:
        values = dict(line.split(":", 1) for line in file if ":" in line)
    return int(values["pos"]), int(values["flags"], 8)


def _check_processes(base: Base) -> None:
    # PID 1 takes on whom its parent has left.
    parents = (1, os.getpid())
    left = [pid for pid, parent in _processes().items() if parent in parents]
    left = [pid for pid in left if pid not in base.processes]
    if left:
        raise Refused("Other processes are running that it has started: %d." % len(left))


def _check_timers() -> None:
    clocks = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    if any(signal.getitimer(clock) != (0.0, 0.0) for clock in clocks):
        raise Refused("A timer is running (setitimer).")
    try:
        with open("/proc/self/timers") as file:
            running = file.read()
    except OSError:
        return
    if running:
        raise Refused("A timer is running (timer_create).")
