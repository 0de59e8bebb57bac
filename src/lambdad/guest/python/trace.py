"""The variable by which a function, its libraries and its child processes know the trace.

Setting a variable is among the dearest things that an event asks for, and the C library keeps every
text that a variable ever had: a process would grow with each event. So where `snapshot.c` is there,
the text that the C library knows lies in one place and is changed there.
"""
# ruff: noqa: TID252

import os

from .snapshot_image import Origin

_NAME = "_X_AMZN_TRACE_ID"
_KEY = _NAME.encode()
_PREFIX = _KEY + b"="
_Environment = type(os.environ)
# More than any header that the platform hands out.
_BYTES_MAX = 1000


class _Shown:
    """What was shown last. Mutable."""

    __slots__ = ("header",)

    def __init__(self) -> None:
        self.header = b""


_SHOWN = _Shown()


def show(header: bytes) -> None:
    """Let the variable have the trace header of this event; b"": there is none."""
    environment = os.environ
    machine = Origin.machine
    if not header:
        environment.pop(_NAME, None)
    elif machine is None or len(header) > _BYTES_MAX or type(environment) is not _Environment:
        environment[_NAME] = header.decode("utf-8", "surrogateescape")
    else:
        known = environment._data  # type: ignore[attr-defined]
        machine.change_variable(_PREFIX + header)
        if known.get(_KEY) is not _SHOWN.header:
            # The function has touched it, or there was none: then it has another place.
            machine.place_variable()
        known[_KEY] = _SHOWN.header = header
