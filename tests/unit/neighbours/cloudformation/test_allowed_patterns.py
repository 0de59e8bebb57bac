"""Patterns of parameters, also of those who wish the daemon ill."""

from __future__ import annotations

import pytest

from lambdad.neighbours.cloudformation import allowed_patterns
from lambdad.neighbours.cloudformation.allowed_patterns import matches
from lambdad.neighbours.cloudformation.errors import ValidationError


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("[a-z]+", "abc", True),
        ("[a-z]+", "abc1", False),
        (r".+@.+\..+", "a@b.c", True),
        (r".+@.+\..+", "a@b", False),
        ("(ab)*", "abab", True),
        ("[+*]{2}", "+*", True),
    ],
)
def test_the_whole_text_has_to_match(pattern: str, text: str, wanted: bool) -> None:
    assert matches(pattern, text) is wanted


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(a|aa){40}b"])
def test_a_pattern_that_takes_for_ever_is_given_up(
    pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowed_patterns, "_SECONDS", 0.3)
    with pytest.raises(ValidationError, match="takes too long to match"):
        matches(pattern, "a" * 60 + "!")


def test_what_is_no_pattern_is_refused() -> None:
    with pytest.raises(ValidationError, match="AllowedPattern"):
        matches("(", "a")
