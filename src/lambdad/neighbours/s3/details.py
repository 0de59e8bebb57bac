"""What an object has beside its bytes: headers, metadata, tags, access list. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from lambdad.neighbours.s3.errors import S3Error, invalid_argument, malformed_xml
from lambdad.neighbours.s3.model import Bucket, Version
from lambdad.neighbours.s3.versions import told
from lambdad.protocol.timestamps import format_timestamp

_HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)
_ENCRYPTION = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
_RESPONSE = {f"Response{name}": name for name in _HEADERS[:-1]}
_DEFAULT_TYPE = "binary/octet-stream"
_METADATA_BYTES_MAX = 2 * 1024
_TAGS_MAX, _BUCKET_TAGS_MAX = 10, 50
_TAG_TEXT = re.compile(r"[\w\s+\-=.:/@]*", re.UNICODE)


def of_request(bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details of an object that a request stores.

    Raises:
        S3Error: there is too much metadata, a tag is not possible, or a way of encryption whose
            keys lambdad would not keep is wanted.
    """
    if params.get("SSECustomerAlgorithm"):
        raise S3Error(
            "NotImplemented",
            "lambdad does not encrypt with keys that the caller brings (SSE-C). Encrypt the disk, "
            "or the object before it is sent.",
        )
    metadata = params.get("Metadata") or {}
    if sum(len(name) + len(value) for name, value in metadata.items()) > _METADATA_BYTES_MAX:
        raise S3Error(
            "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size"
        )
    details: dict[str, Any] = {
        "headers": {name: params[name] for name in _HEADERS if params.get(name) is not None},
        "metadata": dict(metadata),
        "encryption": encryption(bucket, params),
    }
    if params.get("StorageClass") not in (None, "STANDARD"):
        details["storage"] = params["StorageClass"]
    if params.get("Tagging"):
        details["tags"] = tags_of_text(params["Tagging"])
    if params.get("ACL"):
        details["acl"] = params["ACL"]
    return details


def encryption(bucket: Bucket, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return how an object says that it is encrypted: by the request, or as its bucket has it."""
    if params.get("ServerSideEncryption"):
        return {name: params[name] for name in _ENCRYPTION if params.get(name) is not None}
    rules = bucket.settings.get("Encryption", {}).get("Rules") or [{}]
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
    found = {"ServerSideEncryption": default.get("SSEAlgorithm", "AES256")}
    if default.get("KMSMasterKeyID"):
        found["SSEKMSKeyId"] = default["KMSMasterKeyID"]
    if rules[0].get("BucketKeyEnabled") and found["ServerSideEncryption"] != "AES256":
        found["BucketKeyEnabled"] = True
    return found


def members(
    bucket: Bucket, version: Version, params: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the members of a result that tells an object, and headers beside them."""
    details = version.details
    result: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "LastModified": version.modified,
        "ETag": f'"{version.etag}"',
        "VersionId": told(bucket, version.version_id),
        "Metadata": details.get("metadata") or {},
        "StorageClass": details.get("storage"),
        "TagCount": len(details["tags"]) if details.get("tags") else None,
        **details.get("encryption", {}),
        "ContentType": _DEFAULT_TYPE,
        **details.get("headers", {}),
    }
    headers = {}
    for member, name in _RESPONSE.items():
        value = params.get(member)
        if value is not None:
            text = value if isinstance(value, str) else format_timestamp(value, "rfc822")
            headers["-".join(re.findall("[A-Z][a-z]+", name))] = text
            result.pop(name, None)
    return result, headers


def tags_of_text(text: str) -> dict[str, str]:
    """Return the tags of a header, which has them like a query string."""
    pairs = parse_qsl(text, keep_blank_values=True)
    return _tags([{"Key": name, "Value": value} for name, value in pairs], _TAGS_MAX)


def tags_of_set(tag_set: Sequence[Mapping[str, str]], *, bucket: bool = False) -> dict[str, str]:
    """Return the tags of a document.

    Raises:
        S3Error: there are too many, or one is not possible or given twice.
    """
    return _tags(tag_set, _BUCKET_TAGS_MAX if bucket else _TAGS_MAX)


def _tags(pairs: Sequence[Mapping[str, str]], most: int) -> dict[str, str]:
    tags: dict[str, str] = {}
    if len(pairs) > most:
        noun = "Bucket" if most == _BUCKET_TAGS_MAX else "Object"
        raise S3Error("BadRequest", f"{noun} tag count cannot be greater than {most}")
    for pair in pairs:
        key, value = pair.get("Key", ""), pair.get("Value")
        if value is None:
            raise malformed_xml()
        if not 1 <= len(key) <= 128 or not _TAG_TEXT.fullmatch(key):
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key)
        if len(value) > 256 or not _TAG_TEXT.fullmatch(value):
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid", TagValue=value)
        if key in tags:
            raise S3Error(
                "InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=key
            )
        tags[key] = value
    return tags


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as a document has them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def directive(params: Mapping[str, Any], name: str) -> bool:
    """Whether a copy takes what the request has, not what the source has.

    Raises:
        S3Error: the directive is none.
    """
    value = params.get(name, "COPY")
    if value not in ("COPY", "REPLACE"):
        raise invalid_argument(f"Unknown {name} directive.", name, value)
    return bool(value == "REPLACE")
