"""Which versions cannot have a snapshot, before anything is tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lambdad.dataplane.snapshot_obstacles import obstacle
from lambdad.domain.environments import Zygote
from lambdad.domain.functions import Code, Function
from lambdad.runtimes.base import Runtime
from lambdad.testing.functions import a_function

ZYGOTE = Zygote(argv=("python",), script="s", modules=(), mounts=(), environment=())
PYTHON = Runtime(
    identifier="python3.12",
    version="3.12.1",
    source="/usr/bin/python3.12",
    argv=("python",),
    mounts=(),
    zygote=ZYGOTE,
)
JAVA = replace(
    PYTHON, identifier="java21", version="21.0.1", zygote=None, restorer=("/var/runtime/restore",)
)
FOLDER = Code(sha256="x=", size_bytes=1, digest="00" * 32, folder="/home/me/code")


def reason(function: Function, runtime: Runtime = PYTHON, **circumstances: Any) -> str | None:
    return obstacle(runtime, function, **{"zygotes": True, "extended": False, **circumstances})


def test_nothing_is_in_the_way_of_a_plain_python_function() -> None:
    assert reason(a_function(environment={"TABLE": "t"})) is None


def test_nothing_is_in_the_way_of_a_plain_java_function() -> None:
    assert reason(a_function(runtime="java21"), JAVA) is None


@pytest.mark.parametrize(
    ("function", "runtime", "circumstances", "words"),
    [
        (a_function(runtime="java21"), replace(JAVA, restorer=()), {}, "x86-64 processor"),
        (a_function(runtime="java21"), JAVA, {"zygotes": False}, "native one does, as root"),
        (
            a_function(runtime="java21", environment={"JAVA_TOOL_OPTIONS": "-Xint"}),
            *(JAVA, {}, "reads at its start"),
        ),
        (a_function(runtime="dotnet8"), replace(PYTHON, zygote=None), {}, "not of dotnet8"),
        (a_function(), replace(PYTHON, zygote=None), {}, "cannot be forked"),
        (a_function(), PYTHON, {"zygotes": False}, "native one does, as root"),
        (a_function(environment={"PYTHONHASHSEED": "0"}), PYTHON, {}, "reads at its start"),
        (a_function(), PYTHON, {"extended": True}, "extensions"),
        (a_function(code=FOLDER), PYTHON, {}, "directory of this host"),
    ],
)
def test_what_is_in_the_way_is_said_to_the_owner(
    function: Function, runtime: Runtime, circumstances: dict[str, bool], words: str
) -> None:
    assert words in (reason(function, runtime, **circumstances) or "")
