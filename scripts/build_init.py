"""Build the small PID 1 of sandboxes, `src/lambdad/guest/native/init-<machine>`.

What comes out is committed: hosts need no compiler. Run it after a change of a file there, with a
C compiler for each machine (`gcc`, and `gcc-aarch64-linux-gnu` of Debian).
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MACHINES = ("x86_64", "aarch64")
PARTS = ("init", "launch")
SOURCE = Path(__file__).parent.parent / "src" / "lambdad" / "guest" / "native"
_COMPILE = (
    *("-std=c11", "-Wall", "-Wextra", "-Werror", "-Os", "-ffreestanding", "-fPIE"),
    *("-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fomit-frame-pointer"),
    "-fno-tree-loop-distribute-patterns",
)
_LINK = ("-pie", "--no-dynamic-linker", "-z", "noexecstack", "--build-id=none", "-s")


def tool(name: str, machine: str) -> str | None:
    """Return where a compiler's program for a machine is; None if there is none."""
    return shutil.which(f"{machine}-linux-gnu-{name}") or (
        shutil.which(name) if machine == platform.machine() else None
    )


def build(machine: str, target: Path) -> None:
    """Compile and link for one machine.

    Raises:
        RuntimeError: there is no compiler for it.
        subprocess.CalledProcessError: it does not compile.
    """
    compiler, linker = tool("gcc", machine), tool("ld", machine)
    if compiler is None or linker is None:
        raise RuntimeError(f"There is no gcc for {machine} here.")
    with tempfile.TemporaryDirectory() as directory:
        parts = []
        for name in PARTS:
            parts.append(Path(directory) / f"{name}.o")
            source = SOURCE / f"{name}.c"
            subprocess.run([compiler, *_COMPILE, "-c", source, "-o", parts[-1]], check=True)
        script = ("-T", SOURCE / "init.ld")
        subprocess.run([linker, *_LINK, *script, *parts, "-o", target], check=True)
    target.chmod(0o644)


if __name__ == "__main__":
    for name in MACHINES:
        try:
            build(name, SOURCE / f"init-{name}")
        except RuntimeError as error:
            sys.exit(f"{error} Install it (gcc-{name}-linux-gnu).")
