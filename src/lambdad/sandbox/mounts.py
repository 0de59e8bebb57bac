"""Read-only views of host files and directories, as descriptors that a sandbox can mount.

Where they go in the sandbox is known to the launcher alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from lambdad.domain.environments import Mount
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import syscalls


def read_only_views(mounts: Sequence[Mount]) -> list[int]:
    """Return one descriptor per mount, in order; the caller closes them.

    Raises:
        HostUnfit: a source does not exist or cannot be mounted.
    """
    views: list[int] = []
    try:
        for mount in mounts:
            views.append(syscalls.read_only_tree(str(mount.source)))  # noqa: PERF401 - see below
    except OSError as error:
        # Views made before the failure must not stay open.
        for view in views:
            os.close(view)
        remedy = "Check that the file or directory exists on this host."
        raise HostUnfit(f"{error.strerror}.", remedy) from error
    return views
