"""Messages with file descriptors over a Unix socket, as launcher and supervisor exchange them."""

from __future__ import annotations

import array
import socket


def receive(control: socket.socket, size: int, descriptors_max: int) -> tuple[bytes, list[int]]:
    """Return one message, empty at the end, and its descriptors, which close on exec.

    `socket.recv_fds` takes the flag for that, but Python 3.11 does not hand it on.

    Raises:
        OSError: as of recvmsg(2).
    """
    found = array.array("i")
    space = socket.CMSG_SPACE(descriptors_max * found.itemsize)
    message, ancillary, _, _ = control.recvmsg(size, space, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return message, list(found)
