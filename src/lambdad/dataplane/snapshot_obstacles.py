"""What keeps a version from having a snapshot, as far as it can be told before its init. Pure."""

from __future__ import annotations

from lambdad.domain.functions import Function
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.environment import can_follow

_FORKED, _RESTORED = "python", "java"


def obstacle(  # noqa: PLR0911 - one for each reason
    runtime: Runtime, function: Function, *, zygotes: bool, extended: bool
) -> str | None:
    """Return why there can be no snapshot, in a sentence for the function's owner, or None.

    `zygotes`: whether the sandbox backend forks runtimes; `extended`: whether there are external
    extensions.
    """
    if not function.runtime.startswith((_FORKED, _RESTORED)):
        return f"Snapshots are made of Python and Java functions here, not of {function.runtime}."
    if function.runtime.startswith(_RESTORED):
        if not runtime.restorer:
            return "Snapshots of Java functions need an x86-64 processor and the GNU C library."
    elif runtime.root is not None or runtime.zygote is None:
        return f"Here {function.runtime} is served by what cannot be forked: {runtime.source}."
    if not zygotes:
        return "The sandbox backend of this host forks no runtimes: the native one does, as root."
    if not can_follow(function.environment):
        return "It has variables that the interpreter reads at its start, as PYTHON... and LD_...."
    if extended:
        return "It has external extensions, whose processes no snapshot holds."
    if function.code.folder is not None:
        return "Its code is a directory of this host, which may change."
    return None
