"""How clients of a registry bring blobs: in one piece or many, or from another repository."""

from __future__ import annotations

import re
from functools import partial
from typing import NoReturn

from lambdad.neighbours.ecr import rows
from lambdad.neighbours.ecr.calls import JSON, RegistryCall, RegistryError, wanted_digest
from lambdad.neighbours.ecr.errors import RepositoryNotFoundException, no_repository
from lambdad.neighbours.ecr.upload_rows import BYTES_MAX, NotNext, NoUpload, TooMany
from lambdad.neighbours.ecr.uploads import WrongDigest
from lambdad.protocol.http import HttpResponse

_CONTENT_RANGE = re.compile(r"(?:bytes )?(\d{1,15})-(\d{1,15})(?:/(?:\d+|\*))?", re.ASCII)


async def begin(call: RegistryCall) -> HttpResponse:
    """Begin an upload; or have a whole blob at once, or one of another repository."""
    call.require("InitiateLayerUpload")
    if call.rest:
        raise RegistryError(405, "UNSUPPORTED", "An upload that has begun takes PATCH and PUT.")
    if "mount" in call.query and await _mount(call):
        return _created(call, call.query["mount"])
    digest = call.query.get("digest")
    if digest is not None:
        wanted_digest(digest)
    try:
        upload_id = await call.registry.uploads.begin(call.repository)
        if digest is not None:
            await _append(call, upload_id)
            await call.registry.uploads.complete(call.repository, upload_id, digest)
            return _created(call, digest)
    except (NoUpload, rows.Gone, WrongDigest, NotNext, TooMany) as error:
        _refuse(call, error)
    return _told(call, upload_id, 0, 202)


async def tell(call: RegistryCall) -> HttpResponse:
    """Say how much has come."""
    call.require("UploadLayerPart")
    try:
        size = await call.registry.uploads.size(call.repository, call.rest)
    except NoUpload as error:
        _refuse(call, error)
    return _told(call, call.rest, size, 204)


async def append(call: RegistryCall) -> HttpResponse:
    """Take the next bytes."""
    call.require("UploadLayerPart")
    try:
        size = await _append(call, call.rest)
    except (NoUpload, NotNext, TooMany) as error:
        _refuse(call, error)
    return _told(call, call.rest, size, 202)


async def complete(call: RegistryCall) -> HttpResponse:
    """Take the last bytes, if there are any, and make a blob of all."""
    call.require("CompleteLayerUpload")
    digest = wanted_digest(call.query.get("digest", ""))
    try:
        if call.request.upload is not None or call.request.body:
            await _append(call, call.rest)
        await call.registry.uploads.complete(call.repository, call.rest, digest)
    except (NoUpload, rows.Gone, WrongDigest, NotNext, TooMany) as error:
        _refuse(call, error)
    return _created(call, digest)


async def cancel(call: RegistryCall) -> HttpResponse:
    """Forget an upload."""
    call.require("InitiateLayerUpload")
    try:
        await call.registry.uploads.cancel(call.repository, call.rest)
    except NoUpload as error:
        _refuse(call, error)
    return HttpResponse(status=204, headers=JSON)


async def _append(call: RegistryCall, upload_id: str) -> int:
    start = None
    if (given := call.request.headers.get("content-range")) is not None:
        match = _CONTENT_RANGE.fullmatch(given)
        if match is None:
            raise RegistryError(400, "RANGE_INVALID", "Content-Range is first-last.")
        start = int(match[1])
    content = call.request.upload or call.request.body
    return await call.registry.uploads.append(call.repository, upload_id, content, start)


async def _mount(call: RegistryCall) -> bool:
    """Give the repository a blob that another one has, if the caller may read it there."""
    digest, name = wanted_digest(call.query["mount"]), call.query.get("from")
    if name is None:
        return False
    try:
        source = call.registry.find(call.repository.account_id, call.repository.region, name)
        call.require("GetDownloadUrlForLayer", source)
    except (RepositoryNotFoundException, RegistryError):
        return False
    now_ms = call.registry.now_ms()
    job = partial(rows.mount, source=source.key, key=call.repository.key, digest=digest)
    try:
        return await call.registry.db.write(partial(job, now_ms=now_ms))
    except rows.Gone as error:
        _refuse(call, error)


def _refuse(call: RegistryCall, error: Exception) -> NoReturn:
    """Tell a client why its upload failed."""
    if isinstance(error, rows.Gone):
        repository = call.repository
        raise no_repository(repository.account_id, repository.name) from error
    if isinstance(error, WrongDigest):
        text = f"What came is {error.digest}, which is not the digest that was given."
        raise RegistryError(400, "DIGEST_INVALID", text) from error
    if isinstance(error, NotNext):
        raise RegistryError(
            416,
            "RANGE_INVALID",
            f"{error.size} bytes have come; the next piece begins there.",
            Range=f"0-{max(error.size - 1, 0)}",
            Location=f"/v2/{call.repository.name}/blobs/uploads/{call.rest}",
        ) from error
    if isinstance(error, TooMany):
        text = f"Too many uploads, too many pieces, or more than {BYTES_MAX} bytes."
        raise RegistryError(429, "TOOMANYREQUESTS", text) from error
    raise RegistryError(404, "BLOB_UPLOAD_UNKNOWN", "There is no such upload here.") from error


def _created(call: RegistryCall, digest: str) -> HttpResponse:
    location = f"/v2/{call.repository.name}/blobs/{digest}"
    headers = {**JSON, "Location": location, "Docker-Content-Digest": digest}
    return HttpResponse(status=201, headers=headers)


def _told(call: RegistryCall, upload_id: str, size: int, status: int) -> HttpResponse:
    headers = {
        **JSON,
        "Location": f"/v2/{call.repository.name}/blobs/uploads/{upload_id}",
        "Docker-Upload-UUID": upload_id,
        "Range": f"0-{max(size - 1, 0)}",
    }
    return HttpResponse(status=status, headers=headers)
