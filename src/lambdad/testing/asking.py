"""How long tests ask for what a daemon does behind its answers.

By a clock, and not by a number of questions: those that are quickly answered say nothing of a disk
or a kernel that is slow. And with pauses, because who asks without takes the processor from those
whom he waits for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

_LONG_S = 120.0
_PAUSE_S = 0.01


def asking(within_s: float = _LONG_S, *, pause_s: float = _PAUSE_S) -> Iterator[int]:
    """Number the questions that may be asked; the loop is left with the answer, or without."""
    deadline = time.monotonic() + within_s  # noqa: TID251 - of the test's own patience
    number = 0
    while time.monotonic() < deadline:  # noqa: TID251
        yield number
        number += 1
        if pause_s:
            time.sleep(pause_s)


def linger(seconds: float, enough: Callable[[], bool]) -> None:
    """Wait so long, and then until enough has happened: a busy machine does little in a second.

    Raises:
        AssertionError: it did not happen.
    """
    time.sleep(seconds)
    assert any(enough() for _ in asking()), "too little happens"
