"""What a control plane under test is wired to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lambdad.domain.arns import FunctionKey
from lambdad.domain.concurrency import ProvisionedState
from lambdad.domain.errors import InvalidParameterValueException, LambdadError
from lambdad.domain.functions import Code, Function


def a_zip(files: Mapping[str, str] | None = None) -> bytes:
    """A package with these files, or with a small handler."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in (files or {"app.py": "def handler(event, context): ..."}).items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


class MemoryPackages:
    """A `lambdad.storage.base.PackageStore` without a disk: nothing can be run from it."""

    def __init__(self) -> None:
        self.packages: dict[str, bytes] = {}

    async def add(self, package: bytes, check: Callable[[bytes], None]) -> Code:
        """Keep a zip in memory."""
        check(package)
        if not zipfile.is_zipfile(io.BytesIO(package)):
            raise InvalidParameterValueException(
                "Could not unzip uploaded file. Please check your file, then try to upload again."
            )
        digest = hashlib.sha256(package)
        self.packages[digest.hexdigest()] = package
        return Code(
            sha256=base64.b64encode(digest.digest()).decode(),
            size_bytes=len(package),
            digest=digest.hexdigest(),
        )

    def tree(self, digest: str) -> Path:
        """There is none."""
        raise FileNotFoundError(digest)

    def archive(self, digest: str) -> Path:
        """There is none."""
        raise FileNotFoundError(digest)

    async def merge(self, digests: Sequence[str]) -> None:
        """There is nothing to lay over each other."""

    async def unpacked_bytes(self, digest: str) -> int:
        """What the headers of the zip say."""
        with zipfile.ZipFile(io.BytesIO(self.packages[digest])) as archive:
            return sum(entry.file_size for entry in archive.infolist())

    async def collect(self, used: frozenset[str]) -> int:
        """Forget packages that are not used."""
        unused = self.packages.keys() - used
        for digest in unused:
            del self.packages[digest]
        return len(unused)


class FakeRuntimes:
    """A `RuntimeCatalogue` that has Python 3.12 and knows, but lacks, Node.js 22."""

    def known(self, identifier: str) -> bool:
        """Whether there is such an identifier."""
        return identifier in ("python3.12", "nodejs22.x")

    def unavailable(self, identifier: str) -> str | None:
        """Why the host lacks it."""
        if identifier == "nodejs22.x":
            return "No Node.js 22 was found: install it and restart lambdad."
        return None


class RecordingObserver:
    """A `VersionObserver` and `ConcurrencyObserver` that remembers what it was told.

    Attributes:
        states: what it says of provisioned concurrency.
    """

    def __init__(self) -> None:
        self.changed: list[Function] = []
        self.deleted: list[Function] = []
        self.aliased: list[FunctionKey] = []
        self.reservations: list[tuple[FunctionKey, int | None]] = []
        self.provisioned: list[FunctionKey] = []
        self.states: dict[str, ProvisionedState] = {}

    def aliases_changed(self, key: FunctionKey) -> None:
        """Remember."""
        self.aliased.append(key)

    def reservation_changed(self, key: FunctionKey, limit: int | None) -> None:
        """Remember."""
        self.reservations.append((key, limit))

    def provisioned_changed(self, key: FunctionKey) -> None:
        """Remember."""
        self.provisioned.append(key)

    def provisioned_states(self, key: FunctionKey) -> Mapping[str, ProvisionedState]:
        """What the test says."""
        return self.states

    def version_changed(self, function: Function) -> None:
        """Remember."""
        self.changed.append(function)

    def version_deleted(self, function: Function) -> None:
        """Remember."""
        self.deleted.append(function)

    def function_deleted(self, function: Function) -> None:
        """Remember."""
        self.deleted.append(function)


class GatedPreparer:
    """A `VersionPreparer` that waits until the test lets it go, or fails as it is told."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.failure: LambdadError | None = None
        self.prepared: Mapping[str, Any] = {}

    def concerns(self, function: Function) -> bool:
        """Every version."""
        del function
        return True

    async def prepare(self, function: Function) -> Mapping[str, Any]:
        """Wait for the gate."""
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.prepared
