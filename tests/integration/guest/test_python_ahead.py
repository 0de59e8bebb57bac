"""A Python client that was started before there was a function, however it is told of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.dataplane.runtime_api.pipes import open_pipes
from lambdad.guest.python import compiler

GUEST = Path(compiler.__file__).parent
BINARY = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
APP = """
import json, os, sys
print(json.dumps({"variables": {**os.environ}, "first": sys.path[0], "here": os.getcwd()}))
def handler(event, context):
    return event
"""


class Waiting:
    """A client that waits, and our ends of its sockets."""

    def __init__(self, directory: Path) -> None:
        self.task = directory / "task"
        self.task.mkdir()
        package = directory / "runtime"
        package.mkdir()
        (package / "lambdad_guest").symlink_to(GUEST)
        self.assignment, theirs = socket.socketpair()
        self.channel, its_channel = open_pipes()
        program = f"import sys; sys.path[0] = {str(package)!r}; import lambdad_guest.bootstrap"
        with theirs, its_channel:
            self.process = subprocess.Popen(
                [str(BINARY), "-S", "-B", "-c", program],
                env={
                    "LAMBDA_TASK_ROOT": str(self.task),
                    "OF_THE_START": "1",
                    "_LAMBDAD_ASSIGNMENT_FD": str(theirs.fileno()),
                    "_LAMBDAD_CHANNEL": f"{its_channel.reads},{its_channel.writes}",
                },
                pass_fds=(theirs.fileno(), its_channel.reads, its_channel.writes),
                stdout=subprocess.PIPE,
            )
        self.assignment.settimeout(30)
        os.set_blocking(self.channel.reads, True)
        assert self.assignment.recv(1) == b"\0"

    @property
    def block(self) -> bytes:
        """The variables of its function."""
        given = {"LAMBDA_TASK_ROOT": self.task, "_HANDLER": "app.handler", "MINE": "=x", "NONE": ""}
        return b"".join(f"{name}={value}\0".encode() for name, value in given.items())

    def finish(self) -> dict[str, Any]:
        """Show it its code, and end the assignment; what that said of where it is."""
        (self.task / "app.py").write_text(APP)
        self.assignment.close()
        # It asks for an event.
        assert os.read(self.channel.reads, 5) == b"\0\0\0\0N"
        self.channel.close()
        assert self.process.stdout is not None
        said: dict[str, Any] = json.loads(self.process.stdout.read())
        return said


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    with contextlib.ExitStack() as stack:
        waiting = Waiting(tmp_path)
        stack.callback(waiting.channel.close)
        stack.callback(waiting.assignment.close)
        assert waiting.process.stdout is not None
        stack.callback(waiting.process.stdout.close)
        stack.callback(waiting.process.wait)
        stack.callback(waiting.process.kill)
        yield waiting


@pytest.mark.parametrize("marked", [False, True], ids=["as it comes", "with an end"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_it_has_the_functions_variables_and_looks_at_no_file_before_the_end(
    waiting: Waiting, pieces: int, *, marked: bool
) -> None:
    """Whether it knows that its variables are whole, or has to wait for the end of all."""
    block = waiting.block + b"\0" * marked
    middle = block.index(b"MINE") + 3 if pieces > 1 else len(block)
    for piece in filter(None, (block[:middle], block[middle:])):
        waiting.assignment.sendall(piece)
    said = waiting.finish()
    variables = {name: said["variables"].get(name) for name in ("MINE", "NONE", "OF_THE_START")}
    assert variables == {"MINE": "=x", "NONE": "", "OF_THE_START": None}
    assert (said["first"], said["here"]) == (str(waiting.task), str(waiting.task))
    assert not [name for name in said["variables"] if "REHEARSED" in name or "LAMBDAD" in name]


def test_it_ends_without_a_word_when_there_will_be_no_function(waiting: Waiting) -> None:
    """Its memory is wanted for something else."""
    waiting.assignment.close()
    assert waiting.process.wait(30) == 0
    assert waiting.process.stdout is not None
    assert waiting.process.stdout.read() == b""
