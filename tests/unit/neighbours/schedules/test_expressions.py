"""Schedule expressions, against a second implementation that looks at every minute."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdad.neighbours.schedules.cron import Cron, InvalidExpression
from lambdad.neighbours.schedules.expressions import parse

DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def fires(expression: str, begin: str, count: int, zone: str = "UTC") -> list[str]:
    parsed = parse(expression, ZoneInfo(zone))
    moment, found = at(begin), []
    for _ in range(count):
        following = parsed.next_after(moment, at(begin))
        if following is None:
            break
        moment = following
        found.append(f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M}")
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 10 * * ? *)", ["2026-01-01T10:00", "2026-01-02T10:00"]),
        ("cron(15 12 ? * MON-FRI 2026)", ["2026-01-01T12:15", "2026-01-02T12:15"]),
        ("cron(0 8 1 * ? *)", ["2026-01-01T08:00", "2026-02-01T08:00"]),
        ("cron(0/30 20-21 ? * FRI *)", ["2026-01-02T20:00", "2026-01-02T20:30"]),
        ("cron(0 0 L * ? *)", ["2026-01-31T00:00", "2026-02-28T00:00"]),
        ("cron(0 0 31W * ? *)", ["2026-01-30T00:00", "2026-03-31T00:00"]),
        ("cron(0 0 1W * ? 2026-2027)", ["2026-01-01T00:00", "2026-02-02T00:00"]),
        ("cron(0 0 ? * 6L *)", ["2026-01-30T00:00", "2026-02-27T00:00"]),
        ("cron(0 0 ? * TUE#5 *)", ["2026-03-31T00:00", "2026-06-30T00:00"]),
        ("cron(0 0 29 2 ? *)", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(5 4 ? * FRI-MON *)", ["2026-01-02T04:05", "2026-01-03T04:05"]),
        ("rate(1 minute)", ["2026-01-01T00:00", "2026-01-01T00:01"]),
        ("rate(2 hours)", ["2026-01-01T01:59", "2026-01-01T03:59"]),
    ],
)
def test_an_expression_means_these_times(expression: str, expected: list[str]) -> None:
    assert fires(expression, "2025-12-31T23:59:00", 2) == expected


def test_the_last_year_ends_a_schedule() -> None:
    assert fires("cron(0 0 1 1 ? 2026)", "2025-06-01T00:00:00", 2) == ["2026-01-01T00:00"]
    assert fires("cron(0 0 30 2 ? 2026)", "2025-06-01T00:00:00", 1) == []


def test_a_skipped_hour_skips_and_a_repeated_one_comes_once() -> None:
    spring = fires("cron(30 2 * * ? *)", "2026-03-07T08:00:00", 2, "America/New_York")
    assert spring == ["2026-03-09T06:30", "2026-03-10T06:30"]
    autumn = fires("cron(30 1 * * ? *)", "2026-11-01T00:00:00", 2, "America/New_York")
    assert autumn == ["2026-11-01T05:30", "2026-11-02T06:30"]


@pytest.mark.parametrize(
    "text",
    [
        "cron(0 10 * * * *)",
        "cron(0 10 ? * ? *)",
        "cron(0 10 * * ?)",
        "cron(60 10 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 0 * ? *)",
        "cron(0 0 ? * 8 *)",
        "cron(0 0 ? * 2#6 *)",
        "cron(0 0 * FOO ? *)",
        "cron(0/0 * * * ? *)",
        "cron(a b c d e f)",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(2 minute)",
        "rate(5 seconds)",
        "rate(-1 minutes)",
        "every day",
        "at(2026-01-01T00:00:00)",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidExpression):
        parse(text)


def item(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    return st.one_of(
        number.map(str),
        st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.tuples(number, st.integers(1, 20)).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        st.tuples(number, number, st.integers(1, 9)).map(
            lambda triple: f"{min(triple[:2])}-{max(triple[:2])}/{triple[2]}"
        ),
        st.integers(1, 9).map(lambda step: f"*/{step}"),
    )


def field(low: int, high: int) -> st.SearchStrategy[str]:
    return st.just("*") | st.lists(item(low, high), min_size=1, max_size=3).map(",".join)


DAY_FIELDS = st.one_of(
    field(1, 31).map(lambda text: (text, "?")),
    st.just(("L", "?")),
    st.integers(1, 31).map(lambda day: (f"{day}W", "?")),
    field(1, 7).map(lambda text: ("?", text)),
    st.integers(1, 7).map(lambda day: ("?", f"{day}L")),
    st.tuples(st.integers(0, 6), st.integers(1, 5)).map(
        lambda pair: ("?", f"{DAYS[pair[0]]}#{pair[1]}")
    ),
)


def means(text: str, value: int, low: int) -> bool:
    for each in text.split(","):
        body, _, step = each.partition("/")
        first, _, last = body.partition("-")
        begin = low if first == "*" else int(first)
        end = int(last) if last else (10**6 if step or first == "*" else begin)
        if begin <= value <= end and (value - begin) % int(step or 1) == 0:
            return True
    return False


def naive_day(day_of_month: str, day_of_week: str, moment: datetime) -> bool:  # noqa: PLR0911
    """Decide from the day alone, by walking to its neighbours."""
    one = timedelta(days=1)
    weekday = moment.isoweekday() % 7 + 1
    if day_of_month == "L":
        return (moment + one).month != moment.month
    if day_of_month.endswith("W"):
        wanted = int(day_of_month[:-1])
        if wanted > calendar.monthrange(moment.year, moment.month)[1] or weekday in (1, 7):
            return False
        days = [moment.replace(day=wanted) + one * n for n in (0, -1, 1, -2, 2)]
        near = [d for d in days if d.isoweekday() < 6 and d.month == moment.month]
        return near[0].day == moment.day
    if day_of_week == "?":
        return means(day_of_month, moment.day, 1)
    if day_of_week.endswith("L"):
        return weekday == int(day_of_week[:-1]) and (moment + 7 * one).month != moment.month
    if "#" in day_of_week:
        name, which = day_of_week.split("#")
        return DAYS[weekday - 1] == name and (moment.day - 1) // 7 + 1 == int(which)
    return means(day_of_week, weekday, 1)


@settings(max_examples=150, deadline=None)
@given(
    field(0, 59),
    field(0, 23),
    DAY_FIELDS,
    field(1, 12),
    st.datetimes(datetime(2023, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - on a wall
)
def test_the_next_time_is_the_first_minute_that_fits(
    minutes: str, hours: str, days: tuple[str, str], months: str, begin: datetime
) -> None:
    cron = Cron.parse(f"{minutes} {hours} {days[0]} {months} {days[1]} *")
    end = begin + timedelta(days=40)
    found = next(cron.after(begin), None)
    moment = begin.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while moment < end:
        fits = means(months, moment.month, 1) and naive_day(*days, moment)
        if not fits:
            moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
            continue
        if means(hours, moment.hour, 0) and means(minutes, moment.minute, 0):
            break
        moment += timedelta(minutes=1)
    if moment < end:
        assert found == moment
    else:
        assert found is None or found >= end
