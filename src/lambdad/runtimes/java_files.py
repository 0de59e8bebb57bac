"""What Java finds at `/var/runtime`: AWS's client, our part of it, and its classes made ready.

The classes are archived as they are in memory (class-data sharing), by running the client once
with the same Java and at the same paths that functions will see. A Java or a host that cannot do
that starts without.
"""

from __future__ import annotations

import logging
import platform
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

from lambdad.domain.environments import LANGUAGE_DIR, RUNTIME_DIR
from lambdad.runtimes import java_client, java_library
from lambdad.runtimes.guest_files import runtime_dir
from lambdad.runtimes.installations import Installation

_LOGGER = logging.getLogger(__name__)
_CLASSES = Path(__file__).parent.parent / "guest" / "java" / "classes"
_NATIVE = Path(__file__).parent.parent / "guest" / "java" / "native"
# What makes snapshots, in a process, and what takes them on, instead of one.
_SNAPSHOTS, RESTORER = "liblambdad-snapshots.so", "restore"
_CLIENT_JAR = next(name for name in java_client.JARS if "interface-client" in name)
_MACHINES = {"x86_64": "x86_64", "aarch64": "aarch_64"}
_IN_A_LIBRARY = ("Part.class",)
_CAN_ARCHIVE = 13
_ARCHIVE_S = 60.0
# Of a jar, so that the same classes make the same file.
_A_DATE = (2020, 1, 1, 0, 0, 0)
# In a mount namespace of its own: the directories where functions have them.
_AT_THE_PLACE = """
set -e
mount -t tmpfs none /mnt
mkdir /mnt/runtime /mnt/lang
mount --bind "$1" /mnt/runtime
[ -z "$2" ] || mount --bind "$2" /mnt/lang
mount --rbind /mnt /var
exec /bin/sh /var/runtime/bootstrap "$3" "$4"
"""


def java_runtime_dir(
    installation: Installation, binary: str, client: Path, cache_dir: Path
) -> Path:
    """Return the directory for one Java, which a function sees as `binary`.

    Takes about a second the first time, for a thread.

    Raises:
        HostUnfit: it cannot be made.
    """

    def add(target: Path) -> None:
        (target / "lib").mkdir()
        for name in java_client.JARS:
            shutil.copyfile(client / name, target / "lib" / name)
        _write_jar(target / "lib" / "lambdad.jar", _classes_of("lambdad", "com"))
        _add_rehearsal(target / "rehearsal")
        _take_library(client / _CLIENT_JAR, target / "lib" / "libaws-lambda-jni.so")
        if java_library.is_possible():
            (target / "lib" / "liblambdad-ahead.so").write_bytes(java_library.content())
            shutil.copyfile(_NATIVE / _SNAPSHOTS, target / "lib" / _SNAPSHOTS)
            shutil.copyfile(_NATIVE / RESTORER, target / RESTORER)
            (target / RESTORER).chmod(0o755)
        if installation.version[0] >= _CAN_ARCHIVE:
            _archive(installation, binary, target)

    files = (*sorted(_CLASSES.rglob("*.class")), _NATIVE / _SNAPSHOTS, _NATIVE / RESTORER)
    contents = (path.read_bytes().hex() for path in files)
    made_of = (str(installation.binary), installation.text, java_library.content().hex(), *contents)
    return runtime_dir("java", cache_dir, add, *java_client.JARS, *made_of)


def _classes_of(*roots: str) -> Sequence[Path]:
    return [path for root in roots for path in sorted((_CLASSES / root).rglob("*.class"))]


def _add_rehearsal(target: Path) -> None:
    """Lay out the functions of the rehearsal as a function's package: classes, and a library."""
    (target / "lib").mkdir(parents=True)
    (target / "rehearsal").mkdir()
    for path in _classes_of("rehearsal"):
        if path.name in _IN_A_LIBRARY:
            _write_jar(target / "lib" / "library.jar", [path])
        else:
            shutil.copyfile(path, target / "rehearsal" / path.name)


def _write_jar(jar: Path, classes: Sequence[Path]) -> None:
    with zipfile.ZipFile(jar, "w") as archive:
        for path in classes:
            name = str(path.relative_to(_CLASSES))
            entry = zipfile.ZipInfo(name, _A_DATE)
            archive.writestr(entry, path.read_bytes(), compress_type=zipfile.ZIP_DEFLATED)


def _take_library(jar: Path, target: Path) -> None:
    """Unpack the client's library, which it would unpack at each start."""
    machine = _MACHINES.get(platform.machine())
    if machine is not None and platform.libc_ver()[0] == "glibc":
        with zipfile.ZipFile(jar) as archive:
            target.write_bytes(archive.read(f"jni/libaws-lambda-jni.linux-{machine}.so"))


def _archive(installation: Installation, binary: str, target: Path) -> None:
    archive = target / "classes.jsa"
    prefix = "" if installation.visible else str(installation.prefix)
    command = ("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _AT_THE_PLACE)
    arguments = ("sh", str(target), prefix, binary, str(installation.version[0]))
    try:
        _run((*command, *arguments), _LAMBDAD_CLASSES=f"{RUNTIME_DIR}/{archive.name}")
    except (OSError, subprocess.SubprocessError) as error:
        archive.unlink(missing_ok=True)
        _LOGGER.info("%s starts without archived classes: %s", installation.binary, error)


def _run(command: Sequence[str], **variables: str) -> None:
    # The archive notes neither variables nor the size of the heap.
    environment = {
        "PATH": f"{LANGUAGE_DIR}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "LAMBDA_RUNTIME_DIR": RUNTIME_DIR,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        **variables,
    }
    subprocess.run(  # noqa: S603 - our own script, and a Java of this host
        command, check=True, capture_output=True, timeout=_ARCHIVE_S, env=environment, cwd="/"
    )
