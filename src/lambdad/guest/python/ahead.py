"""Being started before it is known for which function.

The platform hands over a socket in `_LAMBDAD_ASSIGNMENT_FD`. This side writes one byte once it is
ready to be frozen; the other writes the variables of the function, NUL-terminated, and closes. With
them come the descriptors of its byte code. Only then is there code in `/var/task`.
"""
# ruff: noqa: PLC0415, TID252

import _socket
import os
import sys
import time
from _struct import Struct

from . import bytecode, client, codec, context, faults, handlers, logs, paths  # noqa: F401 - imported ahead

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple

_ANNOUNCED = "_LAMBDAD_ASSIGNMENT_FD"
# What the process itself was told, at its start.
_KEPT = ("_LAMBDA_TELEMETRY_LOG_FD", "_LAMBDAD_")
# Of the code and of the layers.
_PACKS_MAX = 2
_DESCRIPTOR = Struct("=i")
# About as many as a function gets.
_VARIABLES = 32


def wait() -> None:
    """Take the variables of the function that this process is for, if it was started ahead."""
    announced = os.environ.pop(_ANNOUNCED, "")
    if not announced:
        return
    rehearse()
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, int(announced))
    try:
        connection.send(b"\0")
        data, packs = _receive(connection)
    finally:
        connection.close()
    if not data:
        # The platform needs the memory for something else.
        os._exit(0)
    given = dict(pair.split(b"=", 1) for pair in data[:-1].split(b"\0"))
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    os.environ.clear()
    os.environb.update(given)
    os.environ.update(kept)
    if packs:
        os.environ[bytecode.VARIABLE] = ",".join(map(str, packs))
    time.tzset()
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])


def _receive(connection: "_socket.socket") -> "Tuple[bytes, List[int]]":
    """Return what was written until the end, and the descriptors that came with it."""
    data = b""
    packs: "List[int]" = []
    size = _socket.CMSG_SPACE(_PACKS_MAX * _DESCRIPTOR.size)
    while True:
        chunk, ancillary, _, _ = connection.recvmsg(65536, size, _socket.MSG_CMSG_CLOEXEC)
        for _, _, numbers in ancillary:
            packs += (number for (number,) in _DESCRIPTOR.iter_unpack(numbers))
        if not chunk:
            return data, packs
        data += chunk


def rehearse() -> None:
    """Do what every cold start does, so that its code and its pages are this process's own."""
    import _sitebuiltins  # noqa: F401 - imported ahead

    _rehearse_variables()
    handler = _rehearse_import()
    codec.encode(handler(codec.decode(b'{"key": [1, 2.5, "text", null, true]}'), None))
    logs.flush_streams()


def _rehearse_variables() -> None:
    names = [b"_REHEARSED_%d" % number for number in range(_VARIABLES)]
    os.environb.update((name, b"x" * 64) for name in names)
    for name in names:
        del os.environb[name]


def _rehearse_import() -> "handlers.Handler":
    # As if for the first time: found in its directory, read, compiled.
    directory = os.path.dirname(__file__)
    sys.modules.pop(__package__ + ".rehearsed", None)
    sys.path_importer_cache.pop(directory, None)
    handler = handlers.resolve(__package__ + ".rehearsed.handler")
    with open(os.path.join(directory, "rehearsed.py"), "rb") as file:
        compile(file.read(), "rehearsed.py", "exec", dont_inherit=True)
    return handler
