"""What clients of a registry read, and the manifests they write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import parse_qs

from lambdad.domain.images import ImageProblem, is_digest
from lambdad.images.manifest import INDEXES
from lambdad.neighbours.ecr import rows
from lambdad.neighbours.ecr.calls import JSON, RegistryCall, RegistryError, wanted_digest
from lambdad.neighbours.ecr.errors import no_repository, tag_taken
from lambdad.neighbours.ecr.model import MANIFEST_BYTES_MAX, TAG, Manifest, read_manifest
from lambdad.protocol.http import HttpRequest, HttpResponse

_PAGE_MAX = 1_000
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{0,15})", re.ASCII)


async def get_manifest(call: RegistryCall) -> HttpResponse:
    """Return a manifest by tag or digest."""
    call.require("BatchGetImage")
    found = await call.registry.find_image(call.repository, *_reference(call.rest))
    if found is None:
        raise _unknown(call)
    image, body = found
    headers = {
        **JSON,
        "Content-Type": image.media_type,
        "Docker-Content-Digest": image.digest,
        "Etag": f'"{image.digest}"',
    }
    if call.request.method == "HEAD":
        return HttpResponse(status=200, headers=headers, length=len(body))
    return HttpResponse(status=200, headers=headers, body=body)


async def put_manifest(call: RegistryCall) -> HttpResponse:
    """Store a manifest whose parts are there."""
    call.require("PutImage")
    digest, tag = _reference(call.rest)
    body = call.request.body
    if len(body) > MANIFEST_BYTES_MAX:
        raise RegistryError(413, "SIZE_INVALID", f"A manifest has {MANIFEST_BYTES_MAX} bytes.")
    try:
        manifest = read_manifest(body, call.request.headers.get("content-type"))
    except ImageProblem as problem:
        raise RegistryError(400, "MANIFEST_INVALID", problem.message) from problem
    if digest not in (None, manifest.digest):
        raise RegistryError(400, "DIGEST_INVALID", "The manifest is not what its digest says.")
    await _store(call, manifest, tag)
    subject = {} if manifest.subject is None else {"OCI-Subject": manifest.subject}
    return HttpResponse(
        status=201,
        headers={
            **JSON,
            **subject,
            "Location": f"/v2/{call.repository.name}/manifests/{manifest.digest}",
            "Docker-Content-Digest": manifest.digest,
        },
    )


async def _store(call: RegistryCall, manifest: Manifest, tag: str | None) -> None:
    repository = call.repository
    try:
        await call.registry.put_image(repository, manifest, tag)
    except rows.Missing as missing:
        what = "images" if missing.images else "layers"
        listed = ", ".join(missing.digests[:20])
        raise RegistryError(
            404, "MANIFEST_BLOB_UNKNOWN", f"The repository lacks {what} of the manifest: {listed}"
        ) from missing
    except rows.TagTaken as taken:
        text = tag_taken(repository, str(tag)).message
        raise RegistryError(400, "TAG_INVALID", text) from taken
    except rows.Gone as gone:
        raise no_repository(repository.account_id, repository.name) from gone


async def delete_manifest(call: RegistryCall) -> HttpResponse:
    """Delete an image by its digest, or a tag."""
    call.require("BatchDeleteImage")
    digest, tag = _reference(call.rest)
    key, now_ms = call.repository.key, call.registry.now_ms()
    if await call.registry.find_image(call.repository, digest, tag) is None:
        raise _unknown(call)
    if tag is not None:
        await call.registry.db.write(partial(rows.remove_tag, key=key, tag=tag, now_ms=now_ms))
        return HttpResponse(status=202, headers=JSON)
    assert digest is not None  # noqa: S101 - it is one of the two
    if await call.registry.db.read(partial(rows.lists_with, key=key, digest=digest)):
        raise RegistryError(409, "DENIED", "The image is in a list of images. Delete that first.")
    await call.registry.db.write(partial(rows.remove_image, key=key, digest=digest, now_ms=now_ms))
    return HttpResponse(status=202, headers=JSON)


async def get_blob(call: RegistryCall) -> HttpResponse:
    """Return a blob, or some of it."""
    call.require("GetDownloadUrlForLayer")
    digest = wanted_digest(call.rest)
    size = await call.registry.size_of(call.repository, digest)
    if size is None:
        raise RegistryError(404, "BLOB_UNKNOWN", "The repository has no such blob.")
    headers = {
        "Content-Type": "application/octet-stream",
        "Docker-Content-Digest": digest,
        "Accept-Ranges": "bytes",
    }
    if call.request.method == "HEAD":
        return HttpResponse(status=200, headers=headers, length=size)
    first, last, status = 0, size, 200
    if (asked := _RANGE.fullmatch(call.request.headers.get("range", ""))) is not None:
        first, status = int(asked[1]), 206
        last = min(int(asked[2]) + 1, size) if asked[2] else size
        if first >= last:
            raise RegistryError(416, "RANGE_INVALID", f"The blob has {size} bytes.")
        headers["Content-Range"] = f"bytes {first}-{last - 1}/{size}"
    pieces = call.registry.files.read(digest, first, last)
    return HttpResponse(status=status, headers=headers, pieces=pieces, length=last - first)


async def list_tags(call: RegistryCall) -> HttpResponse:
    """Return the tags of a repository."""
    call.require("ListImages")
    if call.rest != "list":
        raise RegistryError(404, "UNSUPPORTED", "There is nothing at this path.")
    most, after = _page(call.query)
    job = partial(rows.tags, key=call.repository.key, after=after, most=most + 1)
    tags = await call.registry.db.read(job)
    document = {"name": call.repository.name, "tags": tags[:most]}
    return _listed(call.request.path, document, tags, most)


async def referrers(call: RegistryCall) -> HttpResponse:
    """Return what says something about an image: signatures, lists of what is in it."""
    call.require("BatchGetImage")
    job = partial(rows.referrers, key=call.repository.key, subject=wanted_digest(call.rest))
    kind = call.query.get("artifactType")
    found = await call.registry.db.read(job)
    listed = [
        {
            "mediaType": image.media_type,
            "digest": image.digest,
            "size": size,
            **({"artifactType": image.artifact_type} if image.artifact_type else {}),
        }
        for image, size in found
        if kind in (None, image.artifact_type)
    ]
    document = {"schemaVersion": 2, "mediaType": INDEXES[0], "manifests": listed}
    headers = {**JSON, "Content-Type": INDEXES[0]}
    if kind is not None:
        headers["OCI-Filters-Applied"] = "artifactType"
    return HttpResponse(status=200, headers=headers, body=json.dumps(document).encode())


def catalog(request: HttpRequest, names: Sequence[str]) -> HttpResponse:
    """Return the names of repositories."""
    most, after = _page(query_of(request))
    found = [name for name in sorted(names) if name > after][: most + 1]
    return _listed(request.path, {"repositories": found[:most]}, found, most)


def query_of(request: HttpRequest) -> Mapping[str, str]:
    """Return the parameters of a query, the first of each name."""
    return {name: values[0] for name, values in parse_qs(request.query).items()}


def _listed(
    path: str, document: Mapping[str, object], found: Sequence[str], most: int
) -> HttpResponse:
    headers = dict(JSON)
    if len(found) > most:
        headers["Link"] = f'<{path}?n={most}&last={found[most - 1] if most else ""}>; rel="next"'
    return HttpResponse(status=200, headers=headers, body=json.dumps(document).encode())


def _page(query: Mapping[str, str]) -> tuple[int, str]:
    most = query.get("n", str(_PAGE_MAX))
    if not (most.isascii() and most.isdigit() and len(most) < 10):
        raise RegistryError(400, "PAGINATION_NUMBER_INVALID", "n is a number of entries.")
    return max(1, min(int(most), _PAGE_MAX)), query.get("last", "")


def _reference(text: str) -> tuple[str | None, str | None]:
    """Return the digest or the tag that a manifest is asked for by."""
    if is_digest(text):
        return text, None
    if TAG.fullmatch(text) is None:
        raise RegistryError(400, "TAG_INVALID", "A manifest is named by a tag or a digest.")
    return None, text


def _unknown(call: RegistryCall) -> RegistryError:
    digest, tag = _reference(call.rest)
    named = f"imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'"
    return RegistryError(
        404,
        "MANIFEST_UNKNOWN",
        f"Requested image not found: {{{named}}} in the repository '{call.repository.name}'",
    )
