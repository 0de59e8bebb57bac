"""How bubblewrap is told to build a sandbox: its arguments, and the files of `/etc` it binds.

The guest sees what `lambdad.sandbox.rootfs` shows: the host's programs and libraries, a few public
files, its code. What runs in it is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lambdad.domain.environments import Mount
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import rootfs

# Where AWS keeps its own init; no runtime and no layer is mounted there.
GUEST_CODE = "/var/rapid"
# A rootless sandbox's one user, as AWS has it.
ROOTLESS_UID, ROOTLESS_GID = 993, 990
_TMP = "/tmp"  # noqa: S108 - the guest's, not ours
_MASKED = ("/proc/keys", "/proc/key-users", "/proc/kallsyms", "/proc/modules")
_MIB = 1024 * 1024


def arguments(
    *,
    root: bool,
    seccomp_fd: int,
    etc: Path,
    guest: Path,
    mounts: Sequence[Mount],
    tmp_mb: int,
) -> Iterator[str]:
    """Yield bubblewrap's arguments up to the command.

    Args:
        root: whether it is started by root: then there is no user namespace, and the command
            keeps the two capabilities that it needs to become another user.
        seccomp_fd: readable descriptor of the filter.
        etc: directory from :func:`write_etc`.
        guest: directory of lambdad's guest code.
        mounts: of the function.
        tmp_mb: size of `/tmp` in MiB.

    Raises:
        HostUnfit: the source of a mount does not exist.
    """
    yield from _namespaces(root=root)
    yield from ("--seccomp", str(seccomp_fd))
    yield from _system(etc)
    yield from ("--perms", "1777", "--size", str(tmp_mb * _MIB), "--tmpfs", _TMP)
    yield from ("--ro-bind", str(guest), f"{GUEST_CODE}/lambdad/guest")
    for mount in mounts:
        if not mount.source.exists():
            raise HostUnfit(
                f"A sandbox could not be built: {mount.source} does not exist.",
                "Deploy the function again.",
            )
        bind = "--bind" if mount.writable else "--ro-bind"
        yield from (bind, str(mount.source), mount.target)
    yield from ("--remount-ro", "/", "--chdir", "/")


def _namespaces(*, root: bool) -> Iterator[str]:
    yield from ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")
    yield from ("--unshare-cgroup-try", "--hostname", rootfs.HOST_NAME)
    yield from ("--die-with-parent", "--new-session", "--as-pid-1", "--clearenv")
    yield from ("--cap-drop", "ALL")
    if root:
        yield from ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
    else:
        yield from ("--unshare-user", "--uid", str(ROOTLESS_UID), "--gid", str(ROOTLESS_GID))


def _system(etc: Path) -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in rootfs.PROGRAMS:
        path = Path("/") / name
        if path.is_symlink():
            yield from ("--symlink", os.fspath(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    yield from _devices()
    yield from ("--proc", "/proc")
    yield from _flat(("--ro-bind", "/dev/null", path) for path in _MASKED if Path(path).exists())
    yield from ("--ro-bind", str(etc), "/etc")
    for name in rootfs.etc_directories_present():
        yield from ("--ro-bind", f"/etc/{name}", f"/etc/{name}")
    yield from _flat(("--dir", f"/{point}") for point in rootfs.MOUNT_POINTS)


def _devices() -> Iterator[str]:
    yield from ("--perms", "0755", "--size", str(64 * 1024), "--tmpfs", "/dev")
    for device in rootfs.DEVICES:
        yield from ("--dev-bind", f"/dev/{device}", f"/dev/{device}")
    for name, target in rootfs.DEVICE_LINKS.items():
        yield from ("--symlink", target, f"/dev/{name}")
    yield from ("--remount-ro", "/dev")


def _flat(options: Iterable[Sequence[str]]) -> Iterator[str]:
    return (word for option in options for word in option)


def write_etc(etc: Path, uids: Sequence[tuple[int, int]]) -> None:
    """Write what stands for `/etc`, with mount points for the host's public directories.

    Args:
        etc: does not exist yet.
        uids: (uid, gid) of every user that a sandbox may have.

    Raises:
        OSError: it cannot be written.
    """
    etc.mkdir(parents=True)
    etc.chmod(0o755)
    for name in rootfs.etc_directories_present():
        (etc / name).mkdir(parents=True, exist_ok=True)
    user = rootfs.USER_NAME
    passwd = [f"{user}:x:{uid}:{gid}::{_TMP}:/usr/sbin/nologin" for uid, gid in uids]
    texts = {
        "passwd": "\n".join(["root:x:0:0:root:/root:/usr/sbin/nologin", *passwd, ""]),
        "group": "\n".join(["root:x:0:", *(f"{user}:x:{gid}:" for _, gid in uids), ""]),
        "hosts": rootfs.HOSTS,
        "hostname": f"{rootfs.HOST_NAME}\n",
        "nsswitch.conf": rootfs.NSSWITCH,
        "resolv.conf": rootfs.usable_resolv_conf(),
    }
    for name, text in texts.items():
        (etc / name).write_text(text)
    for name in rootfs.ETC_FILES:
        host = Path("/etc") / name
        if host.is_file() and os.access(host, os.R_OK):
            (etc / name).parent.mkdir(parents=True, exist_ok=True)
            (etc / name).write_bytes(host.read_bytes())
    (etc / "localtime").symlink_to("/usr/share/zoneinfo/UTC")
