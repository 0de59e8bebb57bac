"""The native backend on this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.clock import SystemClock
from lambdad.sandbox.base import SandboxBackend
from lambdad.sandbox.registry import backend
from lambdad.testing.sandbox_contract import SandboxContract

pytestmark = pytest.mark.root


class TestNative(SandboxContract):
    def make_backend(self, state_dir: Path) -> SandboxBackend:
        return backend("native")(SandboxConfig(egress=False), state_dir, SystemClock())
