"""Versions of a function; so far every function has `$LATEST` alone."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_ import shapes
from lambdad.api.lambda_.service import LAMBDA, target_of
from lambdad.domain.arns import LATEST


@LAMBDA.operation("ListVersionsByFunction")
async def list_versions_by_function(context: RequestContext, params: Params) -> Result:
    """List the versions of a function."""
    function = await context.services.functions.get(
        target_of(context, params, "ListVersionsByFunction")
    )
    return {"Versions": [shapes.listed_configuration(function, qualifier=LATEST)]}
