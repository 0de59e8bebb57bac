"""Views of host files and directories, as descriptors that a sandbox can mount.

Where they go in the sandbox is known to the launcher alone.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from lambdad.domain.environments import Mount
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import syscalls
from lambdad.sandbox.id_mapping import mapped_user_namespace

_WRITABLE = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
# The kernel or the file system knows no mapped mounts.
_UNMAPPABLE = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})


def views_of(mounts: Sequence[Mount], uid: int) -> list[int]:
    """Return one descriptor per mount, in order, for a guest of this user; the caller closes them.

    Raises:
        HostUnfit: a source does not exist or cannot be mounted.
    """
    views: list[int] = []
    try:
        for mount in mounts:
            if mount.writable:
                views.append(_writable_view(mount.source, uid))
            else:
                views.append(syscalls.read_only_tree(str(mount.source)))
    except OSError as error:
        # Views made before the failure must not stay open.
        for view in views:
            os.close(view)
        remedy = "Check that the file or directory exists on this host."
        raise HostUnfit(f"{error.strerror}.", remedy) from error
    return views


def _writable_view(source: Path, uid: int) -> int:
    """Return a view in which the guest's user is the owner of `source`, where that can be had."""
    owner = source.stat()
    view = syscalls.open_tree(str(source), recursive=False)
    try:
        syscalls.mount_setattr(view, _WRITABLE, propagation=syscalls.MS_PRIVATE)
        if owner.st_uid == uid:
            return view
        with mapped_user_namespace(owner.st_uid, owner.st_gid, to=uid) as namespace:
            try:
                attribute = syscalls.MOUNT_ATTR_IDMAP
                syscalls.mount_setattr(view, attribute, user_namespace=namespace)
            except OSError as error:
                if error.errno not in _UNMAPPABLE:
                    raise
    except BaseException:
        os.close(view)
        raise
    return view
