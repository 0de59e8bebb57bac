"""The variable by which a function, its libraries and its child processes know the trace.

Setting a variable is among the dearest things that an event asks for, and the C library keeps every
text that a variable ever had: a process would grow with each event. So where `snapshot.c` is there,
the text that the C library knows lies in one place and is changed there.
"""
# ruff: noqa: PLC0415, TID252

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAME = "_X_AMZN_TRACE_ID"
_KEY = _NAME.encode()
_PREFIX = _KEY + b"="
_Environment = type(os.environ)
# More than any header that the platform hands out.
_BYTES_MAX = 1000


class _Shown:
    """What was shown last, b"" before that, and `snapshot.c`: False where it is not. Mutable."""

    __slots__ = ("header", "machine")

    def __init__(self) -> None:
        self.header = b""
        self.machine: "Any" = None


_SHOWN = _Shown()


def prepare() -> None:
    """Load what is needed to change the variable in its place."""
    try:
        from . import _snapshot  # type: ignore[attr-defined]
    except ImportError:
        # Not on this processor.
        _snapshot = False
    _SHOWN.machine = _snapshot


def show(header: bytes) -> None:
    """Let the variable have the trace header of this event; b"": there is none."""
    environment = os.environ
    machine = _SHOWN.machine
    if not header:
        environment.pop(_NAME, None)
    elif machine and len(header) <= _BYTES_MAX and type(environment) is _Environment:
        known = environment._data  # type: ignore[attr-defined]
        machine.change_variable(_PREFIX + header)
        if known.get(_KEY) is not _SHOWN.header:
            # The function has touched it, or there was none: then it has another place.
            machine.place_variable()
        known[_KEY] = _SHOWN.header = header
    else:
        environment[_NAME] = header.decode("utf-8", "surrogateescape")
        if machine is None and _SHOWN.header:
            # Not for the first event: many a process has no other, and it waits for that.
            prepare()
        _SHOWN.header = header
