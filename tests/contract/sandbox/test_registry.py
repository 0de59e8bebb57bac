"""Choosing a backend by running a program in it, on this host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox.registry import choose
from lambdad.testing.sandbox_contract import descendants


@pytest.mark.root
async def test_auto_takes_native_on_a_host_that_has_all(tmp_path: Path) -> None:
    bystanders = descendants(os.getpid())
    backend, notes = await choose(SandboxConfig(egress=False), tmp_path, SystemClock())
    await backend.close()
    assert backend.name == "native"
    assert notes == []
    assert descendants(os.getpid()) <= bystanders


@pytest.mark.root
async def test_auto_goes_on_to_the_next_and_says_why(tmp_path: Path) -> None:
    # A file where the directory should be: native cannot keep its state.
    (tmp_path / "native").write_text("")
    backend, notes = await choose(SandboxConfig(egress=False), tmp_path, SystemClock())
    await backend.close()
    assert backend.name in ("bwrap", "process")
    assert len(notes) >= 1
    assert notes[0].startswith("native: ")


@pytest.mark.root
async def test_configured_backend_is_not_replaced_by_a_weaker_one(tmp_path: Path) -> None:
    (tmp_path / "native").write_text("")
    with pytest.raises(HostUnfit):
        await choose(SandboxConfig(backend="native"), tmp_path, SystemClock())
