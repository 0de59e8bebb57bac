"""Being started before it is known for which function.

The platform hands over a socket in `_LAMBDAD_ASSIGNMENT_FD`. This side writes one byte once it is
ready; the other writes the variables of the function, NUL-terminated and with one more NUL at their
end, and closes when there is code in `/var/task`. With them come the descriptors of its byte code.
"""
# ruff: noqa: PLC0415, TID252

import _socket
import os
import sys
import time
from _struct import Struct

from . import bytecode, client, codec, context, faults, handlers, logs, paths  # noqa: F401 - imported ahead
from . import snapshot_image as image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, List, Optional, Tuple

    from .snapshots import Template

    Received = Tuple[bytes, List[int]]

_ANNOUNCED = "_LAMBDAD_ASSIGNMENT_FD"
# Of the code and of the layers.
_PACKS_MAX = 2
_DESCRIPTOR = Struct("=i")
_LAST = b"\0\0"
# Of both of the interpreter's allocators, what a small function takes.
_SMALL, _SMALL_BYTES = 160, 400
_LARGE, _LARGE_BYTES = 12, 3000
# About as many as a function gets.
_VARIABLES = 32


def wait(
    rehearse_event: "Callable[[], None]", prepare: "Callable[[], None]"
) -> "Optional[Template]":
    """Take the variables of the function that this process is for, if it was started ahead.

    Args:
        rehearse_event: serves an event that nobody has sent.
        prepare: does what depends on the variables and on no file.

    Returns what will write a snapshot of it, if there is to be one.
    """
    announced = os.environ.pop(_ANNOUNCED, "")
    if not announced:
        prepare()
        return None
    rehearse()
    rehearse_event()
    _take_memory()
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, int(announced))
    connection.send(b"\0")
    order, passed = _receive(connection)
    output = passed.pop() if order == image.CAPTURE else None
    if order == image.RESTORE:
        # It returns only when that cannot be.
        connection.send(image.INITIALISED + image.restore(passed.pop()).encode())
    if order[-2:] == _LAST:
        # Its code is being mounted meanwhile.
        _take(order, passed, prepare)
        _receive(connection)
    else:
        order, packs = _receive_rest(connection, order, passed)
        if not order:
            # The platform needs the memory for something else.
            os._exit(0)
        _take(order, packs, prepare)
    if output is None:
        connection.close()
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    if output is None:
        return None
    from .snapshots import Template

    return Template(connection.detach(), output, order)


def _take(data: bytes, packs: "List[int]", prepare: "Callable[[], None]") -> None:
    pairs = data.rstrip(b"\0").split(b"\0")
    _take_variables(dict(pair.split(b"=", 1) for pair in pairs))
    if packs:
        os.environ[bytecode.VARIABLE] = ",".join(map(str, packs))
    prepare()


def _take_variables(given: "Dict[bytes, bytes]") -> None:
    """Make these the variables, and no others."""
    # What is the same on both sides is most of them: methods of `os.environ` would take ten times
    # as long.
    known: "Dict[bytes, bytes]" = os.environ._data  # type: ignore[attr-defined]
    zone = known.get(b"TZ")
    for name in [name for name in known if name not in given]:
        os.unsetenv(name)
        del known[name]
    for name, value in given.items():
        if known.get(name) != value:
            os.putenv(name, value)
            known[name] = value
    if known.get(b"TZ") != zone:
        time.tzset()


def _receive(connection: "_socket.socket") -> "Received":
    """Return some bytes, none at the end, and the descriptors that came with them."""
    size = _socket.CMSG_SPACE(_PACKS_MAX * _DESCRIPTOR.size)
    data, ancillary, _, _ = connection.recvmsg(65536, size, _socket.MSG_CMSG_CLOEXEC)
    passed = [number for _, _, some in ancillary for (number,) in _DESCRIPTOR.iter_unpack(some)]
    return data, passed


def _receive_rest(connection: "_socket.socket", data: bytes, passed: "List[int]") -> "Received":
    """Return the variables, and the descriptors of byte code."""
    more = data
    if data in (image.CAPTURE, image.RESTORE):
        data = b""
    while more:
        more, others = _receive(connection)
        data += more
        passed += others
    return data, passed


def rehearse() -> None:
    """Do what every cold start does, so that its code and its pages are this process's own."""
    import _sitebuiltins  # noqa: F401 - imported ahead

    _rehearse_variables()
    handler = _rehearse_import()
    codec.encode(handler(codec.decode(b'{"key": [1, 2.5, "text", null, true]}'), None))
    logs.flush_streams()


def _take_memory() -> None:
    """Have pages that the first modules will lie in: each is a fault less behind the variables."""
    small = [bytes(_SMALL_BYTES) for _ in range(_SMALL)]
    large = [bytes(_LARGE_BYTES) for _ in range(_LARGE)]
    del small, large


def _rehearse_variables() -> None:
    known = dict(os.environb)
    given = {b"_REHEARSED_%d" % number: b"x" * 64 for number in range(_VARIABLES)}
    given.update(known)
    _take_variables(given)
    _take_variables(known)


def _rehearse_import() -> "handlers.Handler":
    # As if for the first time: found in its directory, read, compiled.
    directory = os.path.dirname(__file__)
    sys.modules.pop(__package__ + ".rehearsed", None)
    sys.path_importer_cache.pop(directory, None)
    handler = handlers.resolve(__package__ + ".rehearsed.handler")
    with open(os.path.join(directory, "rehearsed.py"), "rb") as file:
        compile(file.read(), "rehearsed.py", "exec", dont_inherit=True)
    return handler
