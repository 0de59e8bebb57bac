"""Which program of an image starts, looked for from outside without leaving the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdad.dataplane.entrypoints import NoEntrypoint, command_in, inside

SEARCH = "/usr/local/bin:/bin"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "app").mkdir()
    (root / "bin").symlink_to("usr/bin")
    for place, mode in (("usr/bin/program", 0o755), ("app/run", 0o755), ("app/text", 0o644)):
        (root / place).write_text("#!/bin/sh\n")
        (root / place).chmod(mode)
    (root / "app/other").write_text("what is this")
    (root / "app/other").chmod(0o755)
    return root


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (("program", "x"), ("/bin/program", "x")),
        (("/usr/bin/program",), ("/usr/bin/program",)),
        (("./run",), ("/app/run",)),
        (("../bin/program",), ("/app/../bin/program",)),
    ],
)
def test_programs_are_found_as_a_shell_finds_them(
    root: Path, argv: tuple[str, ...], found: tuple[str, ...]
) -> None:
    assert command_in(root, argv, "/app", SEARCH) == found


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ((), "exec: no command: the image has neither ENTRYPOINT nor CMD"),
        (("absent",), 'exec: "absent": executable file not found in $PATH'),
        (("/absent",), "fork/exec /absent: no such file or directory"),
        (("/app/text",), "fork/exec /app/text: permission denied"),
        (("/app",), "fork/exec /app: permission denied"),
        (("/app/other",), "fork/exec /app/other: exec format error"),
    ],
)
def test_what_cannot_start_is_said_as_aws_says_it(
    root: Path, argv: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(NoEntrypoint) as refusal:
        command_in(root, argv, "/app", SEARCH)
    assert refusal.value.reason == reason
    assert refusal.value.error_type == "Runtime.InvalidEntrypoint"


def test_a_directory_that_is_not_there_is_another_error(root: Path) -> None:
    with pytest.raises(NoEntrypoint) as refusal:
        command_in(root, ("program",), "/absent", SEARCH)
    assert refusal.value.error_type == "Runtime.InvalidWorkingDir"


def test_links_are_followed_inside_and_never_out(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    (root / "up").symlink_to("../../../secret")
    (root / "absolute").symlink_to(tmp_path / "secret")
    (root / "circle").symlink_to("circle")
    (root / "to-app").symlink_to("/app")
    (root / "chain").symlink_to("up/../to-app")
    assert inside(root, "/up") is None
    assert inside(root, "/absolute") is None
    assert inside(root, "/circle") is None
    assert inside(root, "/to-app/run") == root / "app/run"
    assert inside(root, "/../../app") == root / "app"
    assert inside(root, "/") == root
