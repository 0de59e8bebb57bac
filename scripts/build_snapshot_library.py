"""Compile the guest's `_snapshot.abi3.so` anew from `snapshot.c`; needs gcc, on x86-64.

No host needs a compiler to run functions, so the library is in the tree. A test builds it again
and compares, where the same compiler is there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GUEST = Path(__file__).parent.parent / "src" / "lambdad" / "guest" / "python"
SOURCE = GUEST / "snapshot.c"
LIBRARY = GUEST / "_snapshot.abi3.so"
# Nothing of a C library, and no vector registers: it works while those are being restored.
_OPTIONS = (
    *("-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-s", "-nostdlib"),
    *("-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fcf-protection=none"),
    *("-fno-tree-loop-distribute-patterns", "-fno-asynchronous-unwind-tables"),
    *("-mgeneral-regs-only", "-fvisibility=hidden"),
    *("-Wl,-z,now,-z,relro,--build-id=none,--hash-style=gnu",),
)


def build(target: Path) -> None:
    """Write the library to `target`."""
    command = ["gcc", *_OPTIONS, "-o", str(target), SOURCE.name]
    subprocess.run(command, check=True, cwd=SOURCE.parent)
    target.chmod(0o644)


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else LIBRARY)
