"""Services that an HTTP API calls without a function: what is asked, and how it is answered. Pure.

See "Integration subtype reference" in the API Gateway developer guide. Workflows are refused:
Step Functions is not served here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from lambdad.protocol.http import HttpResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subtype:
    """What a subtype calls, and which of its parameters there must be and may be."""

    service: str
    operation: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """An operation by its method name, and its members."""

    service: str
    operation: str
    params: Mapping[str, Any]


def _subtype(service: str, operation: str, required: str, optional: str = "") -> _Subtype:
    return _Subtype(
        service=service,
        operation=operation,
        required=frozenset(required.split()),
        optional=frozenset([*optional.split(), "Region"]),
    )


SUBTYPES: Mapping[str, _Subtype] = {
    "EventBridge-PutEvents": _subtype(
        "events",
        "put_events",
        "Detail DetailType Source",
        "Time EventBusName Resources TraceHeader",
    ),
    "Kinesis-PutRecord": _subtype(
        "kinesis",
        "put_record",
        "StreamName Data PartitionKey",
        "SequenceNumberForOrdering ExplicitHashKey",
    ),
    "SQS-DeleteMessage": _subtype("sqs", "delete_message", "ReceiptHandle QueueUrl"),
    "SQS-PurgeQueue": _subtype("sqs", "purge_queue", "QueueUrl"),
    "SQS-ReceiveMessage": _subtype(
        "sqs",
        "receive_message",
        "QueueUrl",
        "AttributeNames MaxNumberOfMessages MessageAttributeNames ReceiveRequestAttemptId "
        "VisibilityTimeout WaitTimeSeconds",
    ),
    "SQS-SendMessage": _subtype(
        "sqs",
        "send_message",
        "QueueUrl MessageBody",
        "DelaySeconds MessageAttributes MessageDeduplicationId MessageGroupId "
        "MessageSystemAttributes",
    ),
}
_NUMBERS = {"DelaySeconds", "MaxNumberOfMessages", "VisibilityTimeout", "WaitTimeSeconds"}
_DOCUMENTS = {"AttributeNames", "MessageAttributeNames", "MessageAttributes", "Resources"}
_DOCUMENTS |= {"MessageSystemAttributes"}


def request_of(subtype: str, parameters: Mapping[str, str]) -> ServiceRequest:
    """Return what is asked of the service; parameters have their values.

    Raises:
        ValueError: a parameter is not what it must be.
    """
    known = SUBTYPES[subtype]
    params = {name: _value(name, text) for name, text in parameters.items() if text != ""}
    for name in known.required - set(params):
        raise ValueError(f"{name} is required")
    if known.service == "events":
        params = {"Entries": [params]}
    return ServiceRequest(service=known.service, operation=known.operation, params=params)


def _value(name: str, text: str) -> Any:
    try:
        if name in _NUMBERS:
            return int(text)
        if name in _DOCUMENTS:
            return json.loads(text)
        return text.encode() if name == "Data" else text
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not valid") from error


def response_of(subtype: str, answer: Mapping[str, Any], request_id: str) -> HttpResponse:
    """Return what the service answered: XML of queues, JSON of all else."""
    members = {name: each for name, each in answer.items() if name != "ResponseMetadata"}
    if not subtype.startswith("SQS-"):
        body = json.dumps(members, separators=(",", ":"), default=str)
        return _response("application/json", body)
    operation = subtype.removeprefix("SQS-")
    result = "".join(_xml(name, value) for name, value in members.items())
    inner = f"<{operation}Result>{result}</{operation}Result>" if result else ""
    body = (
        '<?xml version="1.0"?>'
        f'<{operation}Response xmlns="http://queue.amazonaws.com/doc/2012-11-05/">{inner}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    )
    return _response("text/xml", body)


def _xml(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_xml(name.removesuffix("s"), each) for each in value)
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(_xml(key, each) for key, each in value.items())}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>"


def _response(kind: str, body: str) -> HttpResponse:
    return HttpResponse(status=200, headers={"content-type": kind}, body=body.encode())
