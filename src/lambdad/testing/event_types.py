"""The types that TypeScript programs for AWS Lambda are written against, as judges of events.

The package `@types/aws-lambda` and TypeScript's compiler, from npm. An event is written as the
literal of a variable of its type, so that a member too many is an error as one too few is.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).parents[3] / "scripts" / "install_event_types"


class NotThere(Exception):
    """The types cannot be had here; the text says why."""


def install() -> Path:
    """Return where the compiler and the types are; they are installed the first time.

    Raises:
        NotThere: there is no Node.js, or the registry is out of reach.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise NotThere(f"there is no {tool}: apt-get install nodejs npm")
    done = subprocess.run(  # noqa: S603 - our own script
        [str(_SCRIPT)], capture_output=True, text=True, timeout=200, check=False
    )
    if done.returncode:
        raise NotThere(f"npm's registry is out of reach: {done.stderr.strip()[-300:]}")
    return Path(done.stdout.strip())


def complaints(
    types: Path, place: Path, events: Mapping[str, Any], named: Mapping[str, str], own: str = ""
) -> str:
    """Return what the compiler has against events; empty when they fit.

    Args:
        types: of :func:`install`.
        place: a directory of the caller's.
        events: by name.
        named: the type of each; `L` is the package.
        own: types beside those of the package.
    """
    values = [
        f"const {name}: {named[name]} = {json.dumps(event)};" for name, event in events.items()
    ]
    head = 'import type * as L from "aws-lambda";'
    modules = place / "node_modules"
    if not modules.exists():
        modules.symlink_to(types / "node_modules")
    (place / "events.ts").write_text("\n".join([head, own, *values, "export {};", ""]))
    compiled = subprocess.run(  # noqa: S603 - the compiler that was installed
        [
            str(types / "node_modules" / ".bin" / "tsc"),
            *("--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck"),
            *("--typeRoots", str(types / "node_modules" / "@types"), "--types", "aws-lambda"),
            str(place / "events.ts"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return compiled.stdout
