"""Line plots as SVG: axes in powers of ten or linear, one line for each name, nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 40, 50
# Okabe and Ito: told apart by people who do not see all colours, too.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where values lie, from `low` to `high`, between two ends in pixels; logarithmic or not."""

    low: float
    high: float
    begin: float
    end: float
    powers: bool

    def place(self, value: float) -> float:
        low, high, value = (
            (math.log10(each) for each in (self.low, self.high, value))
            if self.powers
            else (self.low, self.high, value)
        )
        return self.begin + (value - low) / (high - low) * (self.end - self.begin)

    def ticks(self) -> list[float]:
        if self.powers:
            first, last = (round(math.log10(each)) for each in (self.low, self.high))
            return [10.0**power for power in range(first, last + 1)]
        return [self.low + (self.high - self.low) * part / 5 for part in range(6)]


def _powers(values: Sequence[float], begin: float, end: float) -> _Axis:
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)
    return _Axis(10.0**low, 10.0**high, begin, end, powers=True)


def _linear(values: Sequence[float], begin: float, end: float) -> _Axis:
    most = max(values) * 1.1
    step = 10 ** math.floor(math.log10(most)) / 2
    return _Axis(0, math.ceil(most / step) * step, begin, end, powers=False)


def line_plot(
    title: str, x_label: str, y_label: str, lines: Mapping[str, Points], *, powers: bool
) -> str:
    """Return an SVG document; x in powers of ten, y too if `powers`. All values above 0."""
    points = [point for line in lines.values() for point in line]
    x_axis = _powers([x for x, _ in points], _LEFT, _WIDTH - _RIGHT)
    scale = _powers if powers else _linear
    y_axis = scale([y for _, y in points], _HEIGHT - _BOTTOM, _TOP)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            'font-family="sans-serif" font-size="12">'
        ),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 22, title, size=15),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, x_label, anchor="middle"),
        (
            f'<text x="16" y="{_HEIGHT / 2}" text-anchor="middle" '
            f'transform="rotate(-90 16 {_HEIGHT / 2})">{escape(y_label)}</text>'
        ),
        *_grid(x_axis, y_axis),
    ]
    for number, (name, line) in enumerate(lines.items()):
        parts += _line(name, line, number, x_axis, y_axis)
    return "\n".join([*parts, "</svg>\n"])


def _grid(x_axis: _Axis, y_axis: _Axis) -> list[str]:
    parts = []
    for tick in x_axis.ticks():
        x = x_axis.place(tick)
        parts.append(_stroke([(x, y_axis.begin), (x, y_axis.end)], "#dddddd", 1))
        parts.append(_text(x, y_axis.begin + 18, f"{tick:,.10g}", anchor="middle"))
    for tick in y_axis.ticks():
        y = y_axis.place(tick)
        parts.append(_stroke([(x_axis.begin, y), (x_axis.end, y)], "#dddddd", 1))
        parts.append(_text(x_axis.begin - 6, y + 4, f"{tick:,.10g}", anchor="end"))
    return parts


def _line(name: str, line: Points, number: int, x_axis: _Axis, y_axis: _Axis) -> list[str]:
    colour = _COLOURS[number % len(_COLOURS)]
    places = [(x_axis.place(x), y_axis.place(y)) for x, y in line]
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    legend_y = _TOP + 8 + 20 * number
    legend_x = _WIDTH - _RIGHT + 12
    key = _stroke([(legend_x, legend_y - 4), (legend_x + 16, legend_y - 4)], colour, 3)
    return [_stroke(places, colour, 2), *dots, key, _text(legend_x + 22, legend_y, name)]


def _stroke(places: Points, colour: str, width: int) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place}>{escape(text)}</text>"
