"""The catalogue of runtimes."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from lambdad.config.sections import RuntimesConfig
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.catalogue import Catalogue
from lambdad.runtimes.installations import Installation
from lambdad.runtimes.python import PythonProvider


def test_what_is_prepared_too_late_is_left(tmp_path: Path) -> None:
    """A daemon may be stopped while it still looks around."""
    catalogue = Catalogue(RuntimesConfig(), tmp_path)
    catalogue.close()
    catalogue.prepare()
    assert not list(tmp_path.glob("python*"))


class _Slow:
    """Stands in for one runtime, and for how long it takes to prepare it."""

    def __init__(self) -> None:
        self.begun, self.done = threading.Event(), threading.Event()
        self.answered = False

    def __call__(self, installation: Installation) -> Path:
        self.begun.set()
        self.answered = self.done.wait(20)
        raise HostUnfit("It was slow.", "")


def test_one_version_does_not_wait_for_another(tmp_path: Path) -> None:
    own = f"python3.{sys.version_info.minor}"
    catalogue = Catalogue(RuntimesConfig(fallback=True), tmp_path)
    first = catalogue.find(own)
    # Another identifier, that the same interpreter stands in for if need be.
    other = "python3.13" if own != "python3.13" else "python3.12"
    provider = catalogue._provider(own)
    slow = _Slow()
    assert isinstance(provider, PythonProvider)
    provider._sdk.site_packages = slow  # type: ignore[method-assign]

    def fail() -> None:
        with pytest.raises(HostUnfit, match="slow"):
            catalogue.find(other)

    failing = threading.Thread(target=fail)
    failing.start()
    assert slow.begun.wait(20)
    try:
        assert catalogue.find(own) is first
        assert provider.locate(other)
    finally:
        slow.done.set()
        failing.join()
        catalogue.close()
    assert slow.answered


def test_what_is_asked_for_goes_before_what_might_be(tmp_path: Path) -> None:
    """Preparing ahead begins with the version that lambdad itself has, and then rests."""
    own = f"python3.{sys.version_info.minor}"
    catalogue = Catalogue(RuntimesConfig(), tmp_path)
    found: list[str] = []
    provider = catalogue._provider(own)

    def find(identifier: str) -> Runtime:
        found.append(identifier)
        raise HostUnfit("Enough.", "")

    provider.find = find  # type: ignore[method-assign]
    with pytest.raises(HostUnfit, match="Enough"):
        catalogue.prepare()
    assert found == [own]
    catalogue.close()
