"""Uploads of layers, their limits, and what becomes of them when nobody wants them any more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from lambdad.neighbours import documents
from lambdad.neighbours.ecr import rows, upload_rows
from lambdad.neighbours.ecr.blobs import BlobFiles
from lambdad.neighbours.ecr.model import Repository, read_manifest
from lambdad.neighbours.ecr.uploads import Uploads, WrongDigest
from lambdad.storage.database import Database
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

REPOSITORY = Repository(account_id="0", region="r", name="app", created_ms=0)
DAY_S = 24 * 3_600


class World:
    """A repository on disk."""

    def __init__(self, directory: Path, db: Database, clock: FakeClock) -> None:
        self.clock = clock
        self.db = db
        self.files = BlobFiles(directory)
        self.uploads = Uploads(db, self.files, clock)
        self.files.prepare()
        self.directory = directory

    async def blob(self, *pieces: bytes) -> str:
        upload_id = await self.uploads.begin(REPOSITORY)
        for piece in pieces:
            await self.uploads.append(REPOSITORY, upload_id, piece, None)
        digest = f"sha256:{hashlib.sha256(b''.join(pieces)).hexdigest()}"
        await self.uploads.complete(REPOSITORY, upload_id, digest)
        return digest

    def pieces(self) -> list[Path]:
        return list((self.directory / "pieces").iterdir())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = FakeClock()
    store = engine("sqlite")(tmp_path, clock)
    await store.open()
    db = store.database("ecr")
    await db.open()
    document = REPOSITORY.document()
    await db.write(partial(documents.put, kind="repository", key=REPOSITORY.key, document=document))
    yield World(tmp_path / "ecr", db, clock)
    await db.close()
    await store.close()


async def test_pieces_become_one_blob_and_leave_nothing(world: World) -> None:
    digest = await world.blob(b"one", b"two", b"three")
    assert world.files.path(digest).read_bytes() == b"onetwothree"
    assert await world.blob(b"alone")
    assert world.pieces() == []
    assert list((world.directory / "joining").iterdir()) == []


async def test_a_piece_belongs_where_the_last_one_ended(world: World) -> None:
    upload_id = await world.uploads.begin(REPOSITORY)
    await world.uploads.append(REPOSITORY, upload_id, b"abc", 0)
    with pytest.raises(upload_rows.NotNext) as refused:
        await world.uploads.append(REPOSITORY, upload_id, b"abc", 0)
    assert refused.value.size == 3
    assert len(world.pieces()) == 1


async def test_what_is_something_else_is_thrown_away(world: World) -> None:
    upload_id = await world.uploads.begin(REPOSITORY)
    await world.uploads.append(REPOSITORY, upload_id, b"abc", None)
    with pytest.raises(WrongDigest):
        await world.uploads.complete(REPOSITORY, upload_id, f"sha256:{'0' * 64}")
    assert world.pieces() == []
    assert world.files.digests() == []


async def test_uploads_pieces_and_bytes_are_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_rows, "UPLOADS_MAX", 2)
    monkeypatch.setattr(upload_rows, "PARTS_MAX", 3)
    monkeypatch.setattr(upload_rows, "BYTES_MAX", 10)
    many = await world.uploads.begin(REPOSITORY)
    large = await world.uploads.begin(REPOSITORY)
    with pytest.raises(upload_rows.TooMany):
        await world.uploads.begin(REPOSITORY)
    for _ in range(3):
        await world.uploads.append(REPOSITORY, many, b"x", None)
    with pytest.raises(upload_rows.TooMany):
        await world.uploads.append(REPOSITORY, many, b"x", None)
    await world.uploads.append(REPOSITORY, large, b"x" * 10, None)
    with pytest.raises(upload_rows.TooMany):
        await world.uploads.append(REPOSITORY, large, b"x", None)
    assert len(world.pieces()) == 4


async def test_blobs_and_uploads_that_nobody_wants_go_after_a_day(world: World) -> None:
    kept, unused = await world.blob(b"{}"), await world.blob(b"never in an image")
    manifest = read_manifest(
        json.dumps({"schemaVersion": 2, "config": {"digest": kept}, "layers": []}).encode(), None
    )
    await world.db.write(
        partial(rows.put_image, repository=REPOSITORY, manifest=manifest, tag="v1", now_ms=0)
    )
    upload_id = await world.uploads.begin(REPOSITORY)
    await world.uploads.append(REPOSITORY, upload_id, b"begun", None)
    await world.uploads.collect()
    assert sorted(world.files.digests()) == sorted((kept, unused))
    world.clock.advance(DAY_S + 1)
    await world.uploads.collect()
    assert world.files.digests() == [kept]
    assert world.pieces() == []
    with pytest.raises(upload_rows.NoUpload):
        await world.uploads.size(REPOSITORY, upload_id)

    removal = partial(rows.remove_image, key=REPOSITORY.key, digest=manifest.digest)
    await world.db.write(partial(removal, now_ms=int(world.clock.time() * 1_000)))
    await world.uploads.collect()
    assert world.files.digests() == [kept]
    world.clock.advance(DAY_S + 1)
    await world.uploads.collect()
    assert world.files.digests() == []


async def test_files_that_a_killed_daemon_left_go_with_the_next_start(world: World) -> None:
    piece = world.files.keep(b"no row names it", 0)
    stray = world.files.path(f"sha256:{'a' * 64}")
    stray.parent.mkdir()
    stray.write_bytes(b"placed, and then it was killed")
    await world.uploads.collect()
    assert not world.files.piece(piece).exists()
    assert not stray.exists()
