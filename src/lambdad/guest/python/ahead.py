"""Being started before it is known for which function.

The platform hands over a socket in `_LAMBDAD_ASSIGNMENT_FD`. This side writes one byte once it is
ready to be frozen; the other writes the variables of the function, NUL-terminated, and closes. Only
then is there code in `/var/task`.
"""
# ruff: noqa: PLC0415, TID252

import os
import sys
import time

from . import client, codec, context, faults, handlers, logs, paths  # noqa: F401 - imported ahead

_ANNOUNCED = "_LAMBDAD_ASSIGNMENT_FD"
# What the process itself was told, at its start.
_KEPT = ("_LAMBDA_TELEMETRY_LOG_FD", "_LAMBDAD_")
# About as many as a function gets.
_VARIABLES = 32


def wait() -> None:
    """Take the variables of the function that this process is for, if it was started ahead."""
    announced = os.environ.pop(_ANNOUNCED, "")
    if not announced:
        return
    descriptor = int(announced)
    rehearse()
    try:
        os.write(descriptor, b"\0")
        data = _read(descriptor)
    finally:
        os.close(descriptor)
    if not data:
        # The platform needs the memory for something else.
        os._exit(0)
    given = dict(pair.split(b"=", 1) for pair in data[:-1].split(b"\0"))
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    os.environ.clear()
    os.environb.update(given)
    os.environ.update(kept)
    time.tzset()
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])


def _read(descriptor: int) -> bytes:
    data = b""
    while True:
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return data
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
