"""The root directory that all sandboxes share: a skeleton in memory plus the host's programs.

Built once, in the launcher's own mount namespace, and read-only from then on. Nothing of the host
is in it but its programs and libraries (`/usr` and what belongs to it) and a few public files of
`/etc`. What differs from sandbox to sandbox is mounted over it later. Runs in the launcher: only
the standard library, and nothing heavy.
"""

# pathlib is not loaded into the launcher.
# ruff: noqa: PTH101, PTH102, PTH103, PTH112, PTH114, PTH115
# ruff: noqa: PTH120, PTH123, PTH208, PTH211

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from lambdad.sandbox import syscalls

USER_NAME = "sbx_user1051"
HOST_NAME = "sandbox"
# AWS: extensions take telemetry at `sandbox.localdomain`.
HOSTS = f"127.0.0.1 localhost {HOST_NAME} {HOST_NAME}.localdomain\n"

# Where the skeleton is put together; only the launcher's own mount namespace sees it there.
_SCRATCH = "/tmp"  # noqa: S108 - never written to, only mounted over

PROGRAMS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
MOUNT_POINTS = ("proc", "tmp", "opt", "mnt", "var/task", "var/lang", "var/runtime")
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9)}
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
# Public on every distribution, and needed: the loader's cache, certificates, service names, ...
ETC_FILES = (
    "ld.so.cache",
    "ld.so.conf",
    "mime.types",
    "protocols",
    "services",
    "ssl/openssl.cnf",
    "pki/tls/openssl.cnf",
    "gai.conf",
    "os-release",
)
ETC_DIRECTORIES = (
    "alternatives",
    "ca-certificates",
    "ld.so.conf.d",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "ssl/certs",
)
# Debian's Java keeps its configuration there, with links from /usr/lib/jvm.
ETC_PREFIXES = ("java-",)
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"
_STUB_RESOLVER_UPSTREAM = "/run/systemd/resolve/resolv.conf"


def enter(first_uid: int, environments: int) -> None:
    """Make the template root and make it this process's root. The host is gone after that.

    Needs a mount namespace of its own. Everything the process still has to import must have
    been imported.
    """
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_PRIVATE)
    os.umask(0o022)
    resolv_conf = usable_resolv_conf()
    # Copies of the host's directories first: the skeleton may hide what they are reached by.
    programs = {name: _program_directory(name) for name in PROGRAMS}
    usr = syscalls.read_only_tree("/usr")
    etc_directories = [
        (name, syscalls.read_only_tree(f"/etc/{name}")) for name in etc_directories_present()
    ]
    etc_files = {name: text for name in ETC_FILES if (text := _content(f"/etc/{name}"))}

    _mount_tmpfs(_SCRATCH, "mode=0755")
    os.chdir(_SCRATCH)
    for point in MOUNT_POINTS:
        os.makedirs(point)
    os.mkdir("usr")
    _attach(usr, "usr")
    for name, program in programs.items():
        if isinstance(program, str):
            os.symlink(program, name)
        elif program is not None:
            os.mkdir(name)
            _attach(program, name)
    _make_devices()
    _write_etc(first_uid, environments, resolv_conf, etc_files)
    for name, fd in etc_directories:
        os.makedirs(f"etc/{name}", exist_ok=True)
        _attach(fd, f"etc/{name}")
    _pivot()


def usable_resolv_conf() -> str:
    """Return a resolver configuration that works behind a loopback of one's own.

    A name server on the host's loopback address cannot be reached from a sandbox. It is left
    out; if it is systemd's stub, the servers behind it take its place.
    """
    text = _content("/etc/resolv.conf").decode(errors="replace")
    upstream = _content(_STUB_RESOLVER_UPSTREAM).decode(errors="replace")
    if upstream and not any(_reachable_name_server(line) for line in text.splitlines()):
        text = upstream
    lines = [line for line in text.splitlines() if not _unreachable_name_server(line)]
    return "".join(f"{line}\n" for line in lines if line and line[0] not in "#;")


def _reachable_name_server(line: str) -> bool:
    return line.startswith("nameserver") and not _unreachable_name_server(line)


def _unreachable_name_server(line: str) -> bool:
    words = line.split()
    if len(words) < 2 or words[0] != "nameserver":
        return False
    # The wire of a sandbox carries IPv4 only.
    return words[1].startswith("127.") or ":" in words[1]


def _program_directory(name: str) -> str | int | None:
    """Return the link target or a view of `/name`; None where the host has none."""
    path = f"/{name}"
    if os.path.islink(path):
        return os.readlink(path)
    return syscalls.read_only_tree(path) if os.path.isdir(path) else None


def etc_directories_present() -> Iterator[str]:
    """Name the directories of the host's `/etc` that a sandbox shows, relative to `/etc`."""
    for name in ETC_DIRECTORIES:
        if os.path.isdir(f"/etc/{name}"):
            yield name
    for name in os.listdir("/etc"):
        if name.startswith(ETC_PREFIXES) and os.path.isdir(f"/etc/{name}"):
            yield name


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _mount_tmpfs(target: str, options: str, flags: int = 0) -> None:
    syscalls.mount("tmpfs", target, "tmpfs", syscalls.MS_NOSUID | flags, options)


def _attach(fd: int, target: str) -> None:
    syscalls.move_mount(fd, target)
    os.close(fd)


def _make_devices() -> None:
    os.mkdir("dev")
    _mount_tmpfs("dev", "mode=0755,size=64k", syscalls.MS_NOEXEC)
    for name, (major, minor) in DEVICES.items():
        _make_device(name, major, minor)
    for name, target in DEVICE_LINKS.items():
        os.symlink(target, f"dev/{name}")


def _make_device(name: str, major: int, minor: int) -> None:
    path = f"dev/{name}"
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
        os.chmod(path, 0o666)  # noqa: S103 - as everywhere
    except PermissionError:
        # Some containers may not make devices, but may show the host's.
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
        syscalls.mount(f"/dev/{name}", path, "", syscalls.MS_BIND)


def _write_etc(
    first_uid: int, environments: int, resolv_conf: str, host_files: dict[str, bytes]
) -> None:
    uids = range(first_uid, first_uid + environments)
    passwd = ["root:x:0:0:root:/root:/usr/sbin/nologin\n"]
    passwd += [f"{USER_NAME}:x:{uid}:{uid}::/tmp:/usr/sbin/nologin\n" for uid in uids]
    group = ["root:x:0:\n"]
    group += [f"{USER_NAME}:x:{uid}:\n" for uid in uids]
    files = {
        **host_files,
        "passwd": "".join(passwd).encode(),
        "group": "".join(group).encode(),
        "hosts": HOSTS.encode(),
        "hostname": f"{HOST_NAME}\n".encode(),
        "nsswitch.conf": NSSWITCH.encode(),
        "resolv.conf": resolv_conf.encode(),
    }
    for name, content in files.items():
        os.makedirs(os.path.dirname(f"etc/{name}"), exist_ok=True)
        with open(f"etc/{name}", "wb") as file:
            file.write(content)
    os.symlink("/usr/share/zoneinfo/UTC", "etc/localtime")


def _pivot() -> None:
    """Make the skeleton the root, detach the host's tree, and let nothing be written again."""
    for target in ("dev", "."):
        flags = syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | syscalls.MS_NOSUID
        if target == "dev":
            flags |= syscalls.MS_NOEXEC
        syscalls.mount("none", target, "", flags)
    syscalls.pivot_root(".", ".")
    syscalls.umount(".")
    os.chdir("/")
