"""The catalogue of runtimes."""

from __future__ import annotations

from pathlib import Path

from lambdad.config.sections import RuntimesConfig
from lambdad.runtimes.catalogue import Catalogue


def test_what_is_prepared_too_late_is_left(tmp_path: Path) -> None:
    """A daemon may be stopped while it still looks around."""
    catalogue = Catalogue(RuntimesConfig(), tmp_path)
    catalogue.close()
    catalogue.prepare()
    assert not list(tmp_path.glob("python*"))
