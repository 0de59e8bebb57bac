"""Reads, writes and links what it should not."""

# ruff: noqa: PTH101, PTH103, PTH108, PTH112, PTH114, PTH115, PTH116, PTH123, PTH208, PTH211, S103, S108, PLC0415, PERF401, PLW1510

import os
import socket
import stat

from tries import outcome


def read(paths):
    return {path: outcome(_read, path) for path in paths}


def _read(path):
    if os.path.isdir(path):
        os.listdir(path)
        return
    with open(path, "rb", buffering=0) as file:
        file.read(64)


def write(paths):
    return {path: outcome(_write, path) for path in paths}


def _write(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644))


def text(path):
    with open(path) as file:
        return file.read()


def listing(path):
    return sorted(os.listdir(path))


def modes(path):
    return {name: oct(os.lstat(f"{path}/{name}").st_mode) for name in os.listdir(path)}


def writable():
    """Every directory and file below the root, other than in /proc, that can be written to."""
    found = []
    for folder, folders, files in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if name not in ("proc", "tmp", "usr")]
        for path in (folder, *(f"{folder}/{name}" for name in files)):
            if not os.path.islink(path) and os.access(path, os.W_OK):
                found.append(path)
    return sorted(found)


def change_code():
    """Every way to change what all environments of a function share."""
    os.makedirs("/tmp/own", exist_ok=True)
    with open("/tmp/own/app.py", "w") as file:
        file.write("evil = 1\n")
    return {
        "open": outcome(_write, "/var/task/app.py"),
        "create": outcome(_write, "/var/task/new.py"),
        "unlink": outcome(os.unlink, "/var/task/app.py"),
        "rename": outcome(os.rename, "/tmp/own/app.py", "/var/task/app.py"),
        "rename away": outcome(os.rename, "/var/task/app.py", "/tmp/own/stolen.py"),
        "chmod": outcome(os.chmod, "/var/task/app.py", 0o777),
        "truncate": outcome(os.truncate, "/var/task/app.py", 0),
        "hard link": outcome(os.link, "/var/task/app.py", "/tmp/own/link"),
        "utime": outcome(os.utime, "/var/task/app.py"),
        "xattr": outcome(os.setxattr, "/var/task/app.py", "user.x", b"1"),
        "layer": outcome(_write, "/opt/new"),
        "runtime": outcome(_write, "/var/runtime/bootstrap.py"),
        "language": outcome(_write, "/var/lang/bin/python3.12"),
        "program": outcome(_write, "/usr/bin/python3"),
        "device": outcome(os.unlink, "/dev/null"),
        "proc fd": outcome(_through_descriptor),
    }


def _through_descriptor():
    """A descriptor opened for reading, opened again for writing through /proc."""
    fd = os.open("/var/task/app.py", os.O_RDONLY)
    try:
        os.close(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY))
    finally:
        os.close(fd)


def escape_tmp():
    """Links, devices and set-uid files."""
    base = "/tmp/escape"
    os.makedirs(base, exist_ok=True)
    for name, to in (
        ("shadow", "/etc/shadow"),
        ("up", "../../../../root"),
        ("one", "/proc/1/root"),
    ):
        if not os.path.lexists(f"{base}/{name}"):
            os.symlink(to, f"{base}/{name}")
    return {
        "symbolic link": outcome(_read, f"{base}/shadow"),
        "symbolic link upwards": outcome(_read, f"{base}/up"),
        "symbolic link to the root of PID 1": outcome(os.listdir, f"{base}/one"),
        "hard link": outcome(os.link, "/usr/bin/su", f"{base}/su"),
        "character device": outcome(
            os.mknod, f"{base}/mem", 0o666 | stat.S_IFCHR, os.makedev(1, 1)
        ),
        "block device": outcome(os.mknod, f"{base}/disk", 0o666 | stat.S_IFBLK, os.makedev(254, 0)),
        "owner": outcome(os.chown, "/tmp", os.getuid(), os.getgid()),
        "own file to root": outcome(_give_away, f"{base}/gift"),
        "chdir": outcome(os.chdir, "/proc/1/cwd"),
        "chroot": outcome(os.chroot, base),
        "fifo": outcome(_fifo, f"{base}/fifo"),
    }


def _give_away(path):
    _write(path)
    os.chown(path, 0, 0)


def _fifo(path):
    os.mkfifo(path)
    os.unlink(path)


def set_uid():
    """Run set-uid programs: of the host, and an own one; report their effective user."""
    import shutil
    import subprocess

    copy = shutil.copy("/usr/bin/env", "/tmp/env")
    os.chmod(copy, 0o6755)
    hosts = [
        entry.path
        for folder in ("/usr/bin", "/usr/sbin")
        for entry in os.scandir(folder)
        if entry.is_file(follow_symlinks=False) and entry.stat().st_mode & stat.S_ISUID
    ]
    users = {}
    for program in [*hosts, copy]:
        # The loader prints this only where nothing was gained by the exec.
        shown = subprocess.run(
            [program, "--version"], env={"LD_SHOW_AUXV": "1"}, capture_output=True, text=True
        ).stdout
        fields = dict(line.split(":", 1) for line in shown.splitlines() if line.startswith("AT_"))
        users[program] = (fields.get("AT_EUID", "?").strip(), fields.get("AT_SECURE", "?").strip())
    return {"me": str(os.getuid()), "users": users}


def fill(path, mebibytes):
    """Write so much; how far it came, and why it ended."""
    block = os.urandom(1024 * 1024)
    written = 0
    why = "ok"
    with open(path, "wb", buffering=0) as file:
        try:
            while written < mebibytes * len(block):
                written += file.write(block)
        except OSError as error:
            why = error.strerror
    os.unlink(path)
    return {"mebibytes": written // len(block), "why": why}


def many_inodes():
    """Make empty files until that fails."""
    os.makedirs("/tmp/many", exist_ok=True)
    made = 0
    try:
        while True:
            os.close(os.open(f"/tmp/many/{made}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError as error:
        why = error.strerror
    for number in range(made):
        os.unlink(f"/tmp/many/{number}")
    return {"made": made, "why": why}


def sparse():
    """Claim sizes that are not there."""
    with open("/tmp/sparse", "wb") as file:
        truncate = outcome(os.truncate, file.fileno(), 1 << 40)
        allocate = outcome(os.posix_fallocate, file.fileno(), 0, 1 << 40)
    os.unlink("/tmp/sparse")
    return {"truncate": truncate, "allocate": allocate}


def leave(path, content):
    with open(path, "w") as file:
        file.write(content)
    return os.stat(path).st_uid


def descriptors():
    """Which descriptors the runtime process has, and where they lead."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
    return found


def unix_sockets():
    """Names of Unix sockets that are visible here."""
    with open("/proc/net/unix") as file:
        return [line.split()[7] for line in file.readlines()[1:] if len(line.split()) > 7]


def abstract(name, listen):
    """Listen on an abstract address, or connect to it."""
    with socket.socket(socket.AF_UNIX) as it:
        if not listen:
            return outcome(it.connect, f"\0{name}")
        it.bind(f"\0{name}")
        it.listen()
        _KEPT.append(it.dup())
        return "ok"


_KEPT = []
