"""The command that starts a function's runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lambdad.dataplane.entrypoints import NoEntrypoint, command_in
from lambdad.dataplane.extension_programs import launch_problem
from lambdad.dataplane.image_runtimes import IDENTIFIER
from lambdad.domain.functions import Function
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.wrapper import wrapped


def command_of(runtime: Runtime, function: Function, trees: Mapping[str, Path]) -> Sequence[str]:
    """Return the command in guest paths; `trees` are what the function brings, by guest path.

    Raises:
        NoEntrypoint: the function brings no program to start.
    """
    if runtime.root is not None and runtime.identifier == IDENTIFIER:
        search = (function.environment or {}).get("PATH", runtime.environment["PATH"])
        return command_in(runtime.root, runtime.argv, runtime.directory, search)
    if runtime.argv and runtime.root is not None:
        return runtime.argv  # what starts AWS's own runtimes looks for a wrapper itself
    if runtime.argv:
        return wrapped(runtime.argv, function.environment or {})
    return (_entrypoint(runtime, trees),)


def _entrypoint(runtime: Runtime, trees: Mapping[str, Path]) -> str:
    for candidate in runtime.entrypoints:
        place, _, name = candidate.rpartition("/")
        if place not in trees or not (program := trees[place] / name).is_file():
            continue
        if (problem := launch_problem(program)) is not None:
            raise NoEntrypoint(f"fork/exec {candidate}: {problem}")
        return candidate
    paths = " ".join(runtime.entrypoints)
    raise NoEntrypoint(f"Couldn't find valid bootstrap(s): [{paths}]")
