"""Layers; none can be published yet."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA
from lambdad.domain.errors import ResourceNotFoundException


@LAMBDA.operation("ListLayers")
async def list_layers(context: RequestContext, params: Params) -> Result:
    """List the layers of the account."""
    return {"Layers": []}


@LAMBDA.operation("ListLayerVersions")
async def list_layer_versions(context: RequestContext, params: Params) -> Result:
    """List the versions of a layer; AWS answers with an empty list when it does not exist."""
    return {"LayerVersions": []}


@LAMBDA.operation("GetLayerVersion")
async def get_layer_version(context: RequestContext, params: Params) -> Result:
    """Return a version of a layer."""
    raise ResourceNotFoundException("The resource you requested does not exist.")
