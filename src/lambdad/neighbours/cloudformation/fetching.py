"""Templates and parts of them that lie in S3. Blocks."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from lambdad.neighbours.cloudformation.calls import CallFailed, Calls
from lambdad.neighbours.cloudformation.errors import ValidationError

_SIZE_MAX = 1_000_000


def fetched(url: str, calls: Calls) -> str:
    """Return the text of an object in S3.

    Raises:
        ValidationError: it is too large or cannot be read.
    """
    bucket, key = bucket_and_key(url)
    try:
        answer = calls.call("s3", "GetObject", {"Bucket": bucket, "Key": key})
    except CallFailed as error:
        raise ValidationError(f"S3 error: {error} ({url})") from error
    if int(answer["ContentLength"]) > _SIZE_MAX:
        answer["Body"].close()
        raise ValidationError(f"Template may not exceed {_SIZE_MAX} bytes in size.")
    return str(answer["Body"].read().decode("utf-8", "replace"))


def bucket_and_key(url: str) -> tuple[str, str]:
    """Return where an URL of S3 points to, whatever host and style it has.

    Raises:
        ValidationError: it is none.
    """
    parts = urlsplit(url)
    path = unquote(parts.path.lstrip("/"))
    host = parts.hostname or ""
    if parts.scheme == "s3":
        bucket, key = host, path
    else:
        virtual, found, _ = host.partition(".s3")
        if found and virtual and not virtual.startswith("s3"):
            bucket, key = virtual, path
        else:
            bucket, _, key = path.partition("/")
    if parts.scheme not in ("http", "https", "s3") or not bucket or not key:
        raise ValidationError("TemplateURL must be a supported URL.")
    return bucket, key
