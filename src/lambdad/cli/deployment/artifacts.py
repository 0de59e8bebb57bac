"""Packages and where they go: zip files, equal when their content is, in a bucket by digest."""

from __future__ import annotations

import hashlib
import io
import stat
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lambdad.cli.deployment.patterns import ALWAYS_OUT, chosen
from lambdad.cli.errors import Failure

# The first day of the format: when a file was touched is no difference.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


def packed(directory: Path, patterns: Sequence[str] = ()) -> bytes:
    """Return a directory as a zip file; owners and dates are left out, what may be executed stays.

    Raises:
        Failure: there is nothing to pack.
    """
    if not directory.is_dir():
        raise Failure(f"{directory} is not there.", "Build the code first, or mend its path.")
    return _zipped(chosen(directory, [*ALWAYS_OUT, *patterns]), directory)


def _zipped(files: Iterable[tuple[str, Path]], directory: Path) -> bytes:
    buffer = io.BytesIO()
    count = 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = _UNIX
            executable = path.stat().st_mode & stat.S_IXUSR
            entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
            archive.writestr(entry, path.read_bytes())
            count += 1
    if not count:
        raise Failure(f"There is nothing to pack in {directory}.")
    return buffer.getvalue()


class Artifacts:
    """The objects of one project. Mutable: which are in the bucket.

    Args:
        s3: a client of S3.
        bucket: made when the first package comes.
        prefix: of the project's keys, with a slash at its end.
    """

    def __init__(self, s3: Any, bucket: str, prefix: str) -> None:
        self._s3 = s3
        self.bucket = bucket
        self._prefix = prefix
        self._there: set[str] | None = None

    def put(self, data: bytes, suffix: str = ".zip") -> str:
        """Store a package unless it is there; returns its key."""
        key = f"{self._prefix}{hashlib.sha256(data).hexdigest()}{suffix}"
        if self._there is None:
            self._open()
            self._there = set(self._keys())
        if key not in self._there:
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=data)
            self._there.add(key)
        return key

    def remove(self) -> None:
        """Delete the project's objects, and the bucket with the last project's."""
        try:
            for key in list(self._keys()):
                self._s3.delete_object(Bucket=self.bucket, Key=key)
            self._s3.delete_bucket(Bucket=self.bucket)
        except self._s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchBucket", "BucketNotEmpty"):
                raise

    def _open(self) -> None:
        try:
            self._s3.head_bucket(Bucket=self.bucket)
        except self._s3.exceptions.ClientError:
            region = self._s3.meta.region_name
            where = {"LocationConstraint": region} if region != "us-east-1" else None
            settings = {"CreateBucketConfiguration": where} if where else {}
            self._s3.create_bucket(Bucket=self.bucket, **settings)

    def _keys(self) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=self._prefix)
        return [item["Key"] for page in found for item in page.get("Contents", [])]
