"""Operations on published versions of functions."""

from __future__ import annotations

from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_ import shapes
from lambdad.api.lambda_.service import (
    LAMBDA,
    marker_of,
    name_of,
    page_size,
    target_of,
    version_behind,
)
from lambdad.controlplane.versions import Publication
from lambdad.domain import limits
from lambdad.domain.errors import NotImplementedException


@LAMBDA.operation("PublishVersion")
async def publish_version(context: RequestContext, params: Params) -> Result:
    """Freeze `$LATEST` as the next version, or return the last one if nothing has changed."""
    target = target_of(context, params, "PublishVersion")
    if params.get("PublishTo"):
        raise NotImplementedException(
            "PublishVersion with PublishTo is not implemented by lambdad yet. Leave it out."
        )
    publication = Publication(
        description=params.get("Description"),
        code_sha256=params.get("CodeSha256"),
        revision_id=params.get("RevisionId"),
    )
    version = await context.services.functions.versions.publish(target, publication)
    return shapes.function_configuration(version)


@LAMBDA.operation("ListVersionsByFunction")
async def list_versions_by_function(context: RequestContext, params: Params) -> Result:
    """List the versions of a function, `$LATEST` first, at most 50 at a time."""
    target = target_of(context, params, "ListVersionsByFunction")
    after = name_of(params.get("Marker"))
    page = context.services.functions.versions.list(
        target,
        after=None if after is None else version_behind(after)[1],
        limit=page_size(params, limits.LIST_VERSIONS_PAGE_MAX),
    )
    answer: dict[str, Any] = {"Versions": [shapes.listed_version(v) for v in page.versions]}
    if page.more:
        answer["NextMarker"] = marker_of(f":{page.versions[-1].version}")
    return answer
