"""Whether a parameter matches its AllowedPattern, whoever wrote the pattern.

Some patterns take longer than anybody waits, and hold up the whole process meanwhile: those that
could are tried in a process of their own, which ends after a while.
"""

from __future__ import annotations

import re
import subprocess
import sys

from lambdad.neighbours.cloudformation.errors import ValidationError

_SECONDS = 5.0
_CLASS = re.compile(r"\\.|\[\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")
_REPEATED_GROUP = re.compile(r"\)[*+{?]")
_PROGRAM = (
    "import re, sys\n"
    "pattern, text = sys.stdin.buffer.read().decode('utf-8', 'surrogatepass').split('\\0')\n"
    "sys.exit(10 if re.fullmatch(pattern, text) else 11)\n"
)
_MATCHED, _FAILED = 10, 11


def matches(pattern: str, text: str) -> bool:
    """Return whether the whole of a text matches. Blocks for some seconds at most.

    Raises:
        ValidationError: the pattern is none, or takes too long.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValidationError(
            f"Template format error: AllowedPattern {pattern}: {error}"
        ) from error
    if _is_quick(pattern):
        return compiled.fullmatch(text) is not None
    if "\0" in pattern or "\0" in text:
        return False
    return _apart(pattern, text)


def _is_quick(pattern: str) -> bool:
    """Whether time can at most grow with the square of the text."""
    bare = _CLASS.sub("x", pattern)
    return not _REPEATED_GROUP.search(bare) and len(_UNBOUNDED.findall(bare)) <= 1


def _apart(pattern: str, text: str) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - a program of our own
            [sys.executable, "-I", "-c", _PROGRAM],
            input=f"{pattern}\0{text}".encode("utf-8", "surrogatepass"),
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode not in (_MATCHED, _FAILED):
        raise ValidationError(
            f"Template format error: AllowedPattern {pattern} takes too long to match."
        )
    return done.returncode == _MATCHED
