"""Makes system calls by number."""

# ruff: noqa: PTH112, PTH114, PTH115, PTH123, PTH208, PLC0415

import ctypes
import errno
import os
import resource
import signal
import socket

from tries import outcome

_LIBC = ctypes.CDLL(None, use_errno=True)


def one(number, *arguments):
    """Return `ok` or the errno's name. Texts become pointers."""
    values = [
        ctypes.c_char_p(argument.encode("latin-1"))
        if isinstance(argument, str)
        else ctypes.c_long(argument)
        for argument in arguments
    ]
    ctypes.set_errno(0)
    if _LIBC.syscall(ctypes.c_long(number), *values) == -1:
        return errno.errorcode[ctypes.get_errno()]
    return "ok"


def many(calls):
    """Map each name to what the call gives."""
    return {name: one(number, *arguments) for name, (number, arguments) in calls.items()}


def sockets(kinds):
    return {name: outcome(_open, *kind) for name, kind in kinds.items()}


def _open(family, kind, protocol):
    socket.socket(family, kind, protocol).close()


def old_entry():
    """Call the kernel by the 32-bit entry, whose numbers a filter for 64 bit does not know."""
    import mmap

    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, getpid; int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()


def raise_limits():
    """Raise every limit by one, and those of PID 1."""
    found = {}
    for name in dir(resource):
        if not name.startswith("RLIMIT_"):
            continue
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        if hard != resource.RLIM_INFINITY:
            found[name] = outcome(resource.setrlimit, kind, (hard + 1, hard + 1))
    return found


def priorities():
    """Ask for more of the processor than others have."""
    me = os.getpid()
    return {
        "nice": outcome(os.setpriority, os.PRIO_PROCESS, me, -1),
        "fifo": outcome(os.sched_setscheduler, me, os.SCHED_FIFO, os.sched_param(1)),
        "round robin": outcome(os.sched_setscheduler, me, os.SCHED_RR, os.sched_param(1)),
    }


def signal_pids(pids):
    return {str(pid): outcome(os.kill, pid, signal.SIGKILL) for pid in pids}


def strike_one():
    """Every signal to PID 1; it must go on."""
    for number in sorted(signal.valid_signals()):
        outcome(os.kill, 1, number)
    with open("/proc/1/stat") as file:
        return file.read().split()[2]


def look_into_one():
    """Everything that /proc offers of PID 1."""
    names = ("mem", "environ", "cwd", "root", "exe", "fd", "map_files", "auxv", "stack", "syscall")
    found = {name: outcome(_look, f"/proc/1/{name}") for name in names}
    found["oom_score_adj"] = outcome(_put, "/proc/1/oom_score_adj", "1000")
    found["chdir"] = outcome(os.chdir, "/proc/1/root")
    found["namespace"] = outcome(_look, "/proc/1/ns/mnt")
    return found


def _look(path):
    if os.path.isdir(path) or os.path.islink(path):
        os.listdir(path) if os.path.isdir(path) else os.readlink(path)
        return
    with open(path, "rb", buffering=0) as file:
        file.read(16)


def _put(path, text):
    with open(path, "w") as file:
        file.write(text)


def steal_descriptors():
    """Take PID 1's control socket by pidfd_getfd, with every number."""
    pidfd = os.pidfd_open(1)
    number = 438
    found = sorted({one(number, pidfd, fd, 0) for fd in range(64)})
    os.close(pidfd)
    return found


def clone(flags):
    """Clone with flags; a child that comes into being ends at once."""
    ctypes.set_errno(0)
    number = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
    pid = _LIBC.syscall(ctypes.c_long(number), ctypes.c_long(flags), None, None, None, None)
    if pid == 0:
        os._exit(0)
    return "ok" if pid > 0 else errno.errorcode[ctypes.get_errno()]


def clone3(number, flags):
    arguments = (ctypes.c_uint64 * 11)(flags, 0, 0, 0, 17)
    ctypes.set_errno(0)
    pid = _LIBC.syscall(ctypes.c_long(number), ctypes.byref(arguments), ctypes.c_long(88))
    if pid == 0:
        os._exit(0)
    return "ok" if pid > 0 else errno.errorcode[ctypes.get_errno()]


def starve_one():
    """Push PID 1 behind everybody else, and take what it needs."""
    everybody = {0, 1}
    found = {
        "nice": outcome(os.setpriority, os.PRIO_PROCESS, 1, 19),
        "nice of the user": outcome(os.setpriority, os.PRIO_USER, os.getuid(), 19),
        "idle": outcome(os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0)),
        "parameters": outcome(os.sched_setparam, 1, os.sched_param(0)),
        "processor": outcome(os.sched_setaffinity, 1, everybody),
    }
    for name in ("RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_DATA"):
        found[name] = outcome(resource.prlimit, 1, getattr(resource, name), (0, 0))
    return found


def search_memory(needle):
    """Count a text, given in pieces, in all memory of this process."""
    import re

    pattern = re.compile(b"".join(b"[%c]" % byte for piece in needle for byte in piece.encode()))
    count = 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            where, rights = line.split()[:2]
            if rights[0] != "r" or line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                continue
            start, end = (int(number, 16) for number in where.split("-"))
            try:
                memory.seek(start)
                count += len(pattern.findall(memory.read(end - start)))
            except (OSError, OverflowError, ValueError):
                continue
    return count
