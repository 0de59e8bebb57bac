"""Images: put, told, listed, deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.domain.images import ImageProblem
from lambdad.neighbours.ecr import rows
from lambdad.neighbours.ecr.errors import (
    ImageAlreadyExistsException,
    ImageDigestDoesNotMatchException,
    LayersNotFoundException,
    ReferencedImagesNotFoundException,
    ScanNotFoundException,
    UnsupportedImageTypeException,
    no_image,
    no_repository,
    tag_taken,
)
from lambdad.neighbours.ecr.model import TAG, Repository, read_manifest
from lambdad.neighbours.ecr.service import (
    ECR,
    Context,
    invalid,
    named,
    paged,
    reach,
    without_nothing,
)

_UNTAGGED = "~"


@ECR.operation("PutImage")
async def put_image(context: Context, params: Params) -> Result:
    """Store an image whose layers are there."""
    repository = reach(context, params, "PutImage")
    tag = params.get("imageTag")
    if tag is not None and TAG.fullmatch(tag) is None:
        raise invalid("imageTag", "must satisfy regular expression of tags")
    try:
        body = params["imageManifest"].encode()
        manifest = read_manifest(body, params.get("imageManifestMediaType"))
    except (ImageProblem, UnicodeEncodeError) as problem:
        raise invalid("imageManifest", str(problem)) from problem
    if params.get("imageDigest") not in (None, manifest.digest):
        raise ImageDigestDoesNotMatchException(
            "The provided digest does not match the digest of the image manifest"
        )
    try:
        if not await context.services.put_image(repository, manifest, tag):
            raise ImageAlreadyExistsException(
                f"Image with digest '{manifest.digest}' and tag '{tag}' already exists in the "
                f"repository with name '{repository.name}' in registry with id "
                f"'{repository.account_id}'"
            )
    except rows.Missing as missing:
        raise _missing(missing, repository) from missing
    except rows.TagTaken as taken:
        raise tag_taken(repository, str(tag)) from taken
    except rows.Gone as gone:
        raise no_repository(repository.account_id, repository.name) from gone
    return {
        "image": {
            **named(repository),
            "imageId": without_nothing({"imageDigest": manifest.digest, "imageTag": tag}),
            "imageManifest": params["imageManifest"],
            "imageManifestMediaType": manifest.media_type,
        }
    }


@ECR.operation("BatchGetImage")
async def batch_get_image(context: Context, params: Params) -> Result:
    """Return manifests of images."""
    repository = reach(context, params, "BatchGetImage")
    images, failures = [], []
    for image_id in params["imageIds"]:
        digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
        found = await context.services.find_image(repository, digest, tag)
        if found is None:
            failures.append(_not_found(image_id))
            continue
        image, body = found
        images.append(
            {
                **named(repository),
                "imageId": without_nothing({"imageDigest": image.digest, "imageTag": tag}),
                "imageManifest": body.decode(),
                "imageManifestMediaType": image.media_type,
            }
        )
    return {"images": images, "failures": failures}


@ECR.operation("DescribeImages")
async def describe_images(context: Context, params: Params) -> Result:
    """Return what is known of images, all of a repository or those that are named."""
    repository = reach(context, params, "DescribeImages")
    if (image_ids := params.get("imageIds")) is not None:
        found = [await _one(context, repository, image_id) for image_id in image_ids]
        return {"imageDetails": [_detail(repository, image) for image in found]}
    images = await context.services.db.read(partial(rows.images, key=repository.key))
    chosen = [image for image in images if _wanted(params, tagged=bool(image.tags))]
    page, token = paged(params, chosen, lambda image: image.digest)
    return {"imageDetails": [_detail(repository, image) for image in page], "nextToken": token}


@ECR.operation("ListImages")
async def list_images(context: Context, params: Params) -> Result:
    """Return the identifiers of images: one for each tag, and one for those without."""
    repository = reach(context, params, "ListImages")
    images = await context.services.db.read(partial(rows.images, key=repository.key))
    identifiers = [
        without_nothing({"imageDigest": image.digest, "imageTag": tag})
        for image in images
        for tag in image.tags or (None,)
        if _wanted(params, tagged=tag is not None)
    ]
    page, token = paged(
        params, identifiers, lambda each: f"{each['imageDigest']}{each.get('imageTag', _UNTAGGED)}"
    )
    return {"imageIds": page, "nextToken": token}


@ECR.operation("BatchDeleteImage")
async def batch_delete_image(context: Context, params: Params) -> Result:
    """Delete images, or tags: an image goes with its last one."""
    repository = reach(context, params, "BatchDeleteImage")
    deleted: list[Mapping[str, Any]] = []
    failures = []
    for image_id in params["imageIds"]:
        job = partial(
            _delete, repository=repository, image_id=image_id, now_ms=context.services.now_ms()
        )
        gone, failure = await context.services.db.write(job)
        deleted += gone
        if failure is not None:
            failures.append({"imageId": image_id, **failure})
    return {"imageIds": deleted, "failures": failures}


@ECR.operation("StartImageScan")
async def start_image_scan(context: Context, params: Params) -> Result:
    """Refuse: nothing here scans images."""
    repository = reach(context, params, "StartImageScan")
    await _one(context, repository, params["imageId"])
    raise UnsupportedImageTypeException(
        "lambdad does not scan images. Scan them before they are pushed, with trivy for example."
    )


@ECR.operation("DescribeImageScanFindings")
async def describe_image_scan_findings(context: Context, params: Params) -> Result:
    """Say that nothing was scanned."""
    repository = reach(context, params, "DescribeImageScanFindings")
    image = await _one(context, repository, params["imageId"])
    raise ScanNotFoundException(
        f"Image scan does not exist for the image with '{{imageDigest:'{image.digest}', "
        f"imageTag:'{params['imageId'].get('imageTag', 'null')}'}}' in the repository with name "
        f"'{repository.name}' in the registry with id '{repository.account_id}'"
    )


async def _one(
    context: Context, repository: Repository, image_id: Mapping[str, str]
) -> rows.ImageRow:
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    found = await context.services.find_image(repository, digest, tag)
    if found is None:
        raise no_image(repository, digest, tag)
    return found[0]


def _delete(
    db: sqlite3.Connection, repository: Repository, image_id: Mapping[str, str], now_ms: int
) -> tuple[list[Mapping[str, Any]], Mapping[str, str] | None]:
    """Delete what an identifier names; a job. Returns what went, or why nothing did."""
    key, digest, tag = repository.key, image_id.get("imageDigest"), image_id.get("imageTag")
    found = rows.find(db, key, digest, tag)
    if found is None:
        return [], {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
    image = found[0]
    if tag is not None:
        rows.remove_tag(db, key, tag, now_ms)
        return [{"imageDigest": image.digest, "imageTag": tag}], None
    if lists := rows.lists_with(db, key, image.digest):
        reason = f"Requested image referenced by manifest list: [{', '.join(lists)}]"
        return [], {"failureCode": "ImageReferencedByManifestList", "failureReason": reason}
    rows.remove_image(db, key, image.digest, now_ms)
    tags = image.tags or (None,)
    return [without_nothing({"imageDigest": image.digest, "imageTag": each}) for each in tags], None


def _not_found(image_id: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        "imageId": image_id,
        "failureCode": "ImageNotFound",
        "failureReason": "Requested image not found",
    }


def _missing(missing: rows.Missing, repository: Repository) -> Exception:
    if missing.images:
        return ReferencedImagesNotFoundException(
            f"Images with digests '[{', '.join(missing.digests)}]' required for pushing image into "
            f"repository with name '{repository.name}' in the registry with id "
            f"'{repository.account_id}' do not exist"
        )
    return LayersNotFoundException(
        f"Layers with digests '[{', '.join(missing.digests)}]' required for pushing image into "
        f"repository with name '{repository.name}' in the registry with id "
        f"'{repository.account_id}' do not exist"
    )


def _wanted(params: Params, *, tagged: bool) -> bool:
    status = (params.get("filter") or {}).get("tagStatus", "ANY")
    return bool(status == "ANY" or (status == "TAGGED") == tagged)


def _detail(repository: Repository, image: rows.ImageRow) -> Mapping[str, Any]:
    return without_nothing(
        {
            **named(repository),
            "imageDigest": image.digest,
            "imageTags": image.tags,
            "imageSizeInBytes": image.size,
            "imagePushedAt": datetime.fromtimestamp(image.pushed_ms / 1_000, UTC),
            "imageManifestMediaType": image.media_type,
            "artifactMediaType": image.artifact_type,
            "subjectManifestDigest": image.subject,
            "imageStatus": "ACTIVE",
        }
    )
