"""JSONPath."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.triggers.json_paths import BadPath, find, value_at

SHOP = {
    "name": "shop",
    "a b": {"c.d": 1},
    "books": [
        {"title": "x", "price": 5, "tags": ["a", "b"]},
        {"title": "y", "price": 10},
        {"title": "z", "price": 15, "sold": True},
    ],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", SHOP),
        ("$.name", "shop"),
        ("name", "shop"),
        ("$['a b']['c.d']", 1),
        ("$.books[1].title", "y"),
        ("$.books[-1].title", "z"),
        ("$.books[*].title", ["x", "y", "z"]),
        ("$.books[0:2].price", [5, 10]),
        ("$.books[0,2].price", [5, 15]),
        ("$..title", ["x", "y", "z"]),
        ("$.books[?(@.price > 7)].title", ["y", "z"]),
        ("$.books[?(@.title == 'x')].price", [5]),
        ("$.books[?(@.sold)].title", ["z"]),
        ("$.books[0].tags[*]", ["a", "b"]),
        ("$.missing", None),
        ("$.books[9]", None),
        ("$.name.more", None),
    ],
)
def test_a_path_leads_to_its_value(path: str, expected: Any) -> None:
    assert value_at(SHOP, path) == expected


@pytest.mark.parametrize("path", ["$.books[", "$.", "$[?(1)]", "$" + ".a" * 1000])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        find(SHOP, path)


def test_a_path_that_visits_too_much_is_refused() -> None:
    wide = [[[0] * 40] * 40] * 40
    with pytest.raises(BadPath, match="visits"):
        find(wide, "$..*..*..*")
