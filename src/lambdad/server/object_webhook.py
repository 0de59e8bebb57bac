"""`POST /_lambdad/s3-events/<function>`: what another object store tells of its objects.

Stores that speak S3 and cannot invoke functions send their notifications to a web server, in the
form that MinIO gave them. Each of their records becomes the event that a function gets from S3,
through the durable queue and checked against the function's policy for `s3.amazonaws.com`. What is
not accepted is answered with an error, so that the store sends it again.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from lambdad.authz.principals import DEFAULT_ACCOUNT_ID, DEFAULT_REGION
from lambdad.domain.arns import FunctionKey, parse_function_reference
from lambdad.domain.errors import PlatformError
from lambdad.neighbours.pushing import EventSource, FunctionPush, PushRefused
from lambdad.protocol.http import HttpRequest, HttpResponse

_RECORDS_MAX = 1_000
_STATUS = {"RESOURCE_NOT_FOUND": 404, "NO_PERMISSIONS": 403, "EVENT_TOO_LARGE": 413}


class NoNotification(ValueError):
    """A document is not in the form of MinIO's notifications."""


class ObjectWebhook:
    """Answers object stores."""

    def __init__(self, functions: FunctionPush, token: str | None) -> None:
        """`token` is what a store has to send; without one everybody may."""
        self._functions = functions
        self._token = token

    @property
    def guarded(self) -> bool:
        """Whether a token is asked for."""
        return self._token is not None

    async def handle(self, request: HttpRequest, function: str) -> HttpResponse:
        """Take a notification for a function, by its name or ARN."""
        if not self._knows(request.headers.get("authorization", "")):
            return _answer(403, "The store must send the token of s3_events.token.")
        # Stores look whether there is anybody before they send.
        if request.method in ("GET", "HEAD"):
            return _answer(200, "Send notifications by POST.")
        if request.method != "POST":
            return _answer(405, "Only POST is served here.")
        arn = _arn(function)
        if arn is None:
            return _answer(404, f"{function!r} is no function's name or ARN.")
        try:
            records = [_record(each, arn) for each in _records(request.body)]
        except NoNotification as error:
            return _answer(400, str(error))
        return await self._push(arn, records)

    async def _push(self, arn: str, records: list[dict[str, Any]]) -> HttpResponse:
        account_id = arn.split(":")[4]
        for record in records:
            bucket = record["s3"]["bucket"]["arn"]
            source = EventSource(service="s3.amazonaws.com", arn=bucket, account_id=account_id)
            payload = json.dumps({"Records": [record]}, separators=(",", ":")).encode()
            try:
                await self._functions.push(arn, payload, source)
            except PushRefused as refused:
                return _answer(_STATUS.get(refused.code, 403), str(refused))
            except PlatformError as error:
                return _answer(503, f"The event could not be stored: {error}")
        return _answer(200, f"{len(records)} events were accepted.")

    def _knows(self, authorization: str) -> bool:
        sent = authorization.removeprefix("Bearer ").encode()
        return self._token is None or hmac.compare_digest(sent, self._token.encode())


def _arn(text: str) -> str | None:
    reference = parse_function_reference(text)
    if reference is None:
        return None
    key = FunctionKey(
        account_id=reference.account_id or DEFAULT_ACCOUNT_ID,
        region=reference.region or DEFAULT_REGION,
        name=reference.name,
    )
    return key.arn(reference.qualifier)


def _records(body: bytes) -> list[Any]:
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise NoNotification(f"The body is no JSON: {error}") from error
    records = document.get("Records") or [] if isinstance(document, dict) else None
    if not isinstance(records, list) or len(records) > _RECORDS_MAX:
        raise NoNotification("The body is no notification with Records.")
    return records


def _record(given: Any, function_arn: str) -> dict[str, Any]:
    """Return a record as S3 has it, of one of MinIO's; what S3 does not know is left out."""
    try:
        thing, bucket = dict(given["s3"]["object"]), given["s3"]["bucket"]
        kind, name = str(given["eventName"]).removeprefix("s3:"), str(bucket["name"])
        configuration = str(given["s3"].get("configurationId") or "")
        found: dict[str, Any] = {"key": str(thing["key"])}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NoNotification(f"A record is not in the form of S3's: {error!r}.") from error
    found |= {each: thing[each] for each in ("size", "eTag", "versionId") if thing.get(each)}
    if kind.startswith("ObjectCreated"):
        found.setdefault("size", 0)
    found["sequencer"] = str(thing.get("sequencer") or "")
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": str(given.get("awsRegion") or function_arn.split(":")[3]),
        "eventTime": _time(str(given.get("eventTime") or "")),
        "eventName": kind,
        "userIdentity": {"principalId": _text(given, "userIdentity", "principalId")},
        "requestParameters": {
            "sourceIPAddress": _text(given, "requestParameters", "sourceIPAddress")
        },
        "responseElements": {
            name: _text(given, "responseElements", name)
            for name in ("x-amz-request-id", "x-amz-id-2")
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": name,
                "ownerIdentity": {"principalId": _text(bucket, "ownerIdentity", "principalId")},
                "arn": f"arn:aws:s3:::{name}",
            },
            "object": found,
        },
    }


def _text(given: Mapping[str, Any], *names: str) -> str:
    found: Any = given
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return "" if found is None else str(found)


def _time(text: str) -> str:
    """Return a time with milliseconds, as S3 has them; MinIO's may have more, or fewer."""
    if not text.endswith("Z") or "T" not in text:
        return text
    whole, _, fraction = text[:-1].partition(".")
    return f"{whole}.{fraction[:3]:0<3}Z"


def _answer(status: int, message: str) -> HttpResponse:
    body = json.dumps({"message": message}).encode() + b"\n"
    return HttpResponse(status=status, headers={"Content-Type": "application/json"}, body=body)
