"""Misuse of the descriptor by which the runtime process itself talks to the platform."""

# ruff: noqa: PTH208

import os
import socket
import stat
import struct

HEAD = struct.Struct("!IB")


def _channel():
    """The socket that is no Internet socket: it is anybody's who looks for it."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            found = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        if found.family == socket.AF_UNIX:
            return found
        found.close()
    raise RuntimeError("there is no channel")


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
        channel.sendall(HEAD.pack(0xFFFFFFFF, ord("R")))
    total = 0
    try:
        while total < 256 << 20:
            total += channel.send(sent())
            if kind == "half a frame":
                break
    except OSError:
        return "hung up"
    return total
