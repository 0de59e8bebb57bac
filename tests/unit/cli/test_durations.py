from datetime import UTC, datetime, timedelta

import pytest

from lambdad.cli.durations import parse_moment

NOW = datetime(2025, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        (" 2h ", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("1w", timedelta(days=7)),
    ],
)
def test_a_duration_counts_back_from_now(text, ago):
    assert parse_moment(text, NOW) == NOW - ago


def test_a_time_without_zone_is_utc():
    assert parse_moment("2025-11-24T10:00:00", NOW) == NOW - timedelta(hours=2)


def test_a_time_with_zone_keeps_its_instant():
    assert parse_moment("2025-11-24T13:00:00+01:00", NOW) == NOW


@pytest.mark.parametrize("text", ["", "m", "-10m", "10y", "ten minutes", "٣m"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the message is datetime's
        parse_moment(text, NOW)
