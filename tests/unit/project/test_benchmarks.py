"""What the benchmarks conclude from figures."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from benchmarks.plots import line_plot
from benchmarks.revisions import rank_sum_chance


def test_two_samples_that_do_not_overlap_differ_by_more_than_chance() -> None:
    assert rank_sum_chance([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]) == pytest.approx(2 / 252)
    assert rank_sum_chance([6, 7, 8, 9, 10], [1, 2, 3, 4, 5]) == pytest.approx(2 / 252)


def test_mixed_and_equal_samples_do_not_differ() -> None:
    assert rank_sum_chance([1, 4, 5, 8, 9], [2, 3, 6, 7, 10]) > 0.5
    assert rank_sum_chance([1, 1, 1, 1, 1], [1, 1, 1, 1, 1]) == 1


def test_three_rounds_could_never_tell() -> None:
    assert rank_sum_chance([1, 2, 3], [4, 5, 6]) == pytest.approx(0.1)


@pytest.mark.parametrize("powers", [True, False])
def test_a_plot_has_every_point_within_its_frame(powers: bool) -> None:
    lines = {"a < b": [(1, 10), (32, 20_000)], "c": [(8, 0.5)]}
    svg = line_plot("t & u", "x", "y", lines, powers=powers)
    document = ET.fromstring(svg)  # noqa: S314 - our own
    dots = [each for each in document if each.tag.endswith("circle")]
    assert len(dots) == 3
    for dot in dots:
        assert 70 <= float(dot.attrib["cx"]) <= 530
        assert 40 <= float(dot.attrib["cy"]) <= 350
