"""Levels of a function's own lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.observability.levels import LEVELS, Claims, admits, claims_of, credible

NOW_MS = 1_764_000_000_000


@pytest.mark.parametrize(
    ("minimum", "level", "kept"),
    [
        ("INFO", "DEBUG", False),
        ("INFO", "INFO", True),
        ("INFO", None, True),
        ("WARN", None, False),
        ("FATAL", "ERROR", False),
        ("TRACE", "TRACE", True),
        (None, "DEBUG", False),
        (None, "WARN", True),
    ],
)
def test_a_line_is_kept_from_its_level_on(minimum: str, level: str, kept: bool) -> None:
    assert admits(minimum, level) is kept


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("plain text\n", "INFO"),
        ('{"level": "debug"}\n', "DEBUG"),
        ('{"level": "Error", "message": "m"}', "ERROR"),
        ('{"level": "verbose"}', "INFO"),
        ('{"level": 4}', "INFO"),
        ('{"message": {"level": "ERROR"}}', "INFO"),
        ('["level", "ERROR"]', "INFO"),
        ('{"level": "ERROR"', "INFO"),
        ("{" * 100_000 + "}", "INFO"),
    ],
)
def test_a_json_object_says_its_level(line: str, level: str) -> None:
    assert claims_of(line).level == level


@pytest.mark.parametrize(
    ("text", "timestamp_ms"),
    [
        ("2025-11-24T16:00:00.123Z", NOW_MS + 123),
        ("2025-11-24T17:00:00+01:00", NOW_MS),
        ("2025-11-24T16:00:00", None),
        ("yesterday", None),
        (NOW_MS, None),
    ],
)
def test_a_json_object_says_its_time(text: object, timestamp_ms: int | None) -> None:
    assert claims_of(json.dumps({"timestamp": text})).timestamp_ms == timestamp_ms


def test_a_time_that_cannot_be_is_the_present() -> None:
    assert credible(NOW_MS - 1000, NOW_MS) == NOW_MS - 1000
    assert credible(0, NOW_MS) == credible(None, NOW_MS) == NOW_MS


@given(st.text())
def test_no_line_breaks_it(line: str) -> None:
    claims = claims_of(line)
    assert isinstance(claims, Claims)
    assert claims.level in LEVELS
