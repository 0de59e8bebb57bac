"""Compile what snapshots of Java functions are made and taken on with; needs gcc, on x86-64.

No host needs a compiler to run functions, so both files are in the tree. A test builds them again
and compares, where the same compiler is there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NATIVE = Path(__file__).parent.parent / "src" / "lambdad" / "guest" / "java" / "native"
LIBRARY, PROGRAM = "liblambdad-snapshots.so", "restore"
# Nothing of a C library, and no vector registers: it works while those are being restored.
_OPTIONS = (
    *("-O2", "-Wall", "-Wextra", "-Werror", "-s", "-nostdlib", "-ffreestanding", "-fno-builtin"),
    *("-fno-stack-protector", "-fcf-protection=none", "-fno-tree-loop-distribute-patterns"),
    *("-fno-asynchronous-unwind-tables", "-mgeneral-regs-only", "-fvisibility=hidden"),
    *("-Wl,--build-id=none,-z,noexecstack",),
)
_OF_LIBRARY = ("-fPIC", "-shared", "-Wl,-z,now,-z,defs,--hash-style=gnu")
# At a place where nothing else is; see `snapshot.h`.
_OF_PROGRAM = (
    *("-static", "-no-pie", "-fno-pic", "-mcmodel=large"),
    "-Wl,-Ttext-segment=0x200000000000,-z,norelro",
)


def build(directory: Path) -> None:
    """Write both into a directory."""
    for options, sources, name in (
        (_OF_LIBRARY, ("snapshot.c", "process.c"), LIBRARY),
        (_OF_PROGRAM, ("restore.c",), PROGRAM),
    ):
        target = directory / name
        command = ["gcc", *_OPTIONS, *options, "-o", str(target), *sources]
        subprocess.run(command, check=True, cwd=NATIVE)
        target.chmod(0o644)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else NATIVE)
