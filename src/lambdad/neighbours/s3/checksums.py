"""Checksums of objects and parts: those that a request gives are checked, one is kept always."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from lambdad.neighbours.s3.crc import CRC32, CRC32C, CRC64NVME, Crc
from lambdad.neighbours.s3.errors import S3Error, bad_digest, invalid_request
from lambdad.protocol.http import Upload

Content = bytes | Upload
DEFAULT = "CRC64NVME"
FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
_PIECE = 1024 * 1024
_CRC: Mapping[str, Crc] = {"CRC32": CRC32, "CRC32C": CRC32C, "CRC64NVME": CRC64NVME}
_HASHES = ("SHA1", "SHA256", "SHA512", "MD5")
ALGORITHMS = (*_CRC, *_HASHES)


class Running:
    """One checksum over pieces. Mutable."""

    def __init__(self, algorithm: str) -> None:
        self._crc = _CRC.get(algorithm)
        self._value = 0
        if self._crc is None:
            self._hash = hashlib.new(algorithm.lower(), usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._crc is None:
            self._hash.update(piece)
        else:
            self._value = self._crc.update(piece, self._value)

    def text(self) -> str:
        """Return it in base64."""
        if self._crc is None:
            return base64.b64encode(self._hash.digest()).decode()
        return base64.b64encode(self._value.to_bytes(self._crc.width // 8, "big")).decode()


def given(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the checksums that a request has, by algorithm."""
    found = {
        algorithm: params[f"Checksum{algorithm}"]
        for algorithm in ALGORITHMS
        if params.get(f"Checksum{algorithm}")
    }
    if len(found) > 1:
        raise invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    return found


def told(checksums: Mapping[str, str], kind: str | None = None) -> dict[str, Any]:
    """Return checksums as members of a result."""
    members: dict[str, Any] = {f"Checksum{name}": value for name, value in checksums.items()}
    if kind is not None and checksums:
        members["ChecksumType"] = kind
    return members


async def checked(
    content: Content, params: Mapping[str, Any], *, otherwise: str | None = DEFAULT
) -> tuple[str, dict[str, str]]:
    """Return MD5 in hexadecimal digits, and the one checksum to keep.

    That is the one the request has, or of the algorithm that it names, or of `otherwise`.

    Raises:
        S3Error: the content is not what the request says it is.
    """
    expected = given(params)
    wanted = [*expected] or [params.get("ChecksumAlgorithm") or otherwise or ""]
    names = [name for name in wanted if name in ALGORITHMS]
    if isinstance(content, bytes):
        md5, found = hashlib.md5(content, usedforsecurity=False).hexdigest(), _of(content, names)
    else:
        md5, found = content.md5, await asyncio.to_thread(_of_file, content, names)
    _check_md5(params.get("ContentMD5"), md5)
    for name, value in expected.items():
        if found[name] != value:
            if not _is_digest(value, found[name]):
                raise invalid_request(f"Value for x-amz-checksum-{name.lower()} header is invalid.")
            raise bad_digest(name)
    return md5, found


def _is_digest(text: str, like: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == len(base64.b64decode(like))
    except (binascii.Error, ValueError):
        return False


def _check_md5(text: str | None, md5: str) -> None:
    if text is None:
        return
    try:
        expected = base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        expected = ""
    if len(expected) != 32:
        raise S3Error("InvalidDigest", "The Content-MD5 you specified was invalid.")
    if expected != md5:
        raise S3Error(
            "BadDigest",
            "The Content-MD5 you specified did not match what we received.",
            ExpectedDigest=expected,
            CalculatedDigest=md5,
        )


def _of(content: bytes, names: Collection[str]) -> dict[str, str]:
    return _over((content,), names)


def _of_file(content: Upload, names: Collection[str]) -> dict[str, str]:
    with content.path.open("rb") as file:
        return _over(iter(lambda: file.read(_PIECE), b""), names)


def _over(pieces: Sequence[bytes] | Iterator[bytes], names: Collection[str]) -> dict[str, str]:
    running = {name: Running(name) for name in names}
    for piece in pieces:
        for each in running.values():
            each.update(piece)
    return {name: each.text() for name, each in running.items()}


def of_parts(algorithm: str, kind: str, parts: Sequence[tuple[int, str]]) -> str | None:
    """Return the checksum of an object by those of its parts, which are (size, checksum).

    None if a part has none of this algorithm. A composite one is a checksum of checksums.
    """
    if not parts or not all(value for _, value in parts):
        return None
    digests = [base64.b64decode(value) for _, value in parts]
    if kind == COMPOSITE:
        return f"{_of(b''.join(digests), [algorithm])[algorithm]}-{len(parts)}"
    crc, value = _CRC[algorithm], int.from_bytes(digests[0], "big")
    for (size, _), digest in zip(parts[1:], digests[1:], strict=True):
        value = crc.combined(value, int.from_bytes(digest, "big"), size)
    return base64.b64encode(value.to_bytes(crc.width // 8, "big")).decode()
