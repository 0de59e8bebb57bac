"""Takes what there is: processes, memory, descriptors, time."""

# ruff: noqa: PTH104, PTH110, PTH123, PTH208, PLC0415, SIM105, S606

import ctypes
import mmap
import os
import signal
import socket
import subprocess
import sys
import time

MIB = 1024 * 1024


def fork_bomb(ignore=False):
    """Every process forks for ever."""
    if ignore:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            if os.fork() == 0 and ignore:
                os.setsid()
        except OSError:
            pass


def count_processes():
    """How many it can have at once."""
    children = []
    why = "?"
    try:
        while True:
            pid = os.fork()
            if pid == 0:
                while True:
                    signal.pause()
            children.append(pid)
    except OSError as error:
        why = error.strerror
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
    return {"processes": len(children), "why": why}


def spinners():
    """Fill the sandbox with processes that spin."""
    while True:
        try:
            if os.fork() == 0:
                while True:
                    pass
        except OSError:
            break
    while True:
        pass


def daemonise(path):
    """Leave a process that is nobody's child, in a session of its own, and count in a file."""
    if os.path.exists(path):
        return {"count": int(open(path).read() or 0), "processes": _numbers()}
    open(path, "w").close()
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        count = 0
        while True:
            count += 1
            with open(path + ".new", "w") as file:
                file.write(str(count))
            os.rename(path + ".new", path)
    return {"count": 0, "processes": _numbers()}


def _numbers():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def processes():
    found = {}
    for number in _numbers():
        try:
            with open(f"/proc/{number}/comm") as file:
                found[str(number)] = file.read().strip()
        except OSError:
            continue
    return found


def memory_plain():
    kept = []
    while True:
        kept.append(bytearray(MIB))


def memory_many_processes():
    for _ in range(40):
        if os.fork() == 0:
            kept = bytearray(24 * MIB)
            while kept:
                signal.pause()
    while True:
        signal.pause()


def memory_memfd():
    kept = []
    while True:
        fd = os.memfd_create("x")
        kept.append(fd)
        os.write(fd, bytes(8 * MIB))


def memory_shared():
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 8 * MIB))
        kept[-1].write(b"x" * (8 * MIB))


def memory_sysv():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    while True:
        segment = libc.shmget(0, 8 * MIB, 0o1600)
        address = libc.shmat(segment, None, 0)
        ctypes.memset(address, 1, 8 * MIB)
        libc.shmdt(ctypes.c_void_p(address))


def memory_pipes():
    """As many and as large as it may have, in many processes, full."""
    total = 0
    for _ in range(16):
        if os.fork() == 0:
            _fill_pipes()
            while True:
                signal.pause()
    while True:
        signal.pause()
    return total


def _fill_pipes():
    kept = []
    try:
        while True:
            reader, writer = os.pipe2(os.O_NONBLOCK)
            kept.append((reader, writer))
            try:
                fcntl_set_size(writer, MIB)
            except OSError:
                pass
            try:
                while True:
                    os.write(writer, bytes(65536))
            except BlockingIOError:
                pass
    except OSError:
        return


def fcntl_set_size(fd, size):
    import fcntl

    fcntl.fcntl(fd, 1031, size)


def socket_buffers(kind, processes=4, hold_s=8):
    """Fill the buffers of as many sockets as it may have."""
    for _ in range(processes):
        if os.fork() == 0:
            kept = _fill_tcp() if kind == "tcp" else _fill_unix() if kind == "unix" else _fill_udp()
            while kept:
                signal.pause()
            os._exit(0)
    deadline = time.monotonic() + hold_s
    most = 0
    while time.monotonic() < deadline:
        time.sleep(0.2)
        with open("/proc/net/sockstat") as file:
            for line in file:
                words = line.split()
                if "mem" in words:
                    most = max(most, int(words[words.index("mem") + 1]))
    return {"pages": most}


def _fill_tcp():
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    kept = [listener]
    block = bytes(MIB)
    try:
        while True:
            a = socket.create_connection(listener.getsockname())
            b = listener.accept()[0]
            for end in (a, b):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * MIB)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * MIB)
                end.setblocking(False)
            kept += [a, b]
            for end in (a, b):
                try:
                    while True:
                        end.send(block)
                except BlockingIOError:
                    pass
    except OSError:
        return kept


def _fill_unix():
    kept = []
    block = bytes(65536)
    try:
        while True:
            pair = socket.socketpair()
            kept += pair
            for end in pair:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * MIB)
                end.setblocking(False)
                try:
                    while True:
                        end.send(block)
                except BlockingIOError:
                    pass
    except OSError:
        return kept


def _fill_udp():
    kept = []
    block = bytes(60000)
    try:
        while True:
            receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * MIB)
            receiver.bind(("127.0.0.1", 0))
            kept.append(receiver)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for _ in range(64):
                    sender.sendto(block, receiver.getsockname())
    except OSError:
        return kept


def huge_arguments(most):
    """The largest argument vectors that exec takes, many times over."""
    word = "x" * 100_000
    children = []
    why = "ok"
    try:
        while len(children) < most:
            children.append(subprocess.Popen(["/bin/sh", "-c", "sleep 100; :", *([word] * 15)]))
    except OSError as error:
        why = error.strerror
    os.kill(-1, signal.SIGKILL)
    for child in children:
        child.wait()
    try:
        subprocess.run(["/bin/true", *([word] * 400)], check=True)
        longest = "ok"
    except OSError as error:
        longest = error.strerror
    return {"why": why, "longest": longest}


def descriptors():
    kept = []
    try:
        while True:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        why = error.strerror
    for fd in kept:
        os.close(fd)
    return {"opened": len(kept), "why": why}


def spin(seconds):
    """Share of one processor that a busy loop gets."""
    wall = time.monotonic()
    begun = time.process_time()
    while time.monotonic() - wall < seconds:
        pass
    return (time.process_time() - begun) / (time.monotonic() - wall)


def never_return():
    """Ignore everything that asks it to end."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)


def background_thread(path):
    """Count in a thread; say how far it has come."""
    import threading

    if path in _COUNTS:
        return _COUNTS[path][0]
    _COUNTS[path] = [0]

    def count():
        while True:
            _COUNTS[path][0] += 1
            time.sleep(0.001)

    threading.Thread(target=count, daemon=True).start()
    time.sleep(0.05)
    return _COUNTS[path][0]


_COUNTS = {}


def end(how):
    """End the runtime process in one of many ways."""
    if how == "exit 0":
        os._exit(0)
    if how == "exit 3":
        sys.exit(3)
    if how == "quick exit 7":
        os._exit(7)
    if how == "abort":
        os.abort()
    if how == "exec":
        os.execv("/bin/true", ["true"])
    if how == "segfault":
        ctypes.string_at(0)
    if how == "child kills all":
        if os.fork() == 0:
            os.kill(-1, signal.SIGKILL)
            os._exit(0)
        time.sleep(60)
    number = getattr(signal, how)
    signal.signal(number, signal.SIG_DFL) if how not in ("SIGKILL", "SIGSTOP") else None
    os.kill(os.getpid(), number)
    time.sleep(60)


def kill_everything_else():
    """kill(-1) from within, then go on as if nothing had been."""
    if os.fork() == 0:
        while True:
            signal.pause()
    os.kill(-1, signal.SIGKILL)
    return os.waitpid(-1, 0)[1]


def signal_storm(seconds):
    """Signals to PID 1 without pause, some with a queue of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    value = ctypes.create_string_buffer(128)
    sent = 0
    end_at = time.monotonic() + seconds
    while time.monotonic() < end_at:
        os.kill(1, signal.SIGCHLD)
        libc.sigqueue(1, signal.SIGRTMIN, ctypes.c_long(ctypes.addressof(value)))
        sent += 1
    return sent
