"""A root directory of a sandbox's own, in place of the one that all share: that of an image.

Entered before anything else is mounted, in the sandbox's own mount namespace, from the shared root,
of which devices and resolver settings are taken along. Standard library only.
"""

# pathlib is not loaded into the launcher.
# ruff: noqa: PTH123

from __future__ import annotations

import os

from lambdad.sandbox import rootfs, syscalls

# In the shared root, where nothing else is mounted at this time.
_PLACE = "/mnt"
_FROM_SHARED = ("etc/hosts", "etc/hostname", "etc/resolv.conf", "dev")
# For as long as files are written; then the sandbox's own `/tmp` comes there.
_SCRATCH = "tmp"
_TEXT_BYTES_MAX = 1024 * 1024


def enter(view: int, uid: int) -> None:
    """Make a detached mount the root of this process; the shared root is gone after that.

    Args:
        view: its descriptor, closed afterwards. It has real directories for `/dev`, `/etc`,
            `/proc` and `/tmp`, and files for what is taken along.
        uid: the guest's user, also its group, who gets a name.

    Raises:
        OSError: the kernel refused, or a place is missing.
    """
    syscalls.move_mount(view, _PLACE)
    os.close(view)
    os.chdir(_PLACE)
    for name in _FROM_SHARED:
        _show(f"/{name}", name)
    syscalls.mount("tmpfs", _SCRATCH, "tmpfs", syscalls.MS_NOSUID, "size=4m,mode=0755")
    user = rootfs.USER_NAME
    _append("passwd", f"{user}:x:{uid}:{uid}::/tmp:/usr/sbin/nologin\n")
    _append("group", f"{user}:x:{uid}:\n")
    syscalls.umount(_SCRATCH)
    syscalls.pivot_root(".", ".")
    syscalls.umount(".")
    os.chdir("/")


def _append(name: str, line: str) -> None:
    """Show the image's file with one more line."""
    with open(f"etc/{name}", errors="surrogateescape") as file:
        text = file.read(_TEXT_BYTES_MAX)
    if text and not text.endswith("\n"):
        text += "\n"
    place = f"{_SCRATCH}/{name}"
    with open(place, "w", errors="surrogateescape") as file:
        file.write(text + line)
    _show(place, f"etc/{name}")


def _show(source: str, target: str) -> None:
    tree = syscalls.read_only_tree(source)
    try:
        syscalls.move_mount(tree, target)
    finally:
        os.close(tree)
