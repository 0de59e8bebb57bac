"""Misuse of the descriptor by which the runtime process itself talks to the platform."""

# ruff: noqa: PTH208

import fcntl
import os
import stat
import struct

HEAD = struct.Struct("!IB")
# F_GETPIPE_SZ, which Python has a name for from 3.10 on.
_GET_SIZE = 1032


def _channel():
    """The pipe that takes the most: it is anybody's who looks for it."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode) and number > 2:
                size = fcntl.fcntl(number, _GET_SIZE)
                found[number] = size if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_WRONLY else 0
        except OSError:
            continue
    if not any(found.values()):
        raise RuntimeError("there is no channel")
    return os.dup(max(found, key=found.get))


def frames(kind):
    """Write what no client of lambdad writes, without end, until the platform hangs up."""
    channel = _channel()
    sent = {
        "random": lambda: os.urandom(65536),
        "endless piece": lambda: HEAD.pack(0xFFFFFFFF, ord("P")) + bytes(65536),
        "endless answer": lambda: bytes(1 << 20),
        "many questions": lambda: HEAD.pack(0, ord("N")) * 10_000,
        "half a frame": lambda: HEAD.pack(6_000_000, ord("R")) + b"x",
    }[kind]
    if kind == "endless answer":
        os.write(channel, HEAD.pack(0xFFFFFFFF, ord("R")))
    total = 0
    try:
        while total < 256 << 20:
            total += os.write(channel, sent())
            if kind == "half a frame":
                break
    except OSError:
        return "hung up"
    return total
