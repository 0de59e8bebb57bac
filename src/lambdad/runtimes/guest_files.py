"""The directory that a managed runtime has at `/var/runtime`: our client, ready to start fast.

Assembled once per interpreter and content below the cache directory, then only mounted.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.installations import Installation

_libc = ctypes.CDLL(None, use_errno=True)
_GUEST = Path(__file__).parent.parent / "guest"
_PYTHON_PACKAGE = "lambdad_guest"

# Unchecked: the mount is read-only and named by its content, so the interpreter need not look
# whether a source is newer. `bootstrap.py` is the script itself and never cached.
_COMPILE = """
import glob, py_compile, sys
mode = getattr(py_compile, "PycInvalidationMode", None)
extra = {} if mode is None else {"invalidation_mode": mode.UNCHECKED_HASH}
for source in glob.glob(sys.argv[1] + "/*.py"):
    py_compile.compile(source, dfile=sys.argv[2] + source.rpartition("/")[2], doraise=True, **extra)
"""


def python_runtime_dir(installation: Installation, cache_dir: Path) -> Path:
    """Return the directory for one Python, with byte code for exactly that interpreter.

    Raises:
        HostUnfit: it cannot be made.
    """
    source = _GUEST / "python"
    key = _digest(source, str(installation.binary), installation.text)
    name = f"python{installation.version[0]}.{installation.version[1]}-{key}"

    def fill(target: Path) -> None:
        package = target / _PYTHON_PACKAGE
        package.mkdir()
        for file in (*source.glob("*.py"), *source.glob("*.so")):
            place = target if file.name == "bootstrap.py" else package
            shutil.copyfile(file, place / file.name)
        command = [str(installation.binary), "-I", "-S", "-c", _COMPILE, str(package)]
        command.append(f"/var/runtime/{_PYTHON_PACKAGE}/")
        subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603

    return assemble(cache_dir / "guest" / name, fill)


def nodejs_runtime_dir(cache_dir: Path) -> Path:
    """Return the directory for Node.js, with an empty `node_modules` to mount the SDK on.

    Raises:
        HostUnfit: it cannot be made.
    """
    return runtime_dir("nodejs", cache_dir, lambda target: (target / "node_modules").mkdir())


def runtime_dir(language: str, cache_dir: Path, add: Callable[[Path], None], *made_of: str) -> Path:
    """Return the directory for a language: our files for it, and what `add` puts beside them.

    `made_of` says what that is, so that other content gets another directory.

    Raises:
        HostUnfit: it cannot be made.
    """
    source = _GUEST / language

    def fill(target: Path) -> None:
        for file in source.iterdir():
            if file.is_file():
                shutil.copyfile(file, target / file.name)
        add(target)

    return assemble(cache_dir / "guest" / f"{language}-{_digest(source, *made_of)}", fill)


def assemble(target: Path, fill: Callable[[Path], None]) -> Path:
    """Return `target`, filled by `fill` if it does not exist; it appears at once and complete.

    Raises:
        HostUnfit: the disk or a program refused.
    """
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as place:
            new = Path(place) / "content"
            new.mkdir()
            fill(new)
            _make_readable(new)
            flush(new)
            _move(new, target)
    except (OSError, subprocess.SubprocessError) as error:
        raise HostUnfit(
            f"The files of a runtime cannot be prepared in {target.parent}: {error}.",
            "Check that the data directory is writable and the disk not full.",
        ) from error
    return target


def flush(directory: Path) -> None:
    """Bring a directory to the disk, with all below it.

    What is there is trusted for ever: after a power cut it may not be there without its content.
    The whole file system is brought there, at once: the SDK has a thousand directories, each of
    which would take a flush of the disk's own.

    Raises:
        OSError: the disk refused.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot flush {directory}: {os.strerror(number)}")
    finally:
        os.close(descriptor)


def _move(new: Path, target: Path) -> None:
    try:
        new.rename(target)
    except OSError:
        # Another process was faster; the name stands for the content, so its work is as good.
        if not target.is_dir():
            raise


def _make_readable(directory: Path) -> None:
    """Let every user read it: the guest runs as one that owns nothing here."""
    directory.chmod(0o755)
    for path in directory.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
        elif path.stat().st_nlink == 1:
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


def _digest(source: Path, *more: str) -> str:
    digest = hashlib.sha256("\0".join(more).encode())
    for file in sorted(source.iterdir()):
        if file.is_file():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
