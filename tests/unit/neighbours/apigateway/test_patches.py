"""Patch operations on documents of API Gateway."""

from __future__ import annotations

from typing import Any

import pytest

from lambdad.neighbours.apigateway import stages
from lambdad.neighbours.apigateway.errors import BadRequestException
from lambdad.neighbours.apigateway.patches import EDIT, LIST, REPLACE, Rules, patched
from lambdad.neighbours.apigateway.service import shape

API = Rules(
    shape=shape("RestApi"),
    paths={
        "/binaryMediaTypes/*": EDIT,
        "/description": EDIT,
        "/disableExecuteApiEndpoint": REPLACE,
        "/endpointConfiguration/types/*": EDIT,
        "/endpointConfiguration/vpcEndpointIds": LIST,
        "/minimumCompressionSize": REPLACE,
    },
)
METHOD = Rules(
    shape=shape("Method"),
    paths={"/requestParameters/*": EDIT, "/requestModels/*": EDIT},
    lists_paths=True,
)


def operation(op: str, path: str, value: str | None = None) -> dict[str, str]:
    return {"op": op, "path": path, **({} if value is None else {"value": value})}


@pytest.mark.parametrize(
    ("before", "op", "path", "value", "after"),
    [
        ({}, "replace", "/description", "d", {"description": "d"}),
        ({"description": "d"}, "remove", "/description", None, {}),
        ({}, "replace", "/minimumCompressionSize", "7", {"minimumCompressionSize": 7}),
        (
            {},
            "replace",
            "/disableExecuteApiEndpoint",
            "TRUE",
            {"disableExecuteApiEndpoint": True},
        ),
        (
            {"binaryMediaTypes": ["a/b"]},
            "add",
            "/binaryMediaTypes/c~1d",
            None,
            {"binaryMediaTypes": ["a/b", "c/d"]},
        ),
        (
            {"binaryMediaTypes": ["a/b", "c/d"]},
            "remove",
            "/binaryMediaTypes/a~1b",
            None,
            {"binaryMediaTypes": ["c/d"]},
        ),
        (
            {"endpointConfiguration": {"types": ["EDGE"]}},
            "replace",
            "/endpointConfiguration/types/0",
            "REGIONAL",
            {"endpointConfiguration": {"types": ["REGIONAL"]}},
        ),
        (
            {"endpointConfiguration": {"types": ["EDGE"]}},
            "replace",
            "/endpointConfiguration/types/EDGE",
            "PRIVATE",
            {"endpointConfiguration": {"types": ["PRIVATE"]}},
        ),
        (
            {"endpointConfiguration": {"vpcEndpointIds": ["a"]}},
            "add",
            "/endpointConfiguration/vpcEndpointIds",
            "b",
            {"endpointConfiguration": {"vpcEndpointIds": ["a", "b"]}},
        ),
    ],
)
def test_a_patch_changes_what_its_path_names(
    before: dict[str, Any], op: str, path: str, value: str | None, after: dict[str, Any]
) -> None:
    assert patched(before, [operation(op, path, value)], API) == after


def test_keys_of_a_map_may_have_slashes_and_tildes() -> None:
    operations = [
        operation("add", "/requestModels/application~1json", "Pet"),
        operation("add", "/requestParameters/method.request.header.a~0b", "true"),
    ]
    assert patched({}, operations, METHOD) == {
        "requestModels": {"application/json": "Pet"},
        "requestParameters": {"method.request.header.a~b": True},
    }


def test_the_document_that_is_patched_stays_as_it_is() -> None:
    before = {"binaryMediaTypes": ["a/b"]}
    patched(before, [operation("add", "/binaryMediaTypes/c", None)], API)
    assert before == {"binaryMediaTypes": ["a/b"]}


@pytest.mark.parametrize(
    ("rules", "op", "path", "text"),
    [
        (API, "replace", "/id", "Invalid patch path /id"),
        (API, "add", "/binaryMediaTypes", "Invalid patch path /binaryMediaTypes"),
        (
            API,
            "add",
            "/minimumCompressionSize",
            "Invalid patch operation specified. Must be one of: [replace]",
        ),
        (API, "replace", "", "Invalid patch path null"),
        (
            METHOD,
            "replace",
            "/x",
            (
                "Invalid patch path  '/x' specified for op 'replace'. "
                "Must be one of: [/requestParameters/*, /requestModels/*]"
            ),
        ),
        (
            METHOD,
            "copy",
            "/requestModels/a",
            (
                "Invalid patch path  '/requestModels/a' specified for op 'copy'. "
                "Please choose supported operations"
            ),
        ),
    ],
)
def test_what_cannot_be_patched_is_refused_in_the_words_of_aws(
    rules: Rules, op: str, path: str, text: str
) -> None:
    with pytest.raises(BadRequestException) as refusal:
        patched({}, [operation(op, path, "1")], rules)
    assert refusal.value.message == text


STAGE: dict[str, Any] = {"methodSettings": {}, "deploymentId": "a"}


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/*/*/metrics/enabled", "*/*"),
        ("/pets/cats/GET/metrics/enabled", "pets/cats/GET"),
        ("/~1pets~1{id}/GET/metrics/enabled", "~1pets~1{id}/GET"),
    ],
)
def test_settings_of_a_method_are_kept_under_the_name_they_were_given(path: str, key: str) -> None:
    found = stages.changed(STAGE, [operation("replace", path, "true")])
    assert found["methodSettings"][key]["metricsEnabled"] is True
    assert found["methodSettings"][key]["cacheTtlInSeconds"] == 300
    gone = stages.changed(found, [operation("remove", f"/{key}")])
    assert gone["methodSettings"] == {}


def test_a_canary_is_promoted_by_copying_its_deployment() -> None:
    stage = {**STAGE, "canarySettings": {"deploymentId": "b", "percentTraffic": 10.0}}
    operations = [
        {"op": "copy", "path": "/deploymentId", "from": "/canarySettings/deploymentId"},
        operation("remove", "/canarySettings"),
    ]
    assert stages.changed(stage, operations) == {"methodSettings": {}, "deploymentId": "b"}


def test_a_setting_must_be_of_its_kind() -> None:
    with pytest.raises(BadRequestException):
        stages.changed(STAGE, [operation("replace", "/*/*/throttling/rateLimit", "fast")])
    with pytest.raises(BadRequestException):
        stages.changed(STAGE, [operation("replace", "/*/*/logging/loglevel", "LOUD")])


@pytest.mark.parametrize("value", ["[]", "1", "true", "{", "x"])
def test_an_object_is_replaced_by_an_object_only(value: str) -> None:
    rules = Rules(shape=shape("Integration"), paths={"/tlsConfig": EDIT})
    with pytest.raises(BadRequestException):
        patched({}, [operation("replace", "/tlsConfig", value)], rules)


def test_a_value_of_a_stage_variable_is_needed() -> None:
    stage = {**STAGE, "cacheClusterEnabled": False}
    with pytest.raises(BadRequestException, match="contains invalid characters"):
        stages.settled({**stage, "variables": {"a": None}}, "now")
