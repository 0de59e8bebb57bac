"""Where a function's package comes from and how large it may be.

What is inside the zip is the package store's to judge.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdad.controlplane.ports import ObjectSource
from lambdad.domain import limits
from lambdad.domain.errors import (
    InvalidParameterValueException,
    NotImplementedException,
    RequestEntityTooLargeException,
)
from lambdad.domain.functions import Code
from lambdad.storage.base import PackageStore


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSource:
    """What the caller said about code; exactly one source counts.

    Attributes:
        unsupported: names of given members that have no meaning here yet.
        account_id: who reads the object: the account that deploys.
    """

    zip_file: bytes | None = None
    s3_bucket: str | None = None
    s3_key: str | None = None
    s3_version: str | None = None
    image_uri: str | None = None
    unsupported: tuple[str, ...] = ()
    account_id: str = ""


def check_source(source: CodeSource, *, verb: str) -> None:
    """Refuse contradictory or missing sources; `verb` is `creating` or `updating`.

    Raises:
        InvalidParameterValueException: no source, two sources, or an image for a zip function.
        NotImplementedException: a member that lambdad does not have yet.
    """
    from_s3 = source.s3_bucket is not None or source.s3_key is not None
    if source.image_uri is not None:
        raise InvalidParameterValueException(
            f"Please don't provide ImageUri when {verb} a function with packageType Zip."
        )
    if source.zip_file is not None and (from_s3 or source.s3_version is not None):
        raise InvalidParameterValueException(
            "Please do not provide other FunctionCode parameters when providing a ZipFile."
        )
    if source.zip_file is None and not from_s3:
        raise InvalidParameterValueException("Please provide a source for function code.")
    if from_s3 and (source.s3_bucket is None or source.s3_key is None):
        raise InvalidParameterValueException(
            "Please provide both S3Bucket and S3Key: one of them is missing."
        )
    if source.unsupported:
        raise NotImplementedException(
            f"lambdad does not support {', '.join(source.unsupported)} for function code yet. "
            "Leave it out."
        )


async def store(
    source: CodeSource, *, packages: PackageStore, objects: ObjectSource | None
) -> Code:
    """Fetch the package and store it durably.

    Raises:
        RequestEntityTooLargeException: the direct upload is larger than 50 MB.
        InvalidParameterValueException: S3 does not give it, or it is no acceptable zip.
    """
    if source.zip_file is not None:
        return await packages.add(source.zip_file, _check_upload)
    package = await _read_object(source, objects)
    return await packages.add(package, _check_content)


async def _read_object(source: CodeSource, objects: ObjectSource | None) -> bytes:
    bucket, key = source.s3_bucket or "", source.s3_key or ""
    if objects is None:
        raise InvalidParameterValueException(
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The "
            f"specified bucket does not exist. lambdad has no S3 to read '{bucket}' from; name "
            "one in `neighbours.s3` of the configuration, or upload the package as ZipFile."
        )
    return await objects.read(bucket, key, source.s3_version, source.account_id)


def _check_upload(package: bytes) -> None:
    if len(package) > limits.ZIP_BYTES_MAX:
        raise RequestEntityTooLargeException(
            f"Zipped size must be smaller than {limits.ZIP_BYTES_MAX} bytes"
        )
    _check_content(package)


def _check_content(package: bytes) -> None:
    if not package:
        raise InvalidParameterValueException("Uploaded file must be a non-empty zip")
