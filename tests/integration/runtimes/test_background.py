"""Work in the background ends when it is told to, whatever it is at."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import pytest

from lambdad.runtimes.background import Background

FOR_EVER_S = 600.0


@pytest.fixture
def background() -> Iterator[Background]:
    with closing(Background("test")) as background:
        yield background


def outcome(background: Background, *command: str, timeout_s: float = FOR_EVER_S) -> Future[bool]:
    """Run a command in the background."""
    future: Future[bool] = Future()

    def work() -> None:
        try:
            future.set_result(background.run(command, timeout_s))
        except (OSError, subprocess.SubprocessError) as error:
            future.set_exception(error)

    background.later(work)
    return future


def test_a_program_is_not_waited_for(background: Background, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    os.mkfifo(runs)
    first = outcome(background, "/bin/sh", "-c", f'echo $$ > "{runs}"; exec sleep {FOR_EVER_S}')
    second = outcome(background, "/bin/true")
    pid = int(runs.read_text())
    background.close()
    assert not first.result()
    assert not second.done()
    assert not Path(f"/proc/{pid}").exists()
    assert not background.run(["/bin/true"], FOR_EVER_S)


def test_how_a_program_ends_is_told(background: Background) -> None:
    assert outcome(background, "/bin/true").result()
    with pytest.raises(subprocess.CalledProcessError):
        outcome(background, "/bin/false").result()
    with pytest.raises(FileNotFoundError):
        outcome(background, "/nowhere").result()
    with pytest.raises(subprocess.TimeoutExpired):
        outcome(background, "sleep", str(FOR_EVER_S), timeout_s=0.0).result()
