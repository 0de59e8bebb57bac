"""Every setting is documented, and the committed page is the current one."""

from pathlib import Path

import pytest

from lambdad.config.document import configuration_page
from lambdad.config.keys import keys

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_is_current() -> None:
    expected = configuration_page()
    assert PAGE.read_text() == expected, (
        "run: .venv/bin/python -m lambdad.config.document > docs/configuration.md"
    )


@pytest.mark.parametrize("name", keys())
def test_every_key_has_words(name: str) -> None:
    assert keys()[name].words, f"add {name} to the Attributes of its section"


@pytest.mark.parametrize("name", keys())
def test_every_duration_and_size_names_its_unit(name: str) -> None:
    units = {"_s": "seconds", "_bytes": "bytes", "_mb": "MiB"}
    for suffix, unit in units.items():
        if name.endswith(suffix):
            assert unit in keys()[name].words
