"""User namespaces that exist for their mapping alone: who on disk is whom in a mount.

A namespace is made by a process and lives as long as something holds it; the process here does
nothing else and ends at once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWUSER = 0x1000_0000
# It says when it is in its namespace, and stays there until its input ends.
_PROGRAM = f"""
import ctypes, sys
if ctypes.CDLL(None, use_errno=True).unshare({_CLONE_NEWUSER}):
    raise OSError(ctypes.get_errno(), "unshare")
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def mapped_user_namespace(uid: int, gid: int, *, to: int) -> Iterator[int]:
    """Give a descriptor of a namespace in which `uid` and `gid` on disk are the user `to` outside.

    Raises:
        OSError: the host does not allow it.
    """
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        if not process.stdout.readline():
            raise PermissionError(1, "user namespaces cannot be made on this host")
        own = Path(f"/proc/{process.pid}")
        (own / "uid_map").write_text(f"{uid} {to} 1", encoding="ascii")
        (own / "gid_map").write_text(f"{gid} {to} 1", encoding="ascii")
        namespace = os.open(own / "ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield namespace
        finally:
            os.close(namespace)
