"""Objects that come as forms from browsers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode
from xml.sax.saxutils import escape

from lambdad.neighbours.s3.errors import S3Error, invalid_argument
from lambdad.neighbours.s3.objects import store
from lambdad.neighbours.s3.service import Context, reach
from lambdad.protocol.http import HttpRequest, HttpResponse

_BOUNDARY = re.compile(r'multipart/form-data\s*;.*boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"]*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'\bfilename="([^"]*)"', re.IGNORECASE)
_MEMBERS = {
    "acl": "ACL",
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-type": "ContentType",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-storage-class": "StorageClass",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
}
_UNCHECKED = {"policy", "file", "awsaccesskeyid", "signature", "x-amz-signature"}


def is_form(request: HttpRequest) -> bool:
    """Whether a request is a form for a bucket."""
    kind = request.headers.get("content-type", "").lower()
    alone = not request.path.strip("/").partition("/")[2]
    return request.method == "POST" and alone and kind.startswith("multipart/form-data")


async def receive(context: Context, request: HttpRequest) -> HttpResponse:
    """Store the object of a form.

    Raises:
        S3Error: the form lacks something, or its policy does not allow it.
    """
    name = unquote(request.path.strip("/"))
    fields, content, filename = _fields(request)
    if "key" not in fields:
        raise invalid_argument(
            "Bucket POST must contain a field named 'key'.  If it is specified, please check the "
            "order of the fields.",
            "key",
            "",
        )
    key = fields["key"].replace("${filename}", filename)
    _check_policy({**fields, "key": key, "bucket": name}, len(content), context)
    params: dict[str, Any] = {
        member: fields[field] for field, member in _MEMBERS.items() if field in fields
    }
    params |= {
        "Bucket": name,
        "Key": key,
        "Body": content,
        "Metadata": {
            field.removeprefix("x-amz-meta-"): value
            for field, value in fields.items()
            if field.startswith("x-amz-meta-")
        },
    }
    bucket = reach(context, params, "s3:PutObject")
    result = await store(context, bucket, params, "ObjectCreated:Post")
    return _answer(context, name, key, str(result["ETag"]), fields)


def _fields(request: HttpRequest) -> tuple[dict[str, str], bytes, str]:
    """Return the fields before the file by lower case name, the file, and its name."""
    fields: dict[str, str] = {}
    for head, content in _parts(request):
        name = _NAME.search(head)
        if name is None:
            continue
        field = name[1].decode("utf-8", "replace").lower()
        if field == "file":
            filename = _FILENAME.search(head)
            text = filename[1].decode("utf-8", "replace") if filename else ""
            return fields, content, re.split(r"[\\/]", text)[-1]
        fields[field] = content.decode("utf-8", "replace")
    raise invalid_argument("POST requires exactly one file upload per request.", "file", "0")


def _parts(request: HttpRequest) -> Iterator[tuple[bytes, bytes]]:
    match = _BOUNDARY.match(request.headers.get("content-type", ""))
    if match is None:
        raise S3Error(
            "MalformedPOSTRequest",
            "The body of your POST request is not well-formed multipart/form-data.",
        )
    boundary = b"--" + match[1].encode("latin-1")
    for part in (b"\r\n" + request.body).split(b"\r\n" + boundary)[1:]:
        if part.startswith(b"--"):
            return
        head, separator, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if separator:
            yield head, content


def _check_policy(fields: Mapping[str, str], size: int, context: Context) -> None:
    text = fields.get("policy")
    if text is None:
        return
    try:
        policy = json.loads(base64.b64decode(text))
        expires = datetime.fromisoformat(policy["expiration"].replace("Z", "+00:00"))
        conditions = list(_conditions(policy.get("conditions", ())))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise S3Error("InvalidPolicyDocument", "Invalid Policy: Invalid JSON.") from error
    if context.services.clock.now() > expires:
        raise S3Error("AccessDenied", "Invalid according to Policy: Policy expired.")
    named = set()
    for operator, field, value in conditions:
        if operator == "content-length-range":
            _check_size(size, int(field), int(value))
            continue
        named.add(field)
        given = fields.get(field, "")
        if not (given == value if operator == "eq" else given.startswith(value)):
            shown = json.dumps([operator, f"${field}", value])
            raise S3Error(
                "AccessDenied", f"Invalid according to Policy: Policy Condition failed: {shown}"
            )
    for field in fields:
        if field not in named | _UNCHECKED | {"bucket"} and not field.startswith("x-ignore-"):
            raise S3Error(
                "AccessDenied",
                f"Invalid according to Policy: Extra input fields: {field}",
            )


def _conditions(conditions: Any) -> Iterator[tuple[str, str, str]]:
    for each in conditions:
        if isinstance(each, dict):
            for name, value in each.items():
                yield "eq", name.lower(), str(value)
        elif each[0] == "content-length-range":
            yield each[0], str(each[1]), str(each[2])
        else:
            yield each[0].lower(), each[1].removeprefix("$").lower(), str(each[2])


def _check_size(size: int, least: int, most: int) -> None:
    if size > most:
        raise S3Error(
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed size",
            ProposedSize=str(size),
            MaxSizeAllowed=str(most),
        )
    if size < least:
        raise S3Error(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
            ProposedSize=str(size),
            MinSizeAllowed=str(least),
        )


def _answer(
    context: Context, name: str, key: str, etag: str, fields: Mapping[str, str]
) -> HttpResponse:
    location = f"{context.base_url}/{name}/{quote(key)}"
    headers = {"ETag": etag, "Location": location, "x-amz-request-id": context.request_id}
    redirect = fields.get("success_action_redirect") or fields.get("redirect")
    if redirect:
        query = urlencode({"bucket": name, "key": key, "etag": etag})
        joint = "&" if "?" in redirect else "?"
        return HttpResponse(status=303, headers={**headers, "Location": redirect + joint + query})
    status = fields.get("success_action_status")
    if status != "201":
        return HttpResponse(status=200 if status == "200" else 204, headers=headers)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<PostResponse><Location>{escape(location)}</Location><Bucket>{escape(name)}</Bucket>"
        f"<Key>{escape(key)}</Key><ETag>{escape(etag)}</ETag></PostResponse>"
    )
    headers["Content-Type"] = "application/xml"
    return HttpResponse(status=201, headers=headers, body=body.encode())
