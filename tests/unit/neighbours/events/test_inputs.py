"""What targets get of an event, by InputPath and InputTransformer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambdad.neighbours.events import inputs

EVENT: dict[str, Any] = {
    "id": "7",
    "detail": {"who": 'a"b', "n": 1.5, "list": [{"x": [1, 2]}, "y"], "none": None, "o": {"k": "v"}},
}


def render(**target: Any) -> str:
    return inputs.render(
        target, EVENT, rule_arn="arn:rule", rule_name="r", ingested="2026-01-01T00:00:00Z"
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", EVENT),
        ("$.detail.n", 1.5),
        ("$.detail.list[0].x[1]", 2),
        ("$.detail['who']", 'a"b'),
        ("$.detail.none", None),
        ("$.detail.o", {"k": "v"}),
        ("$.detail.missing", {}),
        ("$.detail.list[9]", {}),
    ],
)
def test_a_path_leads_to_a_part(path: str, value: Any) -> None:
    assert inputs.is_path(path)
    assert json.loads(render(InputPath=path)) == value


@pytest.mark.parametrize("path", ["detail", "$.", "$..a", "$.a b", "$[a]", ""])
def test_other_texts_are_no_paths(path: str) -> None:
    assert not inputs.is_path(path)


PATHS = {
    "who": "$.detail.who",
    "n": "$.detail.n",
    "o": "$.detail.o",
    "list": "$.detail.list",
    "no": "$.detail.no",
}


@pytest.mark.parametrize(
    ("template", "payload"),
    [
        ('{"a": <who>, "b": <n>, "c": <o>}', '{"a": "a\\"b", "b": 1.5, "c": {"k":"v"}}'),
        ('"<who> has <n> of <o>"', '"a\\"b has 1.5 of {k:v}"'),
        ('{"a": <no>, "b": "<no>"}', '{"a": "", "b": ""}'),
        ("[<list>]", '[[{"x":[1,2]},"y"]]'),
        ("plain <who>, <n>", 'plain a"b, 1.5'),
        (
            '{"r": <aws.events.rule-arn>, "n": "<aws.events.rule-name>"}',
            '{"r": "arn:rule", "n": "r"}',
        ),
        ('{"e": <aws.events.event>}', '{"e": {"id":"7"}}'),
        ('{"<who>": 1}', '{"a\\"b": 1}'),
        ('{"q": "\\"<n>\\""}', '{"q": "\\"1.5\\""}'),
    ],
)
def test_a_template_takes_values_as_json_and_into_strings(template: str, payload: str) -> None:
    assert render(InputTransformer={"InputPathsMap": PATHS, "InputTemplate": template}) == payload
