"""Guest paths on a host that does not move them."""

# ruff: noqa: S108 - names of files that are never touched

from __future__ import annotations

from pathlib import Path

import pytest

from lambdad.domain.environments import Mount
from lambdad.sandbox.base import ProcessSpec
from lambdad.sandbox.path_translation import PathTranslation

TRANSLATION = PathTranslation(
    (
        Mount(source=Path("/tmp/code"), target="/var/task"),
        Mount(source=Path("/srv/inner"), target="/var/task/inner"),
        Mount(source=Path("/srv/layer"), target="/opt"),
    ),
    Path("/tmp/place"),
)


@pytest.mark.parametrize(
    ("guest", "host"),
    [
        ("/var/task", "/tmp/code"),
        ("/var/task/a/b", "/tmp/code/a/b"),
        ("/var/task/inner/x", "/srv/inner/x"),
        ("/var/task/inners", "/tmp/code/inners"),
        ("/var/tasks", "/var/tasks"),
        ("/tmp", "/tmp/place"),
        ("/tmp/x", "/tmp/place/x"),
        ("/usr/bin/python3", "/usr/bin/python3"),
        ("relative", "relative"),
    ],
)
def test_the_innermost_mount_decides(guest: str, host: str) -> None:
    assert TRANSLATION.path(guest) == host


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/opt/bin:/usr/bin:/var/task", "/srv/layer/bin:/usr/bin:/tmp/code"),
        ("app.handler", "app.handler"),
        ("see /var/task", "see /var/task"),
        ("", ""),
        ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
    ],
)
def test_lists_of_paths_are_rewritten_and_other_text_stays(text: str, rewritten: str) -> None:
    assert TRANSLATION.text(text) == rewritten


@pytest.mark.parametrize("host", ["/tmp/code/x", "/tmp/place/y", "/srv/layer"])
def test_what_is_a_hosts_path_already_stays(host: str) -> None:
    assert TRANSLATION.text(host) == host


def test_a_program_is_rewritten_throughout_and_gets_a_tmpdir() -> None:
    spec = ProcessSpec(
        argv=["/opt/run", "/var/task/x", "-v"],
        environment={"ROOT": "/var/task", "N": "1"},
        cwd="/var/task",
        telemetry=True,
    )
    rewritten = TRANSLATION.process(spec)
    assert list(rewritten.argv) == ["/srv/layer/run", "/tmp/code/x", "-v"]
    assert rewritten.environment == {"ROOT": "/tmp/code", "N": "1", "TMPDIR": "/tmp/place"}
    assert rewritten.cwd == "/tmp/code"
    assert rewritten.telemetry


def test_a_functions_own_tmpdir_goes_before_ours() -> None:
    spec = ProcessSpec(argv=["x"], environment={"TMPDIR": "/tmp/mine"}, cwd="/")
    assert TRANSLATION.process(spec).environment == {"TMPDIR": "/tmp/place/mine"}
