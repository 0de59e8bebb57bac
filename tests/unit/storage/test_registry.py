"""Engines are found by the names their distributions give them."""

import pytest

from lambdad.domain.errors import HostUnfit
from lambdad.storage.registry import engine


@pytest.mark.parametrize(
    ("name", "class_name"), [("sqlite", "SqliteEngine"), ("memory", "MemoryEngine")]
)
def test_our_engines_are_registered(name: str, class_name: str) -> None:
    assert engine(name).__name__ == class_name


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(HostUnfit, match=r"'sqlight'.*memory, sqlite"):
        engine("sqlight")
