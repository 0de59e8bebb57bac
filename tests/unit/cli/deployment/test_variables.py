"""Variables of the Serverless Framework stand for what version 3 says."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.cli.deployment.variables import Variables
from lambdad.cli.errors import Failure

DOCUMENT = {
    "service": "shop",
    "provider": {"stage": "${opt:stage, 'dev'}", "region": "eu-west-1"},
    "custom": {
        "name": "${self:service}-${self:provider.stage}",
        "sizes": {"dev": 128, "prod": 1024},
        "size": "${self:custom.sizes.${self:provider.stage}}",
        "list": ["a", "b"],
        "first": "${self:custom.first}",
        "ping": "${self:custom.pong}",
        "pong": "${self:custom.ping}",
    },
}


def resolve(text: str, **options: str) -> Any:
    sources = {
        "opt": lambda _, name: options.get(name),
        "env": lambda _, name: {"HOME": "/root"}.get(name),
        "file": lambda path, address: {"./a.json:b": 7, "./a.json:": {"b": 7}}.get(
            f"{path}:{address}"
        ),
    }
    return Variables(DOCUMENT, sources).resolve(text, "here")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${self:service}", "shop"),
        ("${self:custom.name}-x", "shop-dev-x"),
        ("${self:custom.size}", 128),
        ("${self:custom.sizes}", {"dev": 128, "prod": 1024}),
        ("${self:custom.list.1}", "b"),
        ("${opt:none, 'fallback'}", "fallback"),
        ("${opt:none, opt:neither, self:service}", "shop"),
        ('${opt:none, "with, comma"}', "with, comma"),
        ("${opt:none, ''}", ""),
        ("${opt:none, 5}", 5),
        ("${opt:none, true}", True),
        ("${opt:none, null}", None),
        ("${env:HOME}/x", "/root/x"),
        ("${file(./a.json):b}", 7),
        ("${file(./a.json)}", {"b": 7}),
        ("${strToBool(true)}", True),
        ("${strToBool(${opt:none, '0'})}", False),
        ("${AWS::Region}-${self:service}", "${AWS::Region}-shop"),
        ("${NotAVariable}", "${NotAVariable}"),
    ],
)
def test_what_a_variable_stands_for(text: str, value: Any) -> None:
    assert resolve(text) == value


def test_an_option_reaches_what_depends_on_it() -> None:
    assert resolve("${self:custom.size}", stage="prod") == 1024


def test_keys_and_lists_are_resolved_too() -> None:
    found = Variables(DOCUMENT, {}).resolve({"${self:service}": ["${self:provider.region}"]})
    assert found == {"shop": ["eu-west-1"]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${opt:none}", r"here: \$\{opt:none\} has no value"),
        ("${vault:secret}", "there is no source 'vault'"),
        ("${self:custom.first}", "Variables need one another"),
        ("${self:custom.ping}", "Variables need one another"),
        ("x ${self:custom.sizes}", "is no text"),
        ("${strToBool(maybe)}", "neither true nor false"),
    ],
)
def test_what_has_no_value_is_said(text: str, reason: str) -> None:
    with pytest.raises(Failure, match=reason):
        resolve(text)
