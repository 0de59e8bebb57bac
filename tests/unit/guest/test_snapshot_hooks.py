"""Hooks of functions: by whose module they are registered, and in which order they run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lambdad.guest.python import snapshot_hooks, snapshot_restore_py

NAME = snapshot_hooks.MODULE


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports and offers is gone behind it."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    # AWS's package may be there, as a dependency of others.
    monkeypatch.setattr(sys, "path", [each for each in sys.path if "site-packages" not in each])
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12")
    yield
    sys.modules.pop(NAME, None)


def imported() -> ModuleType:
    importlib.invalidate_caches()
    return importlib.import_module(NAME)


def test_hooks_run_in_their_order_with_their_arguments() -> None:
    snapshot_hooks.offer()
    module = imported()
    ran: list[object] = []

    @module.register_before_snapshot
    def first() -> None:
        ran.append("first")

    module.register_before_snapshot(ran.append, "last")
    module.register_after_restore(lambda *args, **named: ran.append((args, named)), 1, two=2)
    module.register_after_restore(ran.append, "end")
    assert first.__name__ == "first", "it can be a decorator"
    snapshot_hooks.before()
    assert ran == ["last", "first"]
    for _ in range(2):
        del ran[:]
        snapshot_hooks.after()
        assert ran == [((1,), {"two": 2}), "end"]


def test_a_function_that_imports_nothing_has_no_hooks() -> None:
    snapshot_hooks.offer()
    snapshot_hooks.before()
    snapshot_hooks.after()
    assert NAME not in sys.modules


def test_a_package_that_the_function_brings_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{NAME}.py").write_text(
        "ran, hooks = [], []\n"
        "hooks.append((ran.append, ('theirs',), {}))\n"
        "def get_before_snapshot(): return hooks\n"
    )
    # `syspath_prepend` would end by putting back what the fixture has made of the path.
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    snapshot_hooks.offer()
    theirs = imported()
    snapshot_hooks.before()
    assert theirs.ran == ["theirs"]


@pytest.mark.parametrize(
    ("environment", "offered"),
    [
        ("AWS_Lambda_python3.12", True),
        ("AWS_Lambda_python3.14", True),
        ("AWS_Lambda_python3.11", False),
        ("", False),
    ],
)
def test_it_is_there_where_aws_has_it(
    monkeypatch: pytest.MonkeyPatch, environment: str, offered: bool
) -> None:
    monkeypatch.setenv("AWS_EXECUTION_ENV", environment)
    snapshot_hooks.offer()
    if offered:
        assert imported().__file__ == snapshot_restore_py.__file__
    else:
        with pytest.raises(ModuleNotFoundError):
            imported()
