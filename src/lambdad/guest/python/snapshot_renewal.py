"""Being another environment: what a process renews that has taken on a snapshot.

The function's modules are as they were when the snapshot was taken. Variables, working directory,
open files and random numbers are this environment's own. Renewed are the generators of the
standard library; one that the function, or a library like numpy, keeps in an object of its own
goes on as in every other copy, unless a hook seeds it.
"""
# ruff: noqa: TID252

import os
import sys
import time

from . import snapshot_limits as limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict

_SEED_BYTES = 64
# For lambdad's own part of the process, which has read them.
_PLATFORMS = (b"_LAMBDA_TELEMETRY_LOG_FD", b"_LAMBDAD_")


class Place:
    """Where a process is, besides its memory: what a copy has to be told."""

    def __init__(self) -> None:
        self._directory = os.getcwd()
        self._mask = os.umask(0o077)
        os.umask(self._mask)

    def enter(self) -> None:
        """Be there, in a copy."""
        os.chdir(self._directory)
        os.umask(self._mask)
        for file in limits.Reopened.files:
            file.reopen()


def take_variables(data: bytes, before: "Dict[bytes, bytes]") -> None:
    """Take those variables of this environment that differ from the template's, `before`.

    What the function has set while it was initialised stays, but for those.
    """
    given = parse(data)
    variables = os.environb
    for name in before.keys() - given.keys():
        variables.pop(name, None)
    for name, value in given.items():
        if before.get(name) != value and not name.startswith(_PLATFORMS):
            variables[name] = value
    if before.get(b"TZ") != given.get(b"TZ"):
        time.tzset()


def read(descriptor: int) -> bytes:
    """Return what comes by a descriptor until its end."""
    data = b""
    while True:
        piece = os.read(descriptor, 65536)
        if not piece:
            return data
        data += piece


def parse(data: bytes) -> "Dict[bytes, bytes]":
    """Return the variables of an assignment."""
    return dict(pair.split(b"=", 1) for pair in data[:-1].split(b"\0"))


def renew() -> None:
    """Forget what must differ from one process to the next."""
    modules = sys.modules
    if "threading" in modules:
        thread = modules["threading"].main_thread()
        if hasattr(thread, "_set_native_id"):
            thread._set_native_id()
    if "random" in modules:
        modules["random"].seed()
    if "ssl" in modules:
        # With the C library's random numbers, so that no other copy has the same.
        modules["ssl"].RAND_add(os.urandom(_SEED_BYTES), float(_SEED_BYTES))
    if "tempfile" in modules:
        modules["tempfile"].__dict__["_name_sequence"] = None
