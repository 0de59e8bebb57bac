"""Which backend is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from lambdad.config.sections import SandboxConfig
from lambdad.domain.errors import HostUnfit
from lambdad.sandbox import registry
from lambdad.testing.clock import FakeClock


@pytest.mark.parametrize("name", registry.PREFERENCE)
def test_own_backends_are_found_by_name(name: str, tmp_path: Path) -> None:
    made = registry.backend(name)(SandboxConfig(), tmp_path, FakeClock())
    assert made.name == name


def test_unknown_backend_is_refused_with_the_known_ones() -> None:
    with pytest.raises(HostUnfit, match="bwrap, native, process"):
        registry.backend("docker")
