"""`AWS_LAMBDA_EXEC_WRAPPER`: a script of the function that starts the runtime in its own way.

Decides the command line and the words for a wrapper that is not there. The guest's view of paths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

VARIABLE = "AWS_LAMBDA_EXEC_WRAPPER"

# AWS looks before it executes, and says in the log what is wrong; a wrapper needs no `#!` line.
_SCRIPT = """\
if [ ! -f "$1" ]; then echo "$1: does not exist"; exit 127; fi
if [ ! -x "$1" ]; then echo "$1: is not an executable"; exit 126; fi
exec "$@"
"""


def wrapped(argv: Sequence[str], environment: Mapping[str, str]) -> Sequence[str]:
    """Return the command that starts a runtime, with the function's wrapper before it if any."""
    wrapper = environment.get(VARIABLE)
    if not wrapper:
        return argv
    return ("/bin/sh", "-c", _SCRIPT, "bootstrap", wrapper, *argv)
