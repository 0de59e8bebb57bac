"""Parameters have the types of their shapes, and what has another type is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdad.protocol.errors import MalformedRequest
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.model import load_service
from lambdad.protocol.parser import parse


def parsed(operation: str, document: object, service: str = "lambda") -> dict[str, Any]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    model = load_service(service).operation_model(operation)
    return parse(model, HttpRequest(method="POST", path="/", body=body), {})


def test_the_payload_of_an_invocation_is_never_looked_into() -> None:
    operation = load_service("lambda").operation_model("Invoke")
    for payload in (b"{not json", b"\xff\0", b"null"):
        request = HttpRequest(method="POST", path="/", body=payload)
        assert parse(operation, request, {"FunctionName": "f"})["Payload"] == payload
    empty = HttpRequest(method="POST", path="/")
    assert parse(operation, empty, {"FunctionName": "f"}) == {"FunctionName": "f"}


def test_unknown_members_are_ignored_and_null_is_absent() -> None:
    document = {"FunctionName": "f", "Mystery": [1], "Handler": None, "Code": {"ZipFile": None}}
    assert parsed("CreateFunction", document) == {"FunctionName": "f", "Code": {}}
    assert parsed("CreateFunction", b"") == {}


def test_null_elements_stay_for_the_validator() -> None:
    assert parsed("CreateFunction", {"Layers": [None, "x"], "Tags": {"a": None}}) == {
        "Layers": [None, "x"],
        "Tags": {"a": None},
    }


def test_times_are_aware_and_in_utc() -> None:
    document = {"StartingPositionTimestamp": 1_700_000_000.5}
    expected = datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    assert parsed("CreateEventSourceMapping", document)["StartingPositionTimestamp"] == expected
    for text in ("2023-11-14T22:13:20.5Z", "2023-11-14T23:13:20.500+01:00"):
        document = {"StartingPositionTimestamp": text}  # type: ignore[dict-item]
        found = parsed("CreateEventSourceMapping", document)["StartingPositionTimestamp"]
        assert found == expected
        assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"MemorySize": "128"}, "STRING_VALUE can not be converted to an Integer"),
        ({"MemorySize": True}, "TRUE_VALUE can not be converted to an Integer"),
        ({"MemorySize": 1.5}, "NUMBER_VALUE can not be converted to an Integer"),
        ({"MemorySize": 2**31}, "A number is out of the range of an Integer"),
        ({"FunctionName": 1}, "NUMBER_VALUE can not be converted to a String"),
        ({"FunctionName": ["a"]}, "START_ARRAY can not be converted to a String"),
        ({"Publish": "true"}, "STRING_VALUE can not be converted to a Boolean"),
        ({"Code": {"ZipFile": "???"}}, "STRING_VALUE is not base64: it can not be a Blob"),
        ({"Code": "x"}, "Unexpected STRING_VALUE: a structure was expected"),
        ({"Layers": "x"}, "Unexpected STRING_VALUE: a list was expected"),
        ({"Tags": []}, "Unexpected START_ARRAY: a map was expected"),
        ([], "Unexpected token: a structure was expected"),
        (b"{", "The request body is not well-formed JSON."),
        (b'{"MemorySize": NaN}', "The request body is not well-formed JSON."),
        (b"\xff", "The request body is not UTF-8."),
        (b"[" * 100_000, "The request body nests too deep."),
        (b'{"FunctionName": "\\ud800"}', "A String must not contain half of a surrogate pair"),
        (b'{"MemorySize": ' + b"9" * 5_000 + b"}", "The request body is not well-formed JSON."),
    ],
)
def test_wrong_types_are_refused(document: object, message: str) -> None:
    with pytest.raises(MalformedRequest) as refused:
        parsed("CreateFunction", document)
    assert refused.value.message == message
    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)


def test_a_time_out_of_range_is_refused() -> None:
    for value in (1e300, "yesterday", -1e15):
        with pytest.raises(MalformedRequest):
            parsed("CreateEventSourceMapping", {"StartingPositionTimestamp": value})


def test_query_parameters_have_types_too() -> None:
    operation = load_service("lambda").operation_model("ListFunctions")
    request = HttpRequest(method="GET", path="/", query="MaxItems=5&Marker=a%26b&Other=1")
    assert parse(operation, request, {}) == {"MaxItems": 5, "Marker": "a&b"}
    with pytest.raises(MalformedRequest):
        parse(operation, HttpRequest(method="GET", path="/", query="MaxItems=five"), {})


def test_repeated_query_parameters_are_a_list() -> None:
    operation = load_service("lambda").operation_model("UntagResource")
    request = HttpRequest(method="DELETE", path="/", query="tagKeys=a&tagKeys=b")
    assert parse(operation, request, {"Resource": "r"}) == {"Resource": "r", "TagKeys": ["a", "b"]}


def test_lists_of_forms_are_ordered_by_number() -> None:
    body = b"Action=AssumeRole&Tags.member.10.Key=b&Tags.member.2.Key=a&DurationSeconds=900"
    assert parsed("AssumeRole", body, "sts") == {
        "Tags": [{"Key": "a"}, {"Key": "b"}],
        "DurationSeconds": 900,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"Tags.member.x.Key=a",
        b"Tags.member=a",
        b"Tags=a",
        b"RoleArn.x=1",
        b"RoleArn.x=1&RoleArn=2",
        b"RoleArn=2&RoleArn.x=1",
        b"." * 10_000 + b"=1",
        b"&".join(b"a%d=1" % n for n in range(10_001)),
        b"\xff=1",
    ],
)
def test_malformed_forms_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        parsed("AssumeRole", body, "sts")


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("Checksum, ObjectSize", ["Checksum", "ObjectSize"]),
        ('"a,b", c', ["a,b", "c"]),
        ('"\\""', ['"']),
        ('"\\"a\\"",b"c', ['"a"', 'b"c']),
        ('"a', ['"a']),
        ('""', [""]),
        ("a,", ["a", ""]),
    ],
)
def test_elements_of_a_list_in_a_header_may_be_quoted(text: str, elements: list[str]) -> None:
    """AWS's clients quote those with a comma or a quote."""
    operation = load_service("s3").operation_model("GetObjectAttributes")
    headers = {"x-amz-object-attributes": text}
    request = HttpRequest(method="GET", path="/b/k", query="attributes", headers=headers)
    found = parse(operation, request, {"Bucket": "b", "Key": "k"})
    assert found["ObjectAttributes"] == elements
