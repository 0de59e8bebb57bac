"""Layers without wire forms: content from S3, and uploads while packages are collected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.layers import Layers, NewLayerVersion
from lambdad.controlplane.uploads import Uploads
from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.functions import Code
from lambdad.domain.layers import LayerKey
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.controlplane import MemoryPackages, a_zip

KEY = LayerKey(account_id="000000000000", region="us-east-1", name="l")
MISSING = (
    "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified "
    "key does not exist."
)


class Bucket:
    """An `ObjectSource` with one object."""

    async def read(self, bucket: str, key: str, version: str | None, account_id: str) -> bytes:
        if (bucket, key, version) != ("bucket", "layer.zip", "v1"):
            raise InvalidParameterValueException(MISSING)
        return a_zip({"from": "s3"})


class SlowPackages(MemoryPackages):
    """Stores only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = asyncio.Event()
        self.gate = asyncio.Event()

    async def add(self, package: bytes, check: Callable[[bytes], None]) -> Code:
        code = await super().add(package, check)
        self.stored.set()
        await self.gate.wait()
        return code


def layers(packages: MemoryPackages, uploads: Uploads) -> Layers:
    storage = engine("memory")(Path("/nowhere"), FakeClock())
    return Layers(storage, packages, clock=FakeClock(), uploads=uploads, objects=Bucket())


async def test_content_may_come_from_s3() -> None:
    packages = MemoryPackages()
    published = await layers(packages, Uploads()).publish(
        KEY,
        NewLayerVersion(source=CodeSource(s3_bucket="bucket", s3_key="layer.zip", s3_version="v1")),
    )
    assert packages.packages == {published.code.digest: a_zip({"from": "s3"})}


async def test_what_s3_does_not_give_publishes_nothing() -> None:
    stored = layers(MemoryPackages(), Uploads())
    new = NewLayerVersion(source=CodeSource(s3_bucket="bucket", s3_key="other"))
    with pytest.raises(InvalidParameterValueException, match="NoSuchKey"):
        await stored.publish(KEY, new)
    assert stored.get(KEY, 1) is None


async def test_versions_published_at_once_get_a_number_each() -> None:
    stored = layers(MemoryPackages(), Uploads())
    news = [NewLayerVersion(source=CodeSource(zip_file=a_zip({"n": str(n)}))) for n in range(20)]
    published = await asyncio.gather(*(stored.publish(KEY, new) for new in news))
    assert sorted(version.version for version in published) == list(range(1, 21))
    assert all(stored.get(KEY, version.version) == version for version in published)


async def test_a_package_is_not_collected_before_its_version_is_stored() -> None:
    packages, uploads = SlowPackages(), Uploads()
    stored = layers(packages, uploads)
    new = NewLayerVersion(source=CodeSource(zip_file=a_zip()))
    publishing = asyncio.create_task(stored.publish(KEY, new))
    await packages.stored.wait()
    assert await uploads.collect(lambda: packages.collect(stored.digests())) == 0
    packages.gate.set()
    published = await publishing
    assert await uploads.collect(lambda: packages.collect(stored.digests())) == 0
    assert published.code.digest in packages.packages
    await stored.delete(KEY, 1)
    assert await uploads.collect(lambda: packages.collect(stored.digests())) == 1
