"""Programs that a package brings: external extensions, and whether the kernel would start them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lambdad.dataplane.image_runtimes import Images
from lambdad.domain.environments import LAYER_ROOT
from lambdad.domain.functions import Function
from lambdad.storage.base import PackageStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionProgram:
    """A file in `/opt/extensions`.

    Attributes:
        problem: why it cannot be started, None if it can.
    """

    name: str
    problem: str | None


def programs_of(
    function: Function, packages: PackageStore, images: Images | None
) -> Sequence[ExtensionProgram]:
    """Find the external extensions that a function's layers, or its image, bring."""
    if function.code.image is not None and images is not None:
        # Its environment stands, so it is on disk.
        place = images.tree(function.code.digest) / LAYER_ROOT.lstrip("/")
        # SECURITY: a link of the image leads somewhere on this host.
        return () if place.is_symlink() else programs_in(place)
    if function.layer_tree is None:
        return ()
    return programs_in(packages.tree(function.layer_tree))


def programs_in(layer_tree: Path) -> Sequence[ExtensionProgram]:
    """Return the extensions in an unpacked layer, by name. Links are the guest's: not followed."""
    directory = layer_tree / "extensions"
    if directory.is_symlink() or not directory.is_dir():
        return ()
    with os.scandir(directory) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    return [ExtensionProgram(name=name, problem=launch_problem(directory / name)) for name in names]


def launch_problem(program: Path) -> str | None:
    """Say why the kernel would not execute a program, as Go's runtime says it; None if it would."""
    if not program.stat().st_mode & 0o001:
        return "permission denied"
    with program.open("rb") as file:
        beginning = file.read(4)
    if beginning != b"\x7fELF" and not beginning.startswith(b"#!"):
        return "exec format error"
    return None
