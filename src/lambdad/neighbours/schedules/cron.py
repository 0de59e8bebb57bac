"""`cron(minutes hours day-of-month month day-of-week year)`: AWS's six fields. Pure.

Decides which texts are expressions and which minutes they mean; a time here has no zone. What
becomes of times that a zone's clocks skip or repeat is decided in `expressions`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ITEM = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)
_SATURDAY, _SUNDAY = 6, 0


class InvalidExpression(ValueError):
    """The text is no schedule expression."""


@dataclass(frozen=True, slots=True)
class _Field:
    low: int
    high: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> frozenset[int]:
        """Return the numbers that a list of items means."""
        return frozenset(value for item in text.split(",") for value in self._item(item))

    def number(self, text: str) -> int:
        """Return the number of a number or a name.

        Raises:
            InvalidExpression: it is neither, or out of range.
        """
        if text.upper() in self.names:
            return self.names.index(text.upper()) + self.low
        value = int(text) if text.isdecimal() and len(text) <= 4 else -1
        if not self.low <= value <= self.high:
            raise InvalidExpression(f"{text} is not between {self.low} and {self.high}")
        return value

    def _item(self, item: str) -> Iterator[int]:
        match = _ITEM.fullmatch(item)
        if match is None:
            raise InvalidExpression(f"{item} is no value, range or step")
        every, first, last, step = match.groups()
        begin = self.low if every else self.number(first)
        open_end = self.high if every or step else begin
        end = self.number(last) if last else open_end
        stride = int(step) if step else 1
        if stride < 1:
            raise InvalidExpression(f"{item} has no step")
        if end >= begin:
            return iter(range(begin, end + 1, stride))
        # FRI-MON goes over the end of the week.
        width = self.high - self.low + 1
        values = range(begin, end + width + 1, stride)
        return ((value - self.low) % width + self.low for value in values)


_MINUTES, _HOURS = _Field(0, 59), _Field(0, 23)
_DAY_OF_MONTH, _MONTH = _Field(1, 31), _Field(1, 12, _MONTHS)
_DAY_OF_WEEK, _YEAR = _Field(1, 7, _DAYS), _Field(1970, 2199)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression."""

    minutes: Sequence[int]
    hours: Sequence[int]
    months: frozenset[int]
    years: Sequence[int]
    day_of_month: str
    day_of_week: str

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read the six fields between the parentheses.

        Raises:
            InvalidExpression: they are no expression of EventBridge's.
        """
        fields = text.split()
        if len(fields) != 6:
            raise InvalidExpression("there must be six fields")
        minutes, hours, day_of_month, month, day_of_week, year = fields
        if (day_of_month == "?") == (day_of_week == "?"):
            raise InvalidExpression("one of day-of-month and day-of-week must be ?")
        cron = cls(
            sorted(_MINUTES.values(minutes)),
            sorted(_HOURS.values(hours)),
            _MONTH.values(month),
            sorted(_YEAR.values(year)),
            day_of_month.upper(),
            day_of_week.upper(),
        )
        cron.days(2024, 1)  # the day fields are read here, so they are checked here
        return cron

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the minutes after a moment, in order, for ever or to the last year."""
        begin = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for year in self.years:
            if year < begin.year:
                continue
            for month in sorted(self.months):
                if (year, month) >= (begin.year, begin.month):
                    yield from self._in_month(year, month, begin)

    def _in_month(self, year: int, month: int, begin: datetime) -> Iterator[datetime]:
        for day in sorted(self.days(year, month)):
            on = date(year, month, day)
            if on < begin.date():
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    found = datetime.combine(on, time(hour, minute))
                    if found >= begin:
                        yield found

    def days(self, year: int, month: int) -> set[int]:
        """Return the days of a month that the expression means."""
        last = calendar.monthrange(year, month)[1]
        if self.day_of_week == "?":
            found = {
                day
                for item in self.day_of_month.split(",")
                for day in _days_of_month(item, year, month, last)
            }
        else:
            found = {
                day
                for item in self.day_of_week.split(",")
                for day in _days_of_week(item, year, month, last)
            }
        return {day for day in found if 1 <= day <= last}


def _weekday(year: int, month: int, day: int) -> int:
    """Return 0 for Sunday to 6 for Saturday."""
    return date(year, month, day).isoweekday() % 7


def _days_of_month(item: str, year: int, month: int, last: int) -> set[int]:
    if item == "L":
        return {last}
    if item == "LW":
        return {_working_day(year, month, last, last)}
    if item.endswith("W"):
        day = _DAY_OF_MONTH.number(item[:-1])
        return {_working_day(year, month, day, last)} if day <= last else set()
    return set(_DAY_OF_MONTH.values(item))


def _working_day(year: int, month: int, day: int, last: int) -> int:
    """Return the working day next to a day, in the same month."""
    weekday = _weekday(year, month, day)
    if weekday == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == _SUNDAY:
        return day + 1 if day < last else day - 2
    return day


def _days_of_week(item: str, year: int, month: int, last: int) -> set[int]:
    name, hashed, which = item.partition("#")
    if hashed:
        if which not in ("1", "2", "3", "4", "5"):
            raise InvalidExpression(f"{item}: there are five weeks in a month")
        wanted = _DAY_OF_WEEK.number(name) - 1
        first = 1 + (wanted - _weekday(year, month, 1)) % 7
        return {first + 7 * (int(which) - 1)}
    if item != "L" and item.endswith("L"):
        wanted = _DAY_OF_WEEK.number(item[:-1]) - 1
        return {last - (_weekday(year, month, last) - wanted) % 7}
    wanted_days = {7} if item == "L" else _DAY_OF_WEEK.values(item)
    return {day for day in range(1, last + 1) if _weekday(year, month, day) + 1 in wanted_days}
