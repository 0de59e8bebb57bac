"""The answer to requests for services that nobody serves here: an error each client can read. Pure.

The status is 400, not 501: clients try server errors again, and this one stays.
"""

from __future__ import annotations

import json
from dataclasses import replace
from xml.sax.saxutils import escape

from lambdad.neighbours.query import query_fields
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.sigv4_refusals import SignatureRefused

_CODE = "NotImplementedException"
_UNAVAILABLE = "ServiceUnavailable"
# Services of the protocol REST-XML but for S3, whose errors have a form of their own.
_REST_XML = ("cloudfront", "route53")
_ECHO_MAX = 128


def refuse(request: HttpRequest, service: str | None, request_id: str) -> HttpResponse:
    """Return an error in the form of the service's protocol, as far as the request shows it."""
    target = request.headers.get("x-amz-target")
    action = query_fields(request).get("Action")
    message = _message(service, target.rpartition(".")[2] if target else action)
    return _error(request, service, request_id, message)


def unavailable(request: HttpRequest, service: str, request_id: str, why: str) -> HttpResponse:
    """Return the error for a service whose server fails; clients may try again."""
    message = f"{service[:_ECHO_MAX]} cannot be reached: {why}"
    response = _error(request, service, request_id, message, code=_UNAVAILABLE)
    return replace(response, status=503)


def not_accepted(
    request: HttpRequest, service: str | None, refused: SignatureRefused, request_id: str
) -> HttpResponse:
    """Return the error for credentials that are not accepted."""
    in_query = query_fields(request).get("Action") is not None or service in _REST_XML
    protocol = "json" if request.headers.get("x-amz-target") else "query" if in_query else None
    error = refused.as_error(protocol or ("s3" if service == "s3" else "rest-json"))
    response = _error(request, service, request_id, error.message, error.code)
    return replace(response, status=error.status or response.status)


def _error(
    request: HttpRequest, service: str | None, request_id: str, message: str, code: str = _CODE
) -> HttpResponse:
    target = request.headers.get("x-amz-target")
    action = query_fields(request).get("Action")
    if target is None and (action is not None or service in _REST_XML):
        return _xml(_query_error(service, code, message, request_id), request_id)
    if service == "s3":
        return _xml(
            f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>",
            request_id,
        )
    if target is not None:
        return _json(
            {"__type": code, "message": message},
            request_id,
            code,
            content_type=_json_version(request),
        )
    document = {"Type": "User", "message": message}
    return _json(document, request_id, code, content_type="application/json")


def _message(service: str | None, operation: str | None) -> str:
    if service is None:
        return (
            "lambdad cannot tell which AWS service this request is for: it is not signed, and its "
            "path belongs to none."
        )
    wanted = service[:_ECHO_MAX] if operation is None else f"{service}:{operation}"[:_ECHO_MAX]
    return f"{wanted} is not implemented by lambdad: it does not serve {service[:_ECHO_MAX]}."


def _query_error(service: str | None, code: str, message: str, request_id: str) -> str:
    error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if service == "ec2":
        return (
            f"<Response><Errors><Error>{error}</Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    return (
        f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )


def _json_version(request: HttpRequest) -> str:
    given = request.headers.get("content-type", "")
    return "application/x-amz-json-1.0" if "json-1.0" in given else "application/x-amz-json-1.1"


def _json(body: dict[str, str], request_id: str, code: str, *, content_type: str) -> HttpResponse:
    return HttpResponse(
        status=400,
        headers={
            "Content-Type": content_type,
            "x-amzn-ErrorType": code,
            "x-amzn-RequestId": request_id,
        },
        body=json.dumps(body).encode(),
    )


def _xml(text: str, request_id: str) -> HttpResponse:
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'
    return HttpResponse(
        status=400,
        headers={"Content-Type": "text/xml", "x-amzn-RequestId": request_id},
        body=document.encode("utf-8", "xmlcharrefreplace"),
    )
