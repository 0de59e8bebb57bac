"""Results and errors of operations, as responses of the service's protocol.

Decides status, headers and body from the model's shapes. Refuses results that the model does not
have: a misspelt member is a programming error and fails loudly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from botocore.model import OperationModel, ServiceModel, StructureShape

from lambdad.protocol.bindings import (
    Bindings,
    Bound,
    output_bindings,
    shape_bindings,
    wire_name,
)
from lambdad.protocol.error_shapes import ErrorForm, error_form
from lambdad.protocol.http import HttpResponse
from lambdad.protocol.outputs import check_members, json_value, scalar_text
from lambdad.protocol.rest_xml import XML, xml_body, xml_error
from lambdad.protocol.values import read_text
from lambdad.protocol.xml import XmlWriter

_REQUEST_ID = "x-amzn-RequestId"
_S3_REQUEST_ID = "x-amz-request-id"
_ERROR_TYPE = "x-amzn-ErrorType"
_QUERY_ERROR = "x-amzn-query-error"
_XML = "text/xml"
_EVENT_STREAM = "application/vnd.amazon.eventstream"


def serialize(
    operation: OperationModel, result: Mapping[str, Any], request_id: str
) -> HttpResponse:
    """Return the response of an operation.

    `result` has the names of the output's members: blobs are bytes, timestamps aware datetimes;
    members that are None are left out. The payload of an event stream is its encoded events.

    Raises:
        ValueError: the output has no such member, or a timestamp is naive.
    """
    shape = operation.output_shape
    check_members(shape, result)
    protocol = operation.service_model.metadata["protocol"]
    if protocol == "query":
        return _query_response(operation, result, request_id)
    if protocol == "json":
        body = b"" if shape is None else _dump(json_value(shape, result))
        return _response(200, {}, _json_type(operation.service_model), body, request_id)
    bindings = output_bindings(operation)
    headers = _bound_headers(bindings, result, "rfc822")
    status = result.get(bindings.status) if bindings.status else None
    if protocol == "rest-xml":
        headers = {_S3_REQUEST_ID: request_id, **headers}
        content_type, body = xml_body(operation, bindings, result)
    else:
        content_type, body = _rest_body(shape, bindings, result)
    return _response(
        status or operation.http.get("responseCode", 200), headers, content_type, body, request_id
    )


def serialize_error(
    service_model: ServiceModel,
    *,
    code: str,
    message: str,
    members: Mapping[str, Any],
    request_id: str,
    status: int | None = None,
) -> HttpResponse:
    """Return the response for an error, laid out as its shape in the model says.

    `members` are further members of the error shape, or of the body if the model lacks the
    error. The status comes from the model, or for errors outside of it from AWS's habit, unless
    `status` is given.
    """
    form = error_form(service_model, code)
    status = status or form.status
    protocol = service_model.metadata["protocol"]
    if protocol == "query":
        body = _query_error(service_model, form, message, request_id)
        return _response(status, {}, _XML, body, request_id)
    if protocol == "rest-xml":
        body = xml_error(form.code, message, members, request_id)
        return _response(status, {_S3_REQUEST_ID: request_id}, XML, body, request_id)
    document: dict[str, Any] = {} if protocol == "rest-json" else {"__type": form.code}
    headers = {_ERROR_TYPE: form.code}
    if form.query_code is not None:
        headers[_QUERY_ERROR] = f"{form.query_code};{'Receiver' if form.fault else 'Sender'}"
    if form.has_type:
        document["Type"] = "Server" if form.fault else "User"
    document |= _error_members(form, members, headers)
    document[form.message_key] = message
    content_type = _json_type(service_model)
    return _response(status, headers, content_type, _dump(document), request_id)


def _response(
    status: int, headers: Mapping[str, str], content_type: str, body: bytes, request_id: str
) -> HttpResponse:
    return HttpResponse(
        status=status,
        headers={_REQUEST_ID: request_id, "Content-Type": content_type, **headers},
        body=body,
    )


def _json_type(service_model: ServiceModel) -> str:
    if service_model.metadata["protocol"] == "json":
        return f"application/x-amz-json-{service_model.metadata.get('jsonVersion', '1.0')}"
    return "application/json"


def _dump(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii")


# --- REST and JSON --------------------------------------------------------------------------


def _bound_headers(
    bindings: Bindings, result: Mapping[str, Any], timestamps: str
) -> dict[str, str]:
    headers: dict[str, str] = {}
    for bound in bindings.headers:
        value = result.get(bound.name)
        if value is not None:
            headers[bound.wire_name] = scalar_text(bound.shape, value, timestamps)
    for bound in bindings.prefixes:
        for key, value in (result.get(bound.name) or {}).items():
            headers[bound.wire_name + key] = value
    return headers


def _rest_body(
    shape: StructureShape | None, bindings: Bindings, result: Mapping[str, Any]
) -> tuple[str, bytes]:
    """Return content type and body."""
    if bindings.payload is not None:
        return _payload(bindings.payload, result.get(bindings.payload.name))
    if shape is None or (shape.members and not bindings.body):
        return "application/json", b""
    document = {
        bound.wire_name: json_value(bound.shape, result[bound.name])
        for bound in bindings.body
        if result.get(bound.name) is not None
    }
    return "application/json", _dump(document)


def _payload(bound: Bound, value: Any) -> tuple[str, bytes]:
    if bound.shape.serialization.get("eventstream"):
        return _EVENT_STREAM, value or b""
    if bound.shape.type_name == "structure":
        return "application/json", b"" if value is None else _dump(json_value(bound.shape, value))
    # AWS quirk: Lambda calls the payload of an invocation JSON, though a function may return
    # what it likes through a custom runtime.
    body = value.encode("utf-8") if isinstance(value, str) else value
    return "application/json", body or b""


def _error_members(
    form: ErrorForm, members: Mapping[str, Any], headers: dict[str, str]
) -> dict[str, Any]:
    """Return the members for the body; those that the shape binds to headers go there."""
    bindings = shape_bindings(form.shape)
    in_headers = {bound.name: bound.wire_name for bound in bindings.headers}
    document: dict[str, Any] = {}
    for name, text in members.items():
        if name in in_headers:
            headers[in_headers[name]] = text
        elif form.shape is not None and name in form.shape.members:
            member = form.shape.members[name]
            scalar = member.type_name not in ("structure", "list", "map")
            value = read_text(member, text) if scalar else text
            document[wire_name(name, member)] = json_value(member, value)
        else:
            document[name] = text
    return document


# --- query ----------------------------------------------------------------------------------


def _query_response(
    operation: OperationModel, result: Mapping[str, Any], request_id: str
) -> HttpResponse:
    xml = XmlWriter()
    with xml.element(f"{operation.name}Response", operation.service_model.metadata):
        shape = operation.output_shape
        if shape is not None:
            wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
            with xml.element(wrapper):
                xml.members(shape, result)
        with xml.element("ResponseMetadata"):
            xml.text("RequestId", request_id)
    return _response(200, {}, _XML, xml.finish(), request_id)


def _query_error(
    service_model: ServiceModel, form: ErrorForm, message: str, request_id: str
) -> bytes:
    xml = XmlWriter()
    with xml.element("ErrorResponse", service_model.metadata):
        with xml.element("Error"):
            xml.text("Type", "Receiver" if form.fault else "Sender")
            xml.text("Code", form.code)
            xml.text("Message", message)
        xml.text("RequestId", request_id)
    return xml.finish()
