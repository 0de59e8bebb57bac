"""Responses are laid out as AWS lays them out, errors above all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from lambdad.protocol.http import HttpResponse
from lambdad.protocol.model import load_service
from lambdad.protocol.serializer import serialize, serialize_error


def result_of(operation: str, result: dict[str, Any], service: str = "lambda") -> HttpResponse:
    return serialize(load_service(service).operation_model(operation), result, "the-id")


def error(
    code: str, service: str = "lambda", members: dict[str, str] | None = None
) -> HttpResponse:
    return serialize_error(
        load_service(service),
        code=code,
        message="Why",
        members=members or {},
        request_id="the-id",
    )


def test_the_status_comes_from_the_model_or_a_bound_member() -> None:
    assert result_of("CreateFunction", {}).status == 201
    assert result_of("DeleteFunction", {"StatusCode": 204}).status == 204
    assert result_of("Invoke", {"StatusCode": 202}).status == 202
    assert result_of("DeleteAlias", {}).status == 204


def test_an_invocation_answers_its_payload_untouched() -> None:
    response = result_of(
        "Invoke",
        {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": b'{"a": 1}\n'},
    )
    assert response.body == b'{"a": 1}\n'
    assert response.headers == {
        "x-amzn-RequestId": "the-id",
        "Content-Type": "application/json",
        "X-Amz-Function-Error": "Unhandled",
    }


def test_documents_leave_out_what_is_none() -> None:
    response = result_of("GetFunctionConfiguration", {"FunctionName": "f", "Description": None})
    assert json.loads(response.body) == {"FunctionName": "f"}


def test_each_timestamp_has_the_form_of_its_shape() -> None:
    moment = datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)
    mapping = result_of("GetEventSourceMapping", {"LastModified": moment})
    assert json.loads(mapping.body) == {"LastModified": 1_700_000_000.5}
    credentials = {"Credentials": {"Expiration": moment}}
    assert b"<Expiration>2023-11-14T22:13:20.500Z</Expiration>" in (
        result_of("GetSessionToken", credentials, "sts").body
    )


@pytest.mark.parametrize(
    "result", [{"Mystery": 1}, {"Configuration": {"Mystery": 1}}, {"Tags": None, "Tag": {}}]
)
def test_misspelt_members_fail_loudly(result: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is no member of"):
        result_of("GetFunction", result)


def test_naive_times_fail_loudly() -> None:
    naive = datetime(2023, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="naive"):
        result_of("GetEventSourceMapping", {"LastModified": naive})


def test_query_results_are_wrapped_in_the_namespace_of_the_service() -> None:
    response = result_of("GetCallerIdentity", {"Account": "1", "Arn": "a<b>&"}, "sts")
    assert response.headers["Content-Type"] == "text/xml"
    space = "{https://sts.amazonaws.com/doc/2011-06-15/}"
    root = ET.fromstring(response.body)  # noqa: S314 - our own output
    assert root.tag == f"{space}GetCallerIdentityResponse"
    assert root.findtext(f"{space}GetCallerIdentityResult/{space}Arn") == "a<b>&"
    assert root.findtext(f"{space}ResponseMetadata/{space}RequestId") == "the-id"


def test_what_xml_cannot_carry_is_replaced() -> None:
    response = result_of("GetCallerIdentity", {"Arn": "a\0b\ud800"}, "sts")
    assert "a\ufffdb\ufffd".encode() in response.body


@pytest.mark.parametrize(
    ("code", "status", "body"),
    [
        ("ResourceNotFoundException", 404, {"Type": "User", "Message": "Why"}),
        ("InvalidParameterValueException", 400, {"Type": "User", "message": "Why"}),
        ("ServiceException", 500, {"Type": "Server", "Message": "Why"}),
        ("InvalidZipFileException", 502, {"Type": "Server", "Message": "Why"}),
        ("RequestTooLargeException", 413, {"Type": "User", "message": "Why"}),
        ("ValidationException", 400, {"message": "Why"}),
        ("SerializationException", 400, {"message": "Why"}),
        ("RequestEntityTooLargeException", 413, {"message": "Why"}),
        ("AccessDeniedException", 403, {"message": "Why"}),
        ("UnknownOperationException", 404, {"message": "Why"}),
        ("SomethingElse", 400, {"message": "Why"}),
    ],
)
def test_errors_have_status_and_layout_of_their_shape(
    code: str, status: int, body: dict[str, str]
) -> None:
    response = error(code)
    assert response.status == status
    assert response.headers["x-amzn-ErrorType"] == code
    assert response.headers["x-amzn-RequestId"] == "the-id"
    assert json.loads(response.body) == body


def test_clients_do_not_repeat_what_is_not_served() -> None:
    assert 400 <= error("NotImplementedException").status < 500


def test_members_of_an_error_go_where_its_shape_says() -> None:
    members = {"Reason": "ConcurrentInvocationLimitExceeded", "retryAfterSeconds": "1"}
    response = error("TooManyRequestsException", members=members)
    assert response.status == 429
    assert response.headers["Retry-After"] == "1"
    assert json.loads(response.body) == {
        "Type": "User",
        "message": "Why",
        "Reason": "ConcurrentInvocationLimitExceeded",
    }


def test_a_given_status_wins() -> None:
    model = load_service("lambda")
    response = serialize_error(
        model, code="X", message="", members={}, request_id="the-id", status=418
    )
    assert response.status == 418


def test_json_errors_name_their_type_in_the_body() -> None:
    response = error("ResourceNotFoundException", "logs")
    assert json.loads(response.body) == {
        "__type": "ResourceNotFoundException",
        "message": "Why",
    }
    assert response.headers["Content-Type"] == "application/x-amz-json-1.1"
    assert error("ServiceUnavailableException", "logs").status == 503


def test_query_errors_use_the_code_that_the_model_sets_apart() -> None:
    response = error("PackedPolicyTooLargeException", "sts")
    assert response.status == 400
    assert b"<Type>Sender</Type><Code>PackedPolicyTooLarge</Code>" in response.body
