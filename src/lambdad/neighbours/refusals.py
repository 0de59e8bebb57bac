"""The answer to requests for services that nobody serves here: an error each client can read. Pure.

The status is 400, not 501: clients try server errors again, and this one stays.
"""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from lambdad.neighbours.query import query_fields
from lambdad.protocol.http import HttpRequest, HttpResponse

_CODE = "NotImplementedException"
# Services of the protocol REST-XML but for S3, whose errors have a form of their own.
_REST_XML = ("cloudfront", "route53")
_ECHO_MAX = 128


def refuse(request: HttpRequest, service: str | None, request_id: str) -> HttpResponse:
    """Return an error in the form of the service's protocol, as far as the request shows it."""
    target = request.headers.get("x-amz-target")
    action = query_fields(request).get("Action")
    message = _message(service, target.rpartition(".")[2] if target else action)
    if target is None and (action is not None or service in _REST_XML):
        return _xml(_query_error(service, message, request_id), request_id)
    if service == "s3":
        return _xml(
            f"<Error><Code>{_CODE}</Code><Message>{escape(message)}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>",
            request_id,
        )
    if target is not None:
        return _json(
            {"__type": _CODE, "message": message},
            request_id,
            content_type=_json_version(request),
        )
    return _json({"Type": "User", "message": message}, request_id, content_type="application/json")


def _message(service: str | None, operation: str | None) -> str:
    if service is None:
        return (
            "lambdad cannot tell which AWS service this request is for: it is not signed, and its "
            "path belongs to none."
        )
    wanted = service[:_ECHO_MAX] if operation is None else f"{service}:{operation}"[:_ECHO_MAX]
    return f"{wanted} is not implemented by lambdad: it does not serve {service[:_ECHO_MAX]}."


def _query_error(service: str | None, message: str, request_id: str) -> str:
    error = f"<Code>{_CODE}</Code><Message>{escape(message)}</Message>"
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


def _json(body: dict[str, str], request_id: str, *, content_type: str) -> HttpResponse:
    return HttpResponse(
        status=400,
        headers={
            "Content-Type": content_type,
            "x-amzn-ErrorType": _CODE,
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
