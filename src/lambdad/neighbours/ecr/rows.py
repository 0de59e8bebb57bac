"""Images, tags and the bytes they consist of, in SQLite: jobs.

A repository is its key here. What an image consists of has to be there when the image comes, so
nobody ever gets half of one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lambdad.neighbours.ecr.model import Manifest, Repository

UNUSED_MS = 24 * 3_600 * 1_000
_IMAGE = "digest, media_type, artifact_type, subject, size, pushed_ms"


class Missing(Exception):
    """What a manifest names is not in the repository.

    Attributes:
        digests: of what is missing.
        images: whether those are images, else layers.
    """

    def __init__(self, digests: Sequence[str], *, images: bool) -> None:
        super().__init__(", ".join(digests))
        self.digests = digests
        self.images = images


class Gone(Exception):
    """The repository was deleted meanwhile."""


class TagTaken(Exception):
    """The tag is another image's and may not move."""


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """An image without its manifest."""

    digest: str
    media_type: str
    artifact_type: str | None
    subject: str | None
    size: int
    pushed_ms: int
    tags: tuple[str, ...] = ()


def check_repository(db: sqlite3.Connection, key: str) -> None:
    """Raise `Gone` unless the repository is there."""
    found = db.execute("SELECT 1 FROM document WHERE kind = 'repository' AND key = ?", (key,))
    if found.fetchone() is None:
        raise Gone


def put_image(
    db: sqlite3.Connection, repository: Repository, manifest: Manifest, tag: str | None, now_ms: int
) -> bool:
    """Store an image, and give it a tag; False if both were there already.

    Raises:
        Gone, Missing, TagTaken: nothing was changed.
    """
    key = repository.key
    check_repository(db, key)
    size = _check_parts(db, key, manifest)
    current = None if tag is None else digest_of_tag(db, key, tag)
    if current is not None and current != manifest.digest:
        assert tag is not None  # noqa: S101 - it has a digest
        if not repository.may_move(tag):
            raise TagTaken
    row = (key, manifest.digest, manifest.media_type, manifest.artifact_type, manifest.subject)
    added = db.execute(
        "INSERT INTO image (repository, digest, media_type, artifact_type, subject, size, "
        "pushed_ms, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (*row, size, now_ms, manifest.body),
    ).rowcount
    for part in (*manifest.blobs, *manifest.images):
        db.execute(
            "INSERT OR IGNORE INTO part (repository, image, digest) VALUES (?, ?, ?)",
            (key, manifest.digest, part),
        )
    if tag is not None and current != manifest.digest:
        db.execute(
            "INSERT INTO tag (repository, name, digest) VALUES (?, ?, ?) "
            "ON CONFLICT (repository, name) DO UPDATE SET digest = excluded.digest",
            (key, tag, manifest.digest),
        )
        return True
    return added > 0


def _check_parts(db: sqlite3.Connection, key: str, manifest: Manifest) -> int:
    sizes = [size_of(db, key, digest) for digest in manifest.blobs]
    missing = [name for name, size in zip(manifest.blobs, sizes, strict=True) if size is None]
    if missing:
        raise Missing(missing, images=False)
    absent = [digest for digest in manifest.images if image(db, key, digest) is None]
    if absent:
        raise Missing(absent, images=True)
    return sum(size or 0 for size in sizes)


def size_of(db: sqlite3.Connection, key: str, digest: str) -> int | None:
    """Return the size of a blob of a repository; None if it has no such."""
    row = db.execute(
        "SELECT size FROM blob WHERE repository = ? AND digest = ?", (key, digest)
    ).fetchone()
    return None if row is None else int(row[0])


def put_blob(db: sqlite3.Connection, key: str, digest: str, size: int, now_ms: int) -> None:
    """Note that a repository has a blob; raises `Gone`."""
    check_repository(db, key)
    db.execute(
        "INSERT INTO blob (repository, digest, size, since_ms) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (repository, digest) DO UPDATE SET since_ms = excluded.since_ms",
        (key, digest, size, now_ms),
    )


def mount(db: sqlite3.Connection, source: str, key: str, digest: str, now_ms: int) -> bool:
    """Give a repository a blob that another one has; False if it has none. Raises `Gone`."""
    size = size_of(db, source, digest)
    if size is None:
        return False
    put_blob(db, key, digest, size, now_ms)
    return True


def digest_of_tag(db: sqlite3.Connection, key: str, tag: str) -> str | None:
    """Return which image has a tag."""
    row = db.execute(
        "SELECT digest FROM tag WHERE repository = ? AND name = ?", (key, tag)
    ).fetchone()
    return None if row is None else str(row[0])


def image(db: sqlite3.Connection, key: str, digest: str) -> ImageRow | None:
    """Return an image by its digest."""
    row = db.execute(
        f"SELECT {_IMAGE} FROM image WHERE repository = ? AND digest = ?",  # noqa: S608
        (key, digest),
    ).fetchone()
    return None if row is None else _image(db, key, row)


def manifest_body(db: sqlite3.Connection, key: str, digest: str) -> bytes | None:
    """Return an image's manifest."""
    row = db.execute(
        "SELECT body FROM image WHERE repository = ? AND digest = ?", (key, digest)
    ).fetchone()
    return None if row is None else bytes(row[0])


def find(
    db: sqlite3.Connection, key: str, digest: str | None, tag: str | None
) -> tuple[ImageRow, bytes] | None:
    """Return an image with its manifest, by digest or tag or both."""
    tagged = None if tag is None else digest_of_tag(db, key, tag)
    wanted = digest or tagged
    if wanted is None or (tag is not None and tagged != wanted):
        return None
    found, body = image(db, key, wanted), manifest_body(db, key, wanted)
    return None if found is None or body is None else (found, body)


def images(db: sqlite3.Connection, key: str) -> list[ImageRow]:
    """Return all images of a repository by digest."""
    rows = db.execute(
        f"SELECT {_IMAGE} FROM image WHERE repository = ? ORDER BY digest",  # noqa: S608
        (key,),
    ).fetchall()
    return [_image(db, key, row) for row in rows]


def referrers(db: sqlite3.Connection, key: str, subject: str) -> list[tuple[ImageRow, int]]:
    """Return what says something about an image, with the lengths of the manifests."""
    rows = db.execute(
        f"SELECT {_IMAGE}, length(body) FROM image "  # noqa: S608
        "WHERE repository = ? AND subject = ? ORDER BY digest LIMIT 1000",
        (key, subject),
    ).fetchall()
    return [(_image(db, key, row[:-1]), int(row[-1])) for row in rows]


def tags(db: sqlite3.Connection, key: str, after: str, most: int) -> list[str]:
    """Return names of tags, sorted."""
    rows = db.execute(
        "SELECT name FROM tag WHERE repository = ? AND name > ? ORDER BY name LIMIT ?",
        (key, after, most),
    )
    return [row[0] for row in rows]


def _image(db: sqlite3.Connection, key: str, row: Sequence[object]) -> ImageRow:
    names = db.execute(
        "SELECT name FROM tag WHERE repository = ? AND digest = ? ORDER BY name", (key, row[0])
    )
    return ImageRow(
        **dict(zip(_IMAGE.split(", "), row, strict=True)),  # type: ignore[arg-type]
        tags=tuple(name[0] for name in names),
    )


def lists_with(db: sqlite3.Connection, key: str, digest: str) -> list[str]:
    """Return the images that are lists with this one."""
    rows = db.execute("SELECT image FROM part WHERE repository = ? AND digest = ?", (key, digest))
    return [row[0] for row in rows]


def remove_tag(db: sqlite3.Connection, key: str, tag: str, now_ms: int) -> str | None:
    """Take a tag away, and the image with its last one, unless it is in a list.

    Returns the image's digest; None if there is no such tag.
    """
    digest = digest_of_tag(db, key, tag)
    if digest is None:
        return None
    db.execute("DELETE FROM tag WHERE repository = ? AND name = ?", (key, tag))
    found = image(db, key, digest)
    if found is not None and not found.tags and not lists_with(db, key, digest):
        remove_image(db, key, digest, now_ms)
    return digest


def remove_image(db: sqlite3.Connection, key: str, digest: str, now_ms: int) -> None:
    """Remove an image with its tags; what it consisted of goes later, if nothing else has it."""
    db.execute("DELETE FROM image WHERE repository = ? AND digest = ?", (key, digest))
    db.execute("DELETE FROM tag WHERE repository = ? AND digest = ?", (key, digest))
    db.execute(
        "UPDATE blob SET since_ms = ? WHERE repository = ? AND digest IN "
        "(SELECT digest FROM part WHERE repository = ? AND image = ?)",
        (now_ms, key, key, digest),
    )
    db.execute("DELETE FROM part WHERE repository = ? AND image = ?", (key, digest))


def remove_repository(db: sqlite3.Connection, key: str, *, force: bool) -> bool:
    """Remove a repository with all that is in it; False if there are images, and no force."""
    found = db.execute("SELECT 1 FROM image WHERE repository = ? LIMIT 1", (key,)).fetchone()
    if found is not None and not force:
        return False
    for table in ("image", "tag", "part", "blob"):
        db.execute(f"DELETE FROM {table} WHERE repository = ?", (key,))  # noqa: S608
    db.execute(
        "DELETE FROM piece WHERE upload IN (SELECT id FROM upload WHERE repository = ?)", (key,)
    )
    db.execute("DELETE FROM upload WHERE repository = ?", (key,))
    db.execute("DELETE FROM document WHERE kind = 'repository' AND key = ?", (key,))
    return True


def forget_unused(db: sqlite3.Connection, now_ms: int) -> None:
    """Forget blobs that no image has had for a day."""
    db.execute(
        "DELETE FROM blob WHERE since_ms < ? AND NOT EXISTS (SELECT 1 FROM part "
        "WHERE part.repository = blob.repository AND part.digest = blob.digest)",
        (now_ms - UNUSED_MS,),
    )


def unknown_blobs(db: sqlite3.Connection, digests: Iterable[str]) -> list[str]:
    """Return those of the digests that no repository has."""
    return [
        digest
        for digest in digests
        if db.execute("SELECT 1 FROM blob WHERE digest = ?", (digest,)).fetchone() is None
    ]
