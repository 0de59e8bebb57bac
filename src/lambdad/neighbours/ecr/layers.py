"""Layers by the API: what clients that do not speak the registry's protocol upload and download."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.domain.images import is_digest
from lambdad.neighbours.ecr import rows
from lambdad.neighbours.ecr.access import Grant
from lambdad.neighbours.ecr.errors import (
    EmptyUploadException,
    InvalidLayerException,
    InvalidLayerPartException,
    LayerAlreadyExistsException,
    LayersNotFoundException,
    LimitExceededException,
    no_repository,
    no_upload,
)
from lambdad.neighbours.ecr.service import ECR, Context, invalid, named, reach
from lambdad.neighbours.ecr.upload_rows import NotNext, NoUpload, TooMany
from lambdad.neighbours.ecr.uploads import WrongDigest

PART_BYTES = 10 * 1024 * 1024
_LINK_LIFE_S = 3_600
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@ECR.operation("BatchCheckLayerAvailability")
async def batch_check_layer_availability(context: Context, params: Params) -> Result:
    """Say which layers are there."""
    repository = reach(context, params, "BatchCheckLayerAvailability")
    layers: list[Mapping[str, Any]] = []
    failures = []
    for digest in params["layerDigests"]:
        if not is_digest(digest):
            reason = "The layer digest is not valid"
            failures.append(
                {
                    "layerDigest": digest,
                    "failureCode": "InvalidLayerDigest",
                    "failureReason": reason,
                }
            )
            continue
        size = await context.services.size_of(repository, digest)
        there = {} if size is None else {"layerSize": size, "mediaType": _LAYER}
        state = "UNAVAILABLE" if size is None else "AVAILABLE"
        layers.append({"layerDigest": digest, "layerAvailability": state, **there})
    return {"layers": layers, "failures": failures}


@ECR.operation("InitiateLayerUpload")
async def initiate_layer_upload(context: Context, params: Params) -> Result:
    """Begin an upload."""
    repository = reach(context, params, "InitiateLayerUpload")
    try:
        upload_id = await context.services.uploads.begin(repository)
    except rows.Gone as gone:
        raise no_repository(repository.account_id, repository.name) from gone
    except TooMany as error:
        raise LimitExceededException("Too many uploads to this repository have begun") from error
    return {"uploadId": upload_id, "partSize": PART_BYTES}


@ECR.operation("UploadLayerPart")
async def upload_layer_part(context: Context, params: Params) -> Result:
    """Add a part to an upload."""
    repository = reach(context, params, "UploadLayerPart")
    upload_id, content = params["uploadId"], params["layerPartBlob"]
    first, last = params["partFirstByte"], params["partLastByte"]
    if last - first + 1 != len(content):
        raise invalid("partLastByte", "the part has as many bytes as first and last byte say")
    about = {**named(repository), "uploadId": upload_id}
    try:
        size = await context.services.uploads.append(repository, upload_id, content, first)
    except NoUpload as error:
        raise no_upload(repository, upload_id) from error
    except NotNext as error:
        raise InvalidLayerPartException(
            f"The part does not begin where the upload with id '{upload_id}' ends",
            **about,
            lastValidByteReceived=str(max(error.size - 1, 0)),
        ) from error
    except TooMany as error:
        raise LimitExceededException("The layer has too many parts, or too many bytes") from error
    return {**about, "lastByteReceived": max(size - 1, 0)}


@ECR.operation("CompleteLayerUpload")
async def complete_layer_upload(context: Context, params: Params) -> Result:
    """Make a layer of what was uploaded."""
    repository = reach(context, params, "CompleteLayerUpload")
    upload_id, digests = params["uploadId"], params["layerDigests"]
    uploads = context.services.uploads
    try:
        if await uploads.size(repository, upload_id) == 0:
            raise EmptyUploadException(f"The upload with id '{upload_id}' has no parts")
        known = next((digest for digest in digests if is_digest(digest)), None)
        if known is None:
            raise InvalidLayerException("Layers are named by SHA-256 digests")
        if await context.services.size_of(repository, known) is not None:
            await uploads.cancel(repository, upload_id)
            raise LayerAlreadyExistsException(
                f"The layer with digest '{known}' already exists in the repository with name "
                f"'{repository.name}' in the registry with id '{repository.account_id}'"
            )
        await uploads.complete(repository, upload_id, known)
    except (NoUpload, rows.Gone) as error:
        raise no_upload(repository, upload_id) from error
    except WrongDigest as error:
        raise InvalidLayerException(
            f"The layer has the digest '{error.digest}', which is not the one that was given"
        ) from error
    return {**named(repository), "uploadId": upload_id, "layerDigest": known}


@ECR.operation("GetDownloadUrlForLayer")
async def get_download_url_for_layer(context: Context, params: Params) -> Result:
    """Return where a layer can be fetched from for an hour."""
    repository = reach(context, params, "GetDownloadUrlForLayer")
    digest = params["layerDigest"]
    if not is_digest(digest) or await context.services.size_of(repository, digest) is None:
        raise LayersNotFoundException(
            f"The layer with digest '{digest}' does not exist in the repository with name "
            f"'{repository.name}' in the registry with id '{repository.account_id}'"
        )
    token = context.services.password(
        Grant(
            account_id=repository.account_id,
            region=repository.region,
            arn=context.caller.arn,
            role_arn=context.caller.role_arn,
            expires_s=int(context.services.clock.time()) + _LINK_LIFE_S,
            digest=digest,
        )
    )
    # By the host that the client has reached: it need not know the registry's own name.
    url = f"{context.base_url}/v2/{repository.name}/blobs/{digest}?token={token}"
    return {"downloadUrl": url, "layerDigest": digest}
